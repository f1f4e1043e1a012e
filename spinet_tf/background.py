"""What a CNN makes of a volume that is the same everywhere, and where it is needed.

Convolutions with zeros around the volume make it differ near the faces only, no deeper
than the CNN reaches. A background is therefore kept as it is for the smallest volume
that has everything: both faces of each axis and a voxel between them that none of them
reaches. Each voxel of a larger volume equals one of it.
"""

import math

import tensorflow as tf

WIDE = tf.complex128


def background_size(matrix_size, reach):
    """Edges of the smallest volume that has all there is of a background.

    Args:
        matrix_size: int32 `(3,)`, of the volume.
        reach: int, how many voxels away the CNN looks.

    Returns:
        int32 `(3,)`.
    """
    return tf.minimum(matrix_size, 2 * reach + 1)


def background_in(box, background, matrix_size):
    """The background of a volume in a box of it.

    Args:
        box: int32 `(2, 3)`, first voxel and the one after the last.
        background: `(1, x, y, z, channel)` of `background_size`.
        matrix_size: int32 `(3,)`, of the volume.

    Returns:
        `(1, x, y, z, channel)` of the box's size.
    """
    voxels = _voxels_of_background(box, background, matrix_size)
    return _gather(background, voxels, first_axis=2)  # whose rows are copied whole


@tf.function(autograph=False)
def fill_background(volume, frame, keep, background, matrix_size):
    """Overwrite what lies outside of a box by the background.

    Args:
        volume: `(1, x, y, z, channel)`, what is in `frame`.
        frame: int32 `(2, 3)`, a box.
        keep: int32 `(2, 3)`, the box to leave as it is; it may stick out of the frame.
        background: `(1, x, y, z, channel)` of `background_size`.
        matrix_size: int32 `(3,)`, of the whole volume.

    Returns:
        Like `volume`.
    """
    wide, background = _wide(volume), _wide(background)
    sizes = tf.unstack(tf.shape(wide))
    everywhere = _voxels_of_background(frame, background, matrix_size)
    kept = tf.clip_by_value(keep, frame[0], frame[1]) - frame[0]
    begins, ends = (tf.unstack(corner) for corner in tf.unstack(kept))
    for axis in range(3):
        for begin, end in ((0, begins[axis]), (ends[axis], sizes[axis + 1])):
            voxels = list(everywhere)
            voxels[axis] = voxels[axis][begin:end]
            values = _gather(background, voxels, axis)
            wide = _write_slab(wide, sizes, axis, begin, end, values)
    wide = tf.reshape(wide, sizes)
    if wide.dtype != volume.dtype:
        wide = tf.bitcast(wide, volume.dtype)
    return tf.ensure_shape(tf.reshape(wide, tf.shape(volume)), volume.shape)


def _voxels_of_background(box, background, matrix_size):
    """For each axis, which voxels of the background are those of the box."""
    edges, sizes = (tf.unstack(n) for n in (tf.shape(background)[1:4], matrix_size))
    lows, highs = (tf.unstack(corner) for corner in tf.unstack(box))
    voxels = []
    for low, high, edge, size in zip(lows, highs, edges, sizes, strict=True):
        position = tf.range(low, high)
        from_end = position - (size - edge)
        voxels.append(tf.maximum(tf.minimum(position, edge // 2), from_end))
    return voxels


def _gather(background, voxels, first_axis):
    """These voxels along the axes; it is fastest to begin where they are fewest."""
    for axis in sorted(range(3), key=lambda axis: axis != first_axis):
        background = tf.gather(background, voxels[axis], axis=axis + 1)
    return background


def _write_slab(volume, sizes, axis, begin, end, values):
    """Write `values` from `begin` to before `end` along an axis, as a matrix."""
    rows, row = (math.prod(part) for part in (sizes[: axis + 1], sizes[axis + 2 :]))
    # In place where nothing else uses the volume, unlike any other way, but slow for
    # each element and dimension.
    return tf.raw_ops.TensorStridedSliceUpdate(
        input=tf.reshape(volume, (rows, -1)),
        begin=(0, begin * row),
        end=(rows, end * row),
        strides=(1, 1),
        value=tf.reshape(values, (rows, (end - begin) * row)),
    )


def _wide(volume):
    """The same memory in elements of 16 bytes, if channels make whole ones."""
    per_element = WIDE.size // volume.dtype.size
    if volume.shape[-1] % per_element:
        return volume
    shape = tf.shape(volume)
    elements = (volume.shape[-1] // per_element, per_element)
    split = tf.reshape(volume, tf.concat([shape[:-1], elements], axis=0))
    return tf.bitcast(split, WIDE)
