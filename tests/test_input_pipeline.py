import itertools

import numpy as np
import pytest
import tensorflow as tf

from datasets.loading import only_coarse
from spinet_tf.errors import InputError
from spinet_tf.field_simulation import FieldErrors, Seeds
from spinet_tf.input_pipeline import Share, training_stream, validation_batches
from spinet_tf.simulate import simulate_field
from spinet_tf.training_example import make_example, random_turn, turned
from tests.stored_examples import stored_examples

COUNT, SIZE = 5, (12, 12, 12)
NO_ERRORS = FieldErrors(1e-9, 1e-9, 0, 0, 0, 0, 0, 0)


@pytest.fixture(scope="module")
def stored():
    return make_stored(SIZE)


def make_stored(size):
    rng = np.random.default_rng(0)
    mask = np.zeros((COUNT, *size), np.uint8)
    mask[:, 2:-2, 1:-2, 2:-3] = 1
    chi = 0.03 * mask * rng.standard_normal(mask.shape)
    sizes = rng.uniform(0.5, 2, (COUNT, 3))
    directions = rng.standard_normal((COUNT, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    geometry = zip(chi, mask, sizes, directions, strict=True)
    fields = [simulate_field(*example) for example in geometry]
    return stored_examples(
        *(chi, mask, 255 * mask, sizes), local_field=fields, b0_direction=directions
    )


def batches(dataset, count):
    return [
        {**{k: v.numpy() for k, v in x.items()}, "truth": y.numpy()}
        for x, y in dataset.take(count)
    ]


def assert_equal(first, second):
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def test_stream_is_a_function_of_the_seed(stored):
    first, again, other = (
        batches(training_stream(stored, FieldErrors(), 2, seed), 6)
        for seed in (1, 1, 2)
    )
    assert_equal(first, again)
    assert np.abs(first[0]["local_field"] - other[0]["local_field"]).max() > 0


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_share_of_measured_fields(stored, share):
    """A measured field is turned only: what its voxels add up to is as stored."""
    of_measured = [float(tf.reduce_sum(x["local_field"] ** 2)) for x in stored]

    def is_measured(batch):
        found = float(np.sum(batch["local_field"] ** 2))
        return np.isclose(found, of_measured, rtol=1e-4).any()

    stream = training_stream(stored, FieldErrors(), 1, 1, measured_fields=share)
    found = [is_measured(batch) for batch in batches(stream, 100)]
    assert abs(np.mean(found) - share) <= (0.1 if 0 < share < 1 else 0)
    checked = validation_batches(stored, FieldErrors(), 0, measured_fields=share)
    for example, batch in zip(stored, batches(checked, COUNT), strict=True):
        same = np.array_equal(batch["local_field"][0, ..., 0], example["local_field"])
        turned_to = np.array_equal(batch["b0_direction"][0], example["b0_direction"])
        assert same == turned_to == (share > 0)


@pytest.mark.parametrize("start", [1, 4, 7])
def test_a_later_start_sees_the_same_batches(stored, start):
    whole = batches(training_stream(stored, FieldErrors(), 2, 0), start + 3)
    resumed = batches(training_stream(stored, FieldErrors(), 2, 0, start=start), 3)
    assert_equal(whole[start:], resumed)


def test_examples_of_fine_voxels_can_be_left_out(stored):
    edges = [float(np.mean(example["voxel_size"])) for example in stored]
    least = sorted(edges)[2]
    coarse = only_coarse(stored, least, "some")
    assert len(coarse) == 3
    found = [float(np.mean(example["voxel_size"])) for example in coarse]
    assert found == [edge for edge in edges if edge >= least]
    with pytest.raises(InputError, match="some: no example has voxels of 9 mm"):
        only_coarse(stored, 9, "some")


def test_shares_make_up_each_batch(stored):
    whole = batches(training_stream(stored, FieldErrors(), 4, 0, start=1), 2)
    # Two processes, the second of which is asked for its batches in two pieces.
    pieces = [
        batches(training_stream(stored, FieldErrors(), 4, 0, start=1, share=share), n)
        for share, n in ((Share(2, 0, 2), 2), (Share(2, 1, 4), 4))
    ]
    assert [len(p["truth"]) for p in pieces[0]] == [2, 2]
    assert [len(p["truth"]) for p in pieces[1]] == [1, 1, 1, 1]
    for index, batch in enumerate(whole):
        parts = [pieces[0][index], *pieces[1][2 * index : 2 * index + 2]]
        fields = {f.tobytes() for part in parts for f in part["local_field"]}
        assert fields == {f.tobytes() for f in batch["local_field"]}


def test_every_example_is_seen_in_each_pass_and_never_twice_the_same(stored):
    seen = batches(training_stream(stored, FieldErrors(), 1, 0), 2 * COUNT)
    masses = [round(float(np.sum(np.abs(b["truth"]))), 3) for b in seen]
    assert len(set(masses[:COUNT])) == COUNT
    assert set(masses[:COUNT]) == set(masses[COUNT:])
    assert masses[:COUNT] != masses[COUNT:]
    fields = {b["local_field"].tobytes() for b in seen}
    assert len(fields) == 2 * COUNT


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("size", "measured"), [(12, 0), (11, 1)])
def test_field_belongs_to_the_geometry(size, measured, training):
    """Flips and swaps must turn the voxel sizes and B0 with the volume.

    The highest frequency of an even size has no sign, so that a measured field cannot
    be turned exactly with an oblique B0.
    """
    for index, example in enumerate(make_stored((size,) * 3)):
        seed = tf.constant([index, 3], tf.int64)
        inputs, truth = make_example(example, NO_ERRORS, seed, training, measured)
        expected = simulate_field(
            truth.numpy()[..., 0],
            inputs["mask"].numpy()[..., 0],
            inputs["voxel_size"].numpy(),
            inputs["b0_direction"].numpy(),
        )
        np.testing.assert_allclose(inputs["local_field"][..., 0], expected, atol=1e-6)


def test_augmentation_reaches_every_orientation():
    marked = np.zeros((3, 3, 3, 1), "float32")
    marked[2, 1, 1], marked[1, 2, 1], marked[1, 1, 2] = 1, 2, 3
    voxel_size = tf.constant([1.0, 2.0, 3.0])
    seen = set()
    for number in range(400):
        turn = random_turn(marked.shape, Seeds(tf.constant([number, 0])))
        volume = turned(tf.constant(marked), turn).numpy()[..., 0]
        size = tf.gather(voxel_size, turn.order).numpy()
        # The axis a mark lies on must carry the voxel size it came with.
        for value in (1, 2, 3):
            offset = np.argwhere(volume == value)[0] - 1
            assert size[np.flatnonzero(offset)[0]] == value
        seen.add(volume.tobytes())
    assert len(seen) == 48


def test_validation_is_the_same_every_time(stored):
    dataset = validation_batches(stored, FieldErrors(), seed=0)
    first, again = (batches(dataset, COUNT) for _ in range(2))
    assert_equal(first, again)
    for example, batch in itertools.zip_longest(stored, first):
        np.testing.assert_array_equal(
            batch["truth"][0, ..., 0], example["susceptibility"]
        )
        np.testing.assert_array_equal(batch["voxel_size"][0], example["voxel_size"])


def test_axes_of_different_lengths_are_not_swapped():
    volumes = tf.constant(np.arange(4 * 4 * 3, dtype="float32").reshape(4, 4, 3, 1))
    voxel_size = tf.constant([1.0, 2.0, 3.0])
    orders = set()
    for number in range(30):
        turn = random_turn(volumes.shape, Seeds(tf.constant([number, 1])))
        assert turned(volumes, turn).shape == volumes.shape
        orders.add(tuple(tf.gather(voxel_size, turn.order).numpy()))
    assert orders == {(1, 2, 3), (2, 1, 3)}
