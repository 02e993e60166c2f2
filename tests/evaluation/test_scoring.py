"""Scoring by the rules of DAVIS: official numbers, golden cases, pools, and what goes wrong."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from plain_measures import plain_f, plain_j
from squares import EACH, ONE, array_sequence, save, square, squares

from vossegment.data.davis import davis_sequences
from vossegment.data.sequence import FileSequence, Sequence
from vossegment.errors import DataError, VossegmentError
from vossegment.evaluation.benchmarks import Scores
from vossegment.evaluation.measures import Statistics
from vossegment.evaluation.scores import Measured, SequenceScores
from vossegment.evaluation.scoring import score, score_sequence
from vossegment.evaluation.workers import in_order
from vossegment.tracking.types import LabelMap

REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference" / "davis_metrics"
needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"no official numbers in {REFERENCE}")


def assert_measured(found: Measured, expected: dict[str, Any], measure: str) -> None:
    assert list(found.frames) == pytest.approx(expected[measure], abs=1e-9, rel=0)
    for field in ("mean", "recall", "decay"):
        value = getattr(found.statistics, field)
        assert value == pytest.approx(expected[f"{measure}_{field}"], abs=1e-9, rel=0)


def assert_global(scores: Scores, expected: dict[str, float]) -> None:
    for measure, found in (("J", scores.region), ("F", scores.contour)):
        values = (found.mean, found.recall, found.decay)
        wanted = [expected[f"{measure}-{field}"] for field in ("Mean", "Recall", "Decay")]
        assert values == pytest.approx(wanted, abs=1e-9, rel=0)


@needs_reference
@pytest.mark.parametrize("jobs", [1, 2])
def test_official_merged_scores(jobs: int) -> None:
    """All ten made sequences by the rule of 2016: globally, per sequence, per frame; here and in a pool."""
    expected = json.loads((REFERENCE / "expected.json").read_text())["davis2016_merged"]
    sequences = davis_sequences(REFERENCE / "DAVIS", None, 2016, images=False)
    scores = score(sequences, REFERENCE / "results", ONE, jobs=jobs)
    assert {part.name for part in scores.sequences} == set(expected["sequences"])
    for part in scores.sequences:
        assert_measured(part.objects[0].region, expected["sequences"][part.name], "J")
        assert_measured(part.objects[0].contour, expected["sequences"][part.name], "F")
    assert_global(scores, expected["global"])


@needs_reference
def test_official_scores_of_each_object() -> None:
    """The 23 objects by the rule of 2017: gaps, late labels, void, objects that leave and enter."""
    expected = json.loads((REFERENCE / "expected.json").read_text())["davis2017"]
    sequences = davis_sequences(REFERENCE / "DAVIS", "val", 2017, images=False)
    scores = score(sequences, REFERENCE / "results", EACH, jobs=1)
    assert [part.name for part in scores.sequences] == list(expected["sequences"])
    for part in scores.sequences:
        objects = expected["sequences"][part.name]["objects"]
        assert [str(item.id) for item in part.objects] == list(objects)
        for item in part.objects:
            assert_measured(item.region, objects[str(item.id)], "J")
            assert_measured(item.contour, objects[str(item.id)], "F")
    assert_global(scores, expected["global"])


@pytest.mark.parametrize("seed", range(12))
def test_random_label_maps(seed: int) -> None:
    """Several objects, void, gaps and nothing at all, by both rules: what the slow version says of each mask."""
    random = np.random.default_rng(seed)
    ids = random.choice([0, 0, 1, 2, 4, 255], (6, 2, 9, 13), p=[0.3, 0.2, 0.2, 0.15, 0.1, 0.05]).astype(np.uint8)
    maps = [cv2.resize(labels, (26, 18), interpolation=cv2.INTER_NEAREST) for labels in ids.reshape(12, 9, 13)]
    truth, given = maps[:6], [np.where(labels == 255, 0, labels).astype(np.uint8) for labels in maps[6:]]
    truth[seed % 6][2:] = 0
    truth[0][0, 0] = 4
    sequence = array_sequence("random", truth)
    each = score_sequence(sequence, given, EACH)
    assert [item.id for item in each.objects] == [1, 2, 3, 4]
    for item in each.objects:
        pairs = [(t == item.id, g == item.id) for t, g in zip(truth[1:-1], given[1:-1], strict=True)]
        assert item.region.frames == pytest.approx([plain_j(t, g) for t, g in pairs], abs=1e-12)
        assert item.contour.frames == pytest.approx([plain_f(t, g) for t, g in pairs], abs=1e-12)
    (merged,) = score_sequence(sequence, given, ONE).objects
    pairs = [(t != 0, g != 0) for t, g in zip(truth[1:-1], given[1:-1], strict=True)]
    assert merged.region.frames == pytest.approx([plain_j(t, g) for t, g in pairs], abs=1e-12)
    assert merged.contour.frames == pytest.approx([plain_f(t, g) for t, g in pairs], abs=1e-12)


def test_golden_scores(tmp_path: Path) -> None:
    """Squares of 4 pixels moved by 1, 2 and 3: J is 12/20, 8/24 and 4/28."""
    sequences, results = squares(tmp_path)
    seen: list[str] = []
    scores = score(sequences, results, ONE, jobs=1, on_sequence=lambda part: seen.append(part.name))
    assert seen == ["b", "a"]
    region = scores.sequences[0].objects[0].region
    assert region.frames == (12 / 20, 8 / 24, 4 / 28)
    assert region.statistics == Statistics(
        mean=(12 / 20 + 8 / 24 + 4 / 28) / 3, recall=1 / 3, decay=(12 / 20 + 8 / 24) / 2 - 4 / 28
    )
    # The tolerance is one pixel at this size.
    assert scores.sequences[0].objects[0].contour.frames[:2] == (1.0, 10 / 16)
    assert scores.region == scores.sequences[0].region == region.statistics


def test_pool_gives_the_same_in_order(tmp_path: Path) -> None:
    """Two processes answer in the order asked, bit for bit."""
    sequences, results = squares(tmp_path, ("c", "a", "b"))
    seen: list[str] = []
    pooled = score(sequences, results, ONE, jobs=2, on_sequence=lambda part: seen.append(part.name))
    assert pooled == score(sequences, results, ONE, jobs=1)
    assert seen == ["c", "a", "b"]


def test_first_error_in_order_from_a_pool(tmp_path: Path) -> None:
    """Errors cross the processes as they are."""
    sequences, results = squares(tmp_path, ("a", "b"))
    for name in "ab":
        save(results / name / "00002.png", square(8, size=(10, 30)))
    with pytest.raises(DataError, match=r"a.00002\.png: 30x10 pixels"):
        score(sequences, results, ONE, jobs=2)


def ends_elsewhere(here: int) -> None:
    """Ends its process, unless that is ``here``."""
    time.sleep(0.2)
    if os.getpid() != here:
        os._exit(3)


def test_dead_process_is_reported() -> None:
    """A process that the system ends is an error of ours, with a way out."""
    with pytest.raises(VossegmentError, match="jobs=1"):
        list(in_order(ends_elsewhere, [(os.getpid(),)] * 40, 2))


def test_first_and_last_result_need_not_exist(tmp_path: Path) -> None:
    """Only frames that count are read."""
    sequences, results = squares(tmp_path, ("a",))
    expected = score(sequences, results, ONE, jobs=1)
    (results / "a" / "00000.png").unlink()
    (results / "a" / "00004.png").write_bytes(b"no picture")
    assert score(sequences, results, ONE, jobs=1) == expected


def test_results_bear_the_names_of_the_frames(tmp_path: Path) -> None:
    """Frames that start at 7 have results that start at 7."""
    sequences, results = squares(tmp_path, ("a",))
    images = tuple(Path(f"{index + 7:05d}.jpg") for index in range(5))
    renamed = FileSequence("a", images, sequences[0].label_paths, {1: 0}, merged=True)
    with pytest.raises(DataError, match=r"00008|00009|00010"):
        score([renamed], tmp_path / "results", ONE, jobs=1)
    for index in reversed(range(5)):
        (results / "a" / f"{index:05d}.png").rename(results / "a" / f"{index + 7:05d}.png")
    assert score([renamed], results, ONE, jobs=1).region.mean == pytest.approx((12 / 20 + 8 / 24 + 4 / 28) / 3)


def test_memory_and_folder_agree(tmp_path: Path) -> None:
    """Label maps from a tracker score as their files do, one by one and through a function."""
    sequences, results = squares(tmp_path, ("a", "b"))
    from_folder = score(sequences, results, ONE, jobs=1)

    def track(sequence: Sequence) -> Iterator[LabelMap]:
        return (square(8 + index, label=7) for index in range(len(sequence)))

    assert score_sequence(sequences[0], track(sequences[0]), ONE) == from_folder.sequences[0]
    assert score(sequences, track, ONE) == from_folder


def test_merged_rule_ignores_identities() -> None:
    """Void counts as object by the rule of 2016, and swapped identities do not matter."""
    truth = square(8) + square(16, 2) + square(24, 255)
    swapped = square(8, 2) + square(16, 9) + square(24, 1)
    maps = [truth] * 4
    assert score_sequence(array_sequence("a", maps), [swapped] * 4, ONE).region.mean == 1.0


def test_object_rule() -> None:
    """Objects count up to the highest number of frame 0, gaps too; later ones and void do not."""
    first = square(8) + square(16, 3)
    later = first + square(24, 4)
    void = first + square(24, 255)
    sequence = array_sequence("a", [first, later, void, first])
    found = score_sequence(sequence, [first, first, first, first], EACH)
    assert [item.id for item in found.objects] == [1, 2, 3]
    assert [item.region.frames for item in found.objects] == [(1.0, 1.0)] * 3
    assert found.contour.mean == 1.0
    missed = score_sequence(sequence, [first, square(8), square(8), first], EACH)
    assert [item.region.statistics.mean for item in missed.objects] == [1.0, 1.0, 0.0]


def test_global_is_the_mean_over_objects() -> None:
    """A sequence of two objects weighs twice one of a single object."""

    def part(name: str, *means: float) -> SequenceScores:
        maps = [square(8) * 0] * 3
        for number in range(1, len(means) + 1):
            maps = [labels + square(6 * number, number) for labels in maps]
        results = [labels.copy() for labels in maps]
        for number, mean in enumerate(means, start=1):
            if not mean:
                results = [np.where(labels == number, 0, labels).astype(np.uint8) for labels in results]
        return score_sequence(array_sequence(name, maps), results, EACH)

    scores = Scores(EACH, (part("a", 1, 0), part("b", 1)))
    assert scores.sequences[0].region.mean == 0.5
    assert scores.region.mean == pytest.approx(2 / 3)
    assert scores.contour.recall == pytest.approx(2 / 3)


# What goes wrong
