"""What a CNN makes of a volume that is the same everywhere, and where it is needed.

Convolutions with zeros around the volume make it differ near the faces only, no deeper
than the CNN reaches. A background is therefore kept as it is for the smallest volume
that has everything: both faces of each axis and a voxel between them that none of them
reaches. Each voxel of a larger volume equals one of it.
"""

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


def background_in(box, background, matrix_size, first_axis=0):
    """The background of a volume in a box of it.

    Args:
        box: int32 `(2, 3)`, first voxel and the one after the last.
        background: `(1, x, y, z, channel)` of `background_size`.
        matrix_size: int32 `(3,)`, of the volume.
        first_axis: int, along which the box is the thinnest; it is no slower then.
            Defaults to 0.

    Returns:
        `(1, x, y, z, channel)` of the box's size.
    """
    edges = tf.shape(background)[1:4]
    for axis in (first_axis, *({0, 1, 2} - {first_axis})):
        middle = edges[axis] // 2
        position = tf.range(box[0, axis], box[1, axis])
        from_end = position - (matrix_size[axis] - edges[axis])
        index = tf.maximum(tf.minimum(position, middle), from_end)
        background = tf.gather(background, index, axis=axis + 1)
    return background


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
    shape = tf.shape(wide)
    ends = tf.clip_by_value(keep, frame[0], frame[1])
    for axis in range(3):
        here = tf.constant([i == axis for i in range(3)])
        for low, high in ((frame[0], ends[0]), (ends[1], frame[1])):
            slab = tf.where(here, (low, high), frame)
            values = background_in(slab, background, matrix_size, axis)
            begin, end = tf.unstack((slab - frame[0])[:, axis])
            wide = _write_slab(wide, axis, begin, end, values)
    wide = tf.reshape(wide, shape)
    if wide.dtype != volume.dtype:
        wide = tf.bitcast(wide, volume.dtype)
    return tf.ensure_shape(tf.reshape(wide, tf.shape(volume)), volume.shape)


def _write_slab(volume, axis, begin, end, values):
    """Write `values` from `begin` to before `end` along an axis."""
    shape = tf.shape(volume)
    rows, row = tf.reduce_prod(shape[: axis + 1]), tf.reduce_prod(shape[axis + 2 :])
    # In place where nothing else uses the volume, unlike any other way, but slow for
    # each element and dimension.
    written = tf.raw_ops.TensorStridedSliceUpdate(
        input=tf.reshape(volume, (rows, -1)),
        begin=(0, begin * row),
        end=(rows, end * row),
        strides=(1, 1),
        value=tf.reshape(values, (rows, (end - begin) * row)),
    )
    return tf.reshape(written, shape)


def _wide(volume):
    """The same memory in elements of 16 bytes, if channels make whole ones."""
    per_element = WIDE.size // volume.dtype.size
    if volume.shape[-1] % per_element:
        return volume
    shape = tf.shape(volume)
    elements = (volume.shape[-1] // per_element, per_element)
    split = tf.reshape(volume, tf.concat([shape[:-1], elements], axis=0))
    return tf.bitcast(split, WIDE)
