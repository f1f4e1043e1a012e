"""Splits by subject: no subject is in two of them."""

from collections import Counter
from collections.abc import Mapping, Sequence

from spinet_tf.errors import InputError


def split_by_fractions(
    subjects: Sequence[str], fractions: Mapping[str, float]
) -> dict[str, list[str]]:
    """Deals consecutive subjects out to splits.

    Each split gets its share, rounded, and at least one subject; the first split gets
    the rest.

    Args:
        subjects: names, in order.
        fractions: share of each split, all above 0, 1 in all.

    Returns:
        The subjects of each split.

    Raises:
        InputError: if the fractions are unusable or there are too few subjects.
    """
    shares = list(fractions.values())
    if not shares or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise InputError(
            f"fractions: expected shares above 0 that add up to 1, got {fractions}"
        )
    if len(subjects) < len(fractions):
        raise InputError(
            f"{len(subjects)} subjects ({', '.join(subjects)}) are too few: at least"
            f" {len(fractions)} subjects are needed, one for each split"
        )
    counts = [max(1, round(share * len(subjects))) for share in shares]
    counts[0] = len(subjects) - sum(counts[1:])
    if counts[0] < 1:
        raise InputError(
            f"fractions: {len(subjects)} subjects ({', '.join(subjects)}) are too few"
            f" for {fractions}"
        )
    remaining = iter(subjects)
    return {
        split: [next(remaining) for _ in range(count)]
        for split, count in zip(fractions, counts, strict=True)
    }


def split_by_lists(
    subjects: Sequence[str], lists: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Takes the splits as they are listed; subjects not listed are left out.

    Args:
        subjects: names of those there are.
        lists: names for each split.

    Returns:
        The subjects of each split.

    Raises:
        InputError: if a list is empty, or a subject is not there or listed twice.
    """
    empty = [split for split, names in lists.items() if not names]
    if empty:
        raise InputError(f"subjects: none listed for {', '.join(empty)}")
    counts = Counter(name for names in lists.values() for name in names)
    missing = sorted(set(counts) - set(subjects))
    if missing:
        raise InputError(
            f"subjects: {', '.join(missing)} not found among {', '.join(subjects)}"
        )
    repeated = sorted(name for name, count in counts.items() if count > 1)
    if repeated:
        raise InputError(f"subjects: {', '.join(repeated)} listed more than once")
    return {split: list(names) for split, names in lists.items()}
