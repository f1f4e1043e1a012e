"""What a served graph refuses, told by the graph itself.

A model server runs the graph and nothing else; without these checks a wrong shape
would come back as an error of some slice deep inside it, and a NaN as a map.
"""

import tensorflow as tf

VOXEL_SIZES = (0.01, 100.0)  # [mm]
LENGTHS = (1e-3, 1e3)  # of B0's largest component; of a unit vector it is 0.58 to 1
AXES = {
    "local_field": ("batch", "x", "y", "z"),
    "mask": ("batch", "x", "y", "z"),
    "voxel_size": ("batch", "3"),
    "b0_direction": ("batch", "3"),
}


def checked(inputs, max_voxels):
    """Inputs that are only there if they make sense.

    Args:
        inputs: dict of float32 tensors, `local_field` and `mask` `(batch, x, y, z)`,
            `voxel_size` and `b0_direction` `(batch, 3)`; at run time they may be of
            any shape.
        max_voxels: int, limit of batch * x * y * z.

    Returns:
        dict like `inputs`; evaluating it raises `tf.errors.InvalidArgumentError`, with
        a message that names the input, where a check fails.
    """
    inputs = {name: _of_any_shape(value) for name, value in inputs.items()}
    with tf.control_dependencies(
        [_check_rank(name, value) for name, value in inputs.items()]
    ):
        inputs = _identities(inputs)
    with tf.control_dependencies(_check_shapes(inputs, max_voxels)):
        inputs = _identities(inputs)
    with tf.control_dependencies(_check_values(inputs)):
        inputs = _identities(inputs)
    return {
        name: tf.ensure_shape(value, [None, 3] if len(AXES[name]) == 2 else [None] * 4)
        for name, value in inputs.items()
    }


def checked_field(local_field):
    """A local field on its own, whose mask is where it is not zero.

    Args:
        local_field: float32 `(batch, x, y, z)` [ppm].

    Returns:
        `local_field`; evaluating it raises `tf.errors.InvalidArgumentError` where it
        is of another rank or zero everywhere.
    """
    value = _of_any_shape(local_field)
    with tf.control_dependencies([_check_rank("local_field", value)]):
        value = tf.ensure_shape(value, [None] * 4)
        anywhere = tf.reduce_any(value != 0, axis=[1, 2, 3])
    check = _require(tf.reduce_all(anywhere), "local_field: it is zero everywhere")
    with tf.control_dependencies([check]):
        return tf.identity(value)


def checked_result(susceptibility):
    """A result that is only there if it is finite.

    Args:
        susceptibility: float32 tensor [ppm].

    Returns:
        `susceptibility`; evaluating it raises `tf.errors.InvalidArgumentError` where
        it holds NaN or infinity.
    """
    check = _require(
        _finite(susceptibility),
        "susceptibility: the result is not finite; is local_field in ppm?",
    )
    with tf.control_dependencies([check]):
        return tf.identity(susceptibility)


def _identities(inputs):
    return {name: tf.identity(value) for name, value in inputs.items()}


def _of_any_shape(value):
    """The tensor without its static shape, by which a check would be optimized away."""
    return tf.raw_ops.PlaceholderWithDefault(input=value, shape=tf.TensorShape(None))


def _require(condition, message, *data):
    return tf.debugging.Assert(condition, [message, *data], summarize=4)


def _finite(value):
    return tf.reduce_all(tf.math.is_finite(value))


def _check_rank(name, value):
    axes = AXES[name]
    return _require(
        tf.equal(tf.size(tf.shape(value)), len(axes)),
        f"{name}: expected the axes ({', '.join(axes)}), got the shape",
        tf.shape(value),
    )


def _check_shapes(inputs, max_voxels):
    field_shape = tf.shape(inputs["local_field"])
    voxels = tf.reduce_prod(tf.cast(field_shape, tf.int64))
    checks = [
        _require(
            field_shape[0] > 0, "local_field: the batch is empty, shape", field_shape
        ),
        _require(
            voxels <= max_voxels,
            f"local_field: expected at most {max_voxels} voxels in all, got the shape",
            field_shape,
        ),
        _require(
            tf.reduce_all(tf.equal(tf.shape(inputs["mask"]), field_shape)),
            "mask: expected the shape of local_field, got",
            tf.shape(inputs["mask"]),
            field_shape,
        ),
    ]
    for name in ("voxel_size", "b0_direction"):
        shape = tf.shape(inputs[name])
        expected = tf.stack([field_shape[0], 3])
        checks.append(
            _require(
                tf.reduce_all(tf.equal(shape, expected)),
                f"{name}: expected the shape (batch, 3), got",
                shape,
                expected,
            )
        )
    return checks


def _check_values(inputs):
    mask = inputs["mask"]
    checks = [
        _require(_finite(value), f"{name}: expected finite values, got NaN or infinity")
        for name, value in inputs.items()
    ]
    return [
        *checks,
        _require(
            tf.reduce_all(tf.equal(mask, 0) | tf.equal(mask, 1)),
            "mask: expected 0 and 1, got other values",
        ),
        _require(
            tf.reduce_all(tf.reduce_any(mask > 0, axis=[1, 2, 3])),
            "mask: expected at least one voxel inside, got an empty mask",
        ),
        _require(
            _within(inputs["voxel_size"], VOXEL_SIZES),
            f"voxel_size: expected {VOXEL_SIZES[0]:g} to {VOXEL_SIZES[1]:g} mm, got",
            inputs["voxel_size"],
        ),
        _require(
            _within(tf.reduce_max(tf.abs(inputs["b0_direction"]), axis=-1), LENGTHS),
            "b0_direction: expected a vector with a largest component of"
            f" {LENGTHS[0]:g} to {LENGTHS[1]:g}, got",
            inputs["b0_direction"],
        ),
    ]


def _within(values, limits):
    low, high = limits
    return tf.reduce_all((values >= low) & (values <= high))
