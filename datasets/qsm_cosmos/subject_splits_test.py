"""No subject is in two splits, and none is lost."""

import pytest

from datasets.qsm_cosmos.subject_splits import split_by_fractions, split_by_lists
from spinet_tf.errors import InputError

FRACTIONS = {"train": 0.8, "validation": 0.1, "test": 0.1}
SUBJECTS = [f"sub-{number:02}" for number in range(1, 13)]


@pytest.mark.parametrize("count", range(3, 41))
def test_fractions_deal_every_subject_out_once(count):
    subjects = [f"sub-{number:02}" for number in range(count)]
    splits = split_by_fractions(subjects, FRACTIONS)
    assert [name for names in splits.values() for name in names] == subjects
    assert list(splits) == list(FRACTIONS)
    for split, share in FRACTIONS.items():
        assert len(splits[split]) >= 1
        assert abs(len(splits[split]) - share * count) <= 1.5


def test_unusable_fractions_are_refused():
    for fractions in (
        {},
        {"train": 0.9},
        {"train": 0.9, "test": 0.2},
        {"train": 1.0, "test": 0.0},
    ):
        with pytest.raises(InputError, match="add up to 1"):
            split_by_fractions(SUBJECTS, fractions)
    with pytest.raises(InputError) as refused:
        split_by_fractions(SUBJECTS[:2], FRACTIONS)
    assert str(refused.value) == (
        "2 subjects (sub-01, sub-02) are too few: at least 3 subjects are needed, one"
        " for each split"
    )
    unlike = {"train": 0.02, "validation": 0.49, "test": 0.49}
    with pytest.raises(InputError, match="fractions: 4 subjects .* are too few for"):
        split_by_fractions(SUBJECTS[:4], unlike)


def test_lists_are_taken_as_they_are():
    lists = {"train": ("sub-03", "sub-01"), "test": ("sub-02",)}
    assert split_by_lists(SUBJECTS, lists) == {
        "train": ["sub-03", "sub-01"],
        "test": ["sub-02"],
    }


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"train": ("sub-01",), "test": ()}, "none listed for test"),
        ({"train": ("sub-77", "sub-01", "sub-66")}, "sub-66, sub-77 not found among"),
        (
            {"train": ("sub-01", "sub-02"), "test": ("sub-02", "sub-01")},
            "sub-01, sub-02 listed more than once",
        ),
        ({"train": ("sub-04", "sub-04")}, "sub-04 listed more than once"),
    ],
)
def test_unusable_lists_are_refused(lists, message):
    with pytest.raises(InputError, match=message):
        split_by_lists(SUBJECTS, lists)
