"""Realistic local fields from susceptibility maps, in the graph.

A real field holds what the susceptibility does not explain: noise that varies over
the head, what background removal left behind, the anisotropy of white matter, smooth
errors of phase combination, and noise that grows towards low frequencies. Each is drawn
anew for each example.
"""

import math
from typing import NamedTuple

import tensorflow as tf

from spinet_tf.dipole_kernel import dipole_kernel
from spinet_tf.error_power import cubed_frequencies
from spinet_tf.fourier import complex_of

FAR_SOURCES = 6
"""Dipoles outside the volume that make a background field."""


class FieldErrors(NamedTuple):
    """Upper ends of what is drawn for an example; 0 turns a part off but the noise.

    Attributes:
        noise_low: float > 0 [ppm], lower end of the noise's standard deviation.
        noise_high: float [ppm], upper end; drawn uniformly in its logarithm.
        background: float [ppm], standard deviation of the residual background field,
            twice: of sources far away, over the volume, and of sources next to the
            mask, inside it.
        anisotropy: float [ppm], of the susceptibility anisotropy of white matter.
        smooth: float [ppm], standard deviation of smooth additive errors.
        gain: float, standard deviation of smooth multiplicative errors.
        near_sources: float, error of the field in and next to a source, such as a vein
            with little signal, relative to the source's susceptibility.
        coloured: float [ppm], root of the power at 0.15 cycles a voxel of noise that
            grows towards low frequencies (`spinet_tf.error_power`); its standard
            deviation is about a third of that. Drawn uniformly in its square root.
    """

    noise_low: float = 0.0003
    noise_high: float = 0.006
    background: float = 0.003
    anisotropy: float = 0.02
    smooth: float = 0.002
    gain: float = 0.05
    near_sources: float = 0.2
    coloured: float = 0.02


class Seeds:
    """A stream of stateless seeds: the same start, the same draws.

    Args:
        seed: integer `(2,)`.
    """

    def __init__(self, seed):
        self._seed = seed

    def next(self):
        """The next seed, `(2,)`."""
        self._seed, seed = tf.unstack(tf.random.split(self._seed, 2))
        return seed

    def uniform(self, low=0.0, high=1.0, shape=()):
        """Uniform float32 in [low, high)."""
        return tf.random.stateless_uniform(shape, self.next(), low, high)

    def normal(self, shape):
        """Standard normal float32."""
        return tf.random.stateless_normal(shape, self.next())


def random_b0_direction(seeds):
    """A unit vector: half of them within 40 degrees of an axial scan's, half anywhere.

    Args:
        seeds: `Seeds`.

    Returns:
        float32 `(3,)`.
    """
    cosine = tf.where(
        seeds.uniform() < 0.5,
        seeds.uniform(math.cos(math.radians(40)), 1.0),
        seeds.uniform(-1.0, 1.0),
    )
    angle = seeds.uniform(0.0, 2 * math.pi)
    sine = tf.sqrt(1 - cosine**2)
    return tf.stack([sine * tf.cos(angle), sine * tf.sin(angle), cosine])


