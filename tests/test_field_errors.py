"""How large the errors of simulated fields are, and what they look like."""

import math

import numpy as np
import pytest
import tensorflow as tf

from spinet_tf import field_simulation
from spinet_tf.field_simulation import (
    Seeds,
    background_field,
    realistic_field,
    smooth_noise,
)
from spinet_tf.simulate import simulate_field
from tests.test_field_simulation import B0, NONE, SIZE, VOXEL_SIZE, seeds


class Drawn(Seeds):
    """Seeds whose uniform numbers all lie at one place of their range."""

    def __init__(self, place, number=0):
        super().__init__(tf.constant([number, 7]))
        self.place = place

    def uniform(self, low=0.0, high=1.0, shape=()):
        super().uniform(low, high, shape)
        return tf.fill(shape, tf.cast(low + self.place * (high - low), tf.float32))


def drawn_errors(place, whole=False, **errors):
    """What errors drawn at a place of their range add to a field, the field, a mask."""
    rng = np.random.default_rng(0)
    mask = np.ones(SIZE, np.float32)
    if not whole:
        mask[:3] = mask[:, :3] = mask[..., :3] = 0
    chi = (0.03 * mask * rng.standard_normal(SIZE)).astype("float32")
    field = realistic_field(
        *(tf.constant(volume) for volume in (chi, mask, mask)),
        *(tf.constant(VOXEL_SIZE), tf.constant(B0)),
        *(NONE._replace(**errors), Drawn(place)),
    )
    exact = simulate_field(chi, mask, VOXEL_SIZE, B0)
    return (field.numpy() - exact), exact, mask > 0


@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    ("name", "most", "expected"),
    [
        ("anisotropy", 0.02, lambda place: 0.0031 * place),
        ("smooth", 0.002, lambda place: 0.002 * place),
        ("gain", 0.05, lambda place: 0.05 * 0.0089 * place),
        ("background", 0.003, lambda place: 0.003 * place),  # far: no room for near
        ("near_sources", 0.2, lambda place: 0.2 * 0.0245 * place),
        ("coloured", 0.02, lambda place: 0.02 / 3 * place**2),
    ],
)
def test_errors_have_the_stated_size(name, most, expected, place):
    added, _, mask = drawn_errors(place, whole=True, **{name: most})
    assert added[mask].std() == pytest.approx(expected(place), rel=0.3, abs=1e-6)


def test_noise_is_drawn_in_its_logarithm_and_varies_over_the_head():
    spreads = []
    for place in (0.0, 0.5, 1.0):
        added, _, mask = drawn_errors(place, noise_low=0.0004, noise_high=0.01)
        logarithms = np.log(np.abs(added[mask]))
        middle = logarithms.mean() + (np.euler_gamma + np.log(2)) / 2
        assert np.exp(middle) == pytest.approx(0.0004 * 25**place, rel=0.25)
        spreads.append(logarithms.std())
    # That of log |N(0, 1)| is pi / sqrt(8); the variation has 0.8 more at most.
    assert spreads[0] == pytest.approx(math.pi / 8**0.5, rel=0.05)
    assert spreads[2] == pytest.approx(np.hypot(spreads[0], 0.8), rel=0.1)


def test_near_background_comes_on_top_of_the_far_one(monkeypatch):
    monkeypatch.setattr(field_simulation, "background_field", lambda *_: 0.0)
    added, _, mask = drawn_errors(1.0, background=0.003)
    assert np.sqrt((added[mask] ** 2).mean()) == pytest.approx(0.003, rel=0.01)


def test_gain_multiplies_and_smooth_errors_are_smooth():
    added, _, mask = drawn_errors(0.5, whole=True, smooth=0.002)
    assert np.diff(added, axis=0).std() < 0.2 * added.std()
    added, exact, _ = drawn_errors(0.5, whole=True, gain=0.05)
    ratio = np.where(np.abs(exact) > 0.003, added / exact, np.nan)
    assert np.nanstd(ratio) == pytest.approx(0.025, rel=0.3)
    assert np.nanstd(np.diff(ratio, axis=0)) < 0.3 * np.nanstd(ratio)


def test_smooth_noise_has_no_preferred_diagonal():
    def alike(sign):
        noise = smooth_noise(seeds(), (40, 40, 40), 1.5).numpy()
        return np.mean(noise * np.roll(noise, (2, 2 * sign), (0, 1)))

    assert alike(1) == pytest.approx(alike(-1), abs=0.05)


def test_background_is_of_several_sources(monkeypatch):
    def field():
        return background_field(Drawn(0.5), (12, 12, 12), tf.ones(3), tf.constant(B0))

    fields = [field()]
    monkeypatch.setattr(field_simulation, "FAR_SOURCES", 1)
    fields.append(field())
    assert np.abs(fields[0] - fields[1]).max() > 0.1


def test_the_background_field_depends_on_the_direction_of_b0():
    fields = [
        background_field(Drawn(0.5), (12, 12, 12), tf.ones(3), tf.constant(b0))
        for b0 in ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0))
    ]
    assert np.abs(fields[0] - fields[1]).max() > 0.1


def test_fibres_change_their_direction_smoothly():
    added, _, _ = drawn_errors(0.5, whole=True, anisotropy=0.02)
    assert np.diff(added, axis=0).std() < 0.5 * added.std()


@pytest.mark.parametrize("size", [(1, 1, 1), (2, 1, 1)])
def test_the_smallest_volumes_have_finite_fields(size):
    ones = tf.ones(size)
    geometry = tf.constant(VOXEL_SIZE), tf.constant(B0)
    field = realistic_field(
        *(0.1 * ones, ones, ones, *geometry), field_simulation.FieldErrors(), seeds()
    )
    assert np.isfinite(field).all()
