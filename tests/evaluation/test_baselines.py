"""The first answer held still."""

from __future__ import annotations

import numpy as np
import pytest

from vossegment.data.sequence import ArraySequence
from vossegment.errors import DataError
from vossegment.evaluation.baselines import BASELINES, static_box, static_mask
from vossegment.evaluation.benchmarks import BENCHMARKS
from vossegment.evaluation.scoring import score
from vossegment.tracking.types import LabelMap


def drawn(*rows: str) -> LabelMap:
    return np.array([[int(sign) for sign in row.replace(".", "0")] for row in rows], dtype=np.uint8)


FIRST = drawn(
    ".......",
    ".11....",
    "..11...",
    "...22..",
    "....22.",
)


def sequence(objects: dict[int, int], *maps: LabelMap | None) -> ArraySequence:
    images = tuple(np.zeros((*FIRST.shape, 3), dtype=np.uint8) for _ in maps)
    return ArraySequence("drawn", images, maps, objects)


def test_static_mask() -> None:
    """Frame 0's mask, once a frame, whatever comes later."""
    still = sequence({1: 0, 2: 0}, FIRST, None, None)
    held = list(static_mask(still))
    assert len(held) == 3
    for labels in held:
        np.testing.assert_array_equal(labels, FIRST)


def test_static_box() -> None:
    """Tight boxes, filled; where they overlap the smaller is on top."""
    for labels in static_box(sequence({1: 0, 2: 0}, FIRST, None)):
        expected = drawn(".......", ".111...", ".111...", "...222.", "...222.")
        np.testing.assert_array_equal(labels, expected)
    around = drawn("1111111", "1.....1", "1..2..1", "1.....1", "1111111")
    for labels in static_box(sequence({2: 0, 1: 0}, around)):
        np.testing.assert_array_equal(labels, drawn("1111111", "1111111", "1112111", "1111111", "1111111"))


def test_objects_that_enter_late() -> None:
    """An object is held from its own first frame on."""
    only_first = np.where(FIRST == 1, FIRST, 0).astype(np.uint8)
    late = sequence({1: 0, 2: 1}, only_first, FIRST, None)
    held = list(static_mask(late))
    np.testing.assert_array_equal(held[0], only_first)
    np.testing.assert_array_equal(held[1], FIRST)
    np.testing.assert_array_equal(held[2], FIRST)


def test_nothing_to_hold() -> None:
    """Without objects, or with an empty first mask, the maps are empty."""
    empty = np.zeros_like(FIRST)
    for name in BASELINES:
        assert not np.any(list(BASELINES[name](sequence({}, FIRST, None))))
        assert not np.any(list(BASELINES[name](sequence({1: 0}, empty, None))))


def test_no_first_mask() -> None:
    """Without a truth there is no baseline."""
    with pytest.raises(DataError, match="drawn: no truth for frame 0"):
        list(static_box(sequence({1: 0}, None, FIRST)))


@pytest.mark.parametrize("jobs", [None, 1, 2])
def test_scored_like_any_result(jobs: int | None) -> None:
    """In this process and in others."""
    still = [sequence({1: 0, 2: 0}, FIRST, FIRST, FIRST)] * 2
    benchmark = BENCHMARKS["davis2017"]
    assert score(still, static_mask, benchmark, jobs=jobs).region.mean == 1.0
    # 4 of the 6 pixels of either box.
    assert score(still, static_box, benchmark, jobs=jobs).region.mean == pytest.approx(4 / 6)