def smooth_noise(seeds, shape, correlation_length):
    """Gaussian noise smoothed by a Gaussian, of unit standard deviation.

    Smoothed over more than the volume, nothing is left of it but zeros.

    Args:
        seeds: `Seeds`.
        shape: int `(3,)`.
        correlation_length: scalar float [voxels], the Gaussian's standard deviation.

    Returns:
        float32 `(x, y, z)`, periodic.
    """

    def attenuation(size, half):
        index = tf.range(size // 2 + 1 if half else size)
        index = tf.where(index <= size // 2, index, index - size)
        k = tf.cast(index, tf.float32) / tf.cast(size, tf.float32)
        return tf.exp(-2 * tf.square(math.pi * correlation_length * k))

    x, y, z = (attenuation(shape[i], half=i == 2) for i in range(3))
    gain = x[:, None, None] * y[:, None] * z
    # The mean goes before the rest, which may be far smaller, drowns in its rounding.
    gain -= tf.scatter_nd([[0, 0, 0]], [1.0], tf.shape(gain))
    noise = convolve(seeds.normal(shape), gain)
    return tf.math.divide_no_nan(noise, tf.math.reduce_std(noise))


def coloured_noise(seeds, shape, kernel):
    """Gaussian noise with a power of (|k| / 0.15)^-3 a voxel, as fields of scans have.

    Args:
        seeds: `Seeds`.
        shape: int `(3,)`.
        kernel: float32 `(x, y, z // 2 + 1)`, any half spectrum.

    Returns:
        float32 `(x, y, z)`, periodic.
    """
    amplitude = tf.math.rsqrt(cubed_frequencies(shape, kernel[tf.newaxis]))
    return convolve(seeds.normal(shape), amplitude)


def background_field(seeds, shape, voxel_size, b0_direction):
    """Field of random dipoles outside the volume, harmonic inside, of unit deviation.

    Args:
        seeds: `Seeds`.
        shape: int `(3,)`.
        voxel_size: float32 `(3,)` [mm].
        b0_direction: float32 `(3,)`, unit vector.

    Returns:
        float32 `(x, y, z)`.
    """
    extent = tf.cast(shape, tf.float32) * voxel_size
    axes = [tf.linspace(-0.5, 0.5, shape[i]) * extent[i] for i in range(3)]
    positions = tf.stack(tf.meshgrid(*axes, indexing="ij"), axis=-1)
    directions = seeds.normal((FAR_SOURCES, 3))
    directions /= tf.norm(directions, axis=-1, keepdims=True)
    distances = seeds.uniform(1.05, 1.8, (FAR_SOURCES, 1)) * tf.norm(extent) / 2
    strengths = seeds.normal((FAR_SOURCES,)) * distances[:, 0] ** 3
    field = tf.zeros(shape)
    for i in range(FAR_SOURCES):
        offset = positions - distances[i] * directions[i]
        squared = tf.reduce_sum(offset**2, axis=-1)
        along = tf.linalg.matvec(offset, b0_direction) ** 2 / squared
        field += strengths[i] * (3 * along - 1) / squared**1.5
    field -= tf.reduce_mean(field)
    return tf.math.divide_no_nan(field, tf.math.reduce_std(field))


def nearby_background_field(seeds, mask, kernel):
    """Field of random sources just outside the mask, of unit deviation inside it.

    Like that of the skull base and the sinuses, it is harmonic in the mask and
    strongest at its edge.

    Args:
        seeds: `Seeds`.
        mask: float32 `(x, y, z)`, 0 or 1.
        kernel: float32 `(x, y, z // 2 + 1)`, half spectrum of D.

    Returns:
        float32 `(x, y, z)`; 0 where the mask leaves no room for sources.
    """
    shape = tf.shape(mask)
    sources = (1 - mask) * smooth_noise(seeds, shape, seeds.uniform(1.0, 6.0))
    field = convolve(sources, kernel)
    power = tf.reduce_sum(mask * field**2) / tf.maximum(tf.reduce_sum(mask), 1)
    return tf.math.divide_no_nan(field, tf.sqrt(power))


def convolve(volume, kernel):
    """A volume with its spectrum multiplied, such as the field of a susceptibility map.

    Args:
        volume: float32 `(x, y, z)` [ppm].
        kernel: float32 `(x, y, z // 2 + 1)`, half spectrum, such as of D.

    Returns:
        float32 `(x, y, z)` [ppm].
    """
    spectrum = complex_of(kernel) * tf.signal.rfft3d(volume)
    return tf.signal.irfft3d(spectrum, tf.shape(volume))


def realistic_field(
    susceptibility, mask, white_matter, voxel_size, b0_direction, errors, seeds
):
    """The local field a scanner and its background removal would give.

    Args:
        susceptibility: float32 `(x, y, z)` [ppm], masked.
        mask: float32 `(x, y, z)`, 0 or 1.
        white_matter: float32 `(x, y, z)`, fraction.
        voxel_size: float32 `(3,)` [mm].
        b0_direction: float32 `(3,)`, unit vector.
        errors: `FieldErrors`.
        seeds: `Seeds`.

    Returns:
        float32 `(x, y, z)` [ppm], masked.
    """
    shape = tf.shape(susceptibility)

    def smooth(low, high):
        return smooth_noise(seeds, shape, seeds.uniform(low, high))

    # Fibres point along smoothly varying directions; what they add to the apparent
    # susceptibility depends on their angle to B0 and is not in the target.
    orientation = tf.clip_by_value(smooth(2.0, 8.0), -2.0, 2.0) / 2
    amplitude = seeds.uniform(0.0, errors.anisotropy)
    apparent = susceptibility + amplitude * white_matter * orientation

    kernel = dipole_kernel(shape, voxel_size[tf.newaxis], b0_direction[tf.newaxis])[0]
    field = convolve(apparent, kernel)
    field *= 1 + seeds.uniform(0.0, errors.gain) * smooth(6.0, 20.0)
    field += seeds.uniform(0.0, errors.smooth) * smooth(3.0, 16.0)
    field += seeds.uniform(0.0, errors.background) * background_field(
        seeds, shape, voxel_size, b0_direction
    )
    field += seeds.uniform(0.0, errors.background) * nearby_background_field(
        seeds, mask, kernel
    )
    strength = tf.nn.avg_pool3d(
        tf.abs(susceptibility)[tf.newaxis, ..., tf.newaxis], 3, 1, "SAME"
    )[0, ..., 0]
    field += seeds.uniform(0.0, errors.near_sources) * strength * smooth(0.5, 1.5)
    deviation = tf.exp(
        seeds.uniform(math.log(errors.noise_low), math.log(errors.noise_high))
    )
    deviation *= tf.exp(seeds.uniform(0.0, 0.8) * smooth(6.0, 24.0))
    field += deviation * seeds.normal(shape)
    coloured = errors.coloured * seeds.uniform() ** 2
    field += coloured * coloured_noise(seeds, shape, kernel)
    return mask * field
