"""The benchmarks beyond DAVIS: which frames and objects count, and what is told besides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from small_sets import jumpcut, segtrack, square, write_binary, write_image, write_mask, youtube

from vossegment.data.jumpcut import jumpcut_clips
from vossegment.data.segtrack import segtrack_sequences
from vossegment.data.sequence import Sequence
from vossegment.data.youtube_vos import youtube_sequences
from vossegment.errors import DataError, InputError
from vossegment.evaluation.benchmarks import BENCHMARKS
from vossegment.evaluation.jumpcut import (
    Part,
    Tracked,
    clip_errors,
    error,
    errors_json,
    from_folder,
    mean_errors,
    parts_of,
)
from vossegment.evaluation.moments import WorstMoments, moments_of, worst_places
from vossegment.evaluation.results import left_over
from vossegment.evaluation.run import save
from vossegment.evaluation.scoring import is_hidden, score, score_sequence
from vossegment.tracking.types import LabelMap

DAVIS, YOUTUBE, SEGTRACK = (BENCHMARKS[name] for name in ("davis2017", "youtubevos", "segtrackv2"))


def exact(sequence: Sequence) -> Iterator[LabelMap]:
    for index in range(len(sequence)):
        labels = sequence.labels(index)
        assert labels is not None
        yield labels


def without(number: int, sequence: Sequence) -> list[LabelMap]:
    return [np.where(labels == number, 0, labels).astype(np.uint8) for labels in exact(sequence)]


def test_rules_in_words() -> None:
    """The report says which frames count."""
    assert DAVIS.rule == "every object of frame 0 for itself; first and last frame left out"
    assert DAVIS.skipping(["last"]).rule.endswith("; last frame left out")
    assert DAVIS.skipping([]).rule.endswith("; all frames count")
    with pytest.raises(InputError, match="unknown frame to skip 'middle'; known: first, last"):
        DAVIS.skipping(["middle"])


def test_skipped_frames(tmp_path: Path) -> None:
    """Frames that are counted are the benchmark's own, or those asked for."""
    segtrack(tmp_path)
    sequence = segtrack_sequences(tmp_path)[0]
    for skip, frames in (((), (0, 1, 2, 3)), (("first",), (1, 2, 3)), (("first", "last"), (1, 2))):
        found = score_sequence(sequence, exact(sequence), SEGTRACK.skipping(skip))
        assert found.objects[0].indices == frames
        assert len(found.objects[0].region.frames) == len(frames)


def test_objects_that_enter_late(tmp_path: Path) -> None:
    """Each counts after its own first frame to the end; the groups' means and their mean are told."""
    youtube(tmp_path, "train", hidden=False)
    sequences = youtube_sequences(tmp_path, "train", only=("late",))
    scores = score(sequences, exact, YOUTUBE)
    assert [item.indices for item in scores.objects] == [(1, 2, 3, 4, 5), (3, 4, 5)]
    assert [item.group for item in scores.objects] == ["seen", "unseen"]
    assert scores.summary == {"J_S": 1, "F_S": 1, "J_U": 1, "F_U": 1, "O": 1}
    scores = score(sequences, lambda sequence: without(2, sequence), YOUTUBE)
    assert scores.summary == {"J_S": 1, "F_S": 1, "J_U": 0, "F_U": 0, "O": 0.5}


def test_an_object_that_enters_last(tmp_path: Path) -> None:
    """It counts nowhere, and may be in the results."""
    truth = youtube(tmp_path, "train", hidden=False)
    meta = json.loads((tmp_path / "train/meta.json").read_text())
    meta["videos"]["plain"]["objects"]["2"] = {"category": "dog", "frames": ["00025"]}
    (tmp_path / "train/meta.json").write_text(json.dumps(meta))
    maps = [*truth["plain"][:-1], truth["plain"][-1] + square(40, 2, 2)]
    (sequence,) = youtube_sequences(tmp_path, "train", only=("plain",))
    assert [item.id for item in score_sequence(sequence, maps, YOUTUBE).objects] == [1]


def test_truth_in_some_frames(tmp_path: Path) -> None:
    """Frames without a truth do not count; an object that has none is left out."""
    youtube(tmp_path, "train", hidden=False)
    for stem in ("00010", "00020", "00025"):
        (tmp_path / f"train/Annotations/plain/{stem}.png").unlink()
    sequences = youtube_sequences(tmp_path, "train", only=("plain",))
    maps = [square(9 + i) for i in range(6)]
    assert score_sequence(sequences[0], maps, YOUTUBE).objects[0].indices == (1, 3)
    save(sequences[0], maps, tmp_path / "r")
    assert score(sequences, tmp_path / "r", YOUTUBE).region.mean == 1


def test_hidden_truth(tmp_path: Path) -> None:
    """Where only entries have a mask, there is nothing to score here."""
    youtube(tmp_path)
    sequences = youtube_sequences(tmp_path, "valid")
    assert all(is_hidden(sequence) for sequence in sequences)
    with pytest.raises(DataError, match="late: no truth after the objects' first frames; a hidden truth"):
        score(sequences, exact, YOUTUBE)
    youtube(tmp_path, "train", hidden=False)
    assert not any(is_hidden(sequence) for sequence in youtube_sequences(tmp_path, "train"))


def test_unknown_object(tmp_path: Path) -> None:
    """An id above the truth's is refused."""
    segtrack(tmp_path)
    sequence = segtrack_sequences(tmp_path)[0]
    maps = [labels * 3 for labels in exact(sequence)]
    with pytest.raises(DataError, match="frame 1: holds object 3, but one has objects 1 to 1"):
        score_sequence(sequence, maps, SEGTRACK)


def test_segtrack_is_told_over_sequences_too(tmp_path: Path) -> None:
    """The official mean is over the objects."""
    segtrack(tmp_path)
    scores = score(segtrack_sequences(tmp_path), lambda sequence: without(2, sequence), SEGTRACK)
    assert scores.region.mean == pytest.approx(2 / 3)
    assert scores.summary == {"J over sequences": pytest.approx(3 / 4)}


def test_folders_of_no_sequence(tmp_path: Path) -> None:
    """They are told, hidden ones apart."""
    segtrack(tmp_path / "data")
    for name in ("one", "two", "three", ".git"):
        (tmp_path / "r" / name).mkdir(parents=True)
    assert left_over(segtrack_sequences(tmp_path / "data"), tmp_path / "r") == ["three"]


# The worst moments


def test_worst_moments(tmp_path: Path) -> None:
    """One an object, the worst first; of equal ones, the earliest. A run and its saved masks show the same."""
    segtrack(tmp_path / "data")
    sequences = segtrack_sequences(tmp_path / "data")
    maps = {
        "one": [square(5 + i) if i != 2 else square(9) for i in range(4)],
        "two": without(2, sequences[1]),
    }
    worst = WorstMoments(SEGTRACK, most=2)
    for sequence in sequences:
        part = score_sequence(sequence, maps[sequence.name], SEGTRACK)
        worst.add(sequence, part, maps[sequence.name])
        save(sequence, maps[sequence.name], tmp_path / "r")
    shown = [(m.sequence, m.id, m.index, round(m.region, 3)) for m in worst.moments]
    assert shown == [("two", 2, 1, 0.0), ("one", 1, 2, round(48 / 80, 3))]
    scores = score(sequences, tmp_path / "r", SEGTRACK)
    again = moments_of(scores, sequences, tmp_path / "r", most=2)
    assert [(m.sequence, m.id, m.index, round(m.region, 3)) for m in again] == shown
    for ours, other in zip(worst.moments, again, strict=True):
        np.testing.assert_array_equal(ours.predicted, other.predicted)
        np.testing.assert_array_equal(ours.truth, other.truth)
        assert ours.image is not None
    assert not list(worst_places(score_sequence(sequences[0], exact(sequences[0]), SEGTRACK)))


def test_moments_of_colours(tmp_path: Path) -> None:
    """Where objects are merged, results of any colour are scored, and shown."""
    segtrack(tmp_path / "data")
    sequence = segtrack_sequences(tmp_path / "data")[0]
    for i in range(4):
        path = tmp_path / f"r/one/one_{i + 1:03d}.png"
        write_binary(path, square(9), value=77)
    scores = score([sequence], tmp_path / "r", BENCHMARKS["davis2016"])
    assert [m.index for m in moments_of(scores, [sequence], tmp_path / "r")] == [1]


def test_moments_without_pictures(tmp_path: Path) -> None:
    """Masks alone are shown, too."""
    segtrack(tmp_path / "data")
    (tmp_path / "data/JPEGImages").rename(tmp_path / "elsewhere")
    sequences = segtrack_sequences(tmp_path / "data", images=False)
    worst = WorstMoments(SEGTRACK, most=1)
    maps = without(1, sequences[0])
    worst.add(sequences[0], score_sequence(sequences[0], maps, SEGTRACK), maps)
    assert worst.moments[0].image is None
    (tmp_path / "elsewhere").rename(tmp_path / "data/JPEGImages")
    for path in (tmp_path / "data/JPEGImages/one").iterdir():
        write_image(path, np.zeros((5, 5), np.uint8))
    worst = WorstMoments(SEGTRACK, most=1)
    worst.add(sequences[0], score_sequence(sequences[0], maps, SEGTRACK), maps)
    assert worst.moments[0].image is None  # of another size


# JumpCut


@pytest.mark.parametrize(("predicted", "expected"), [(square(5), 0.0), (square(7), 0.5), (square(5) * 0, 1.0)])
def test_error(predicted: LabelMap, expected: float) -> None:
    """Wrong pixels by the object's; there may be more of them than it has."""
    assert error(square(5), predicted) == expected
    assert error(square(5), np.ones_like(predicted)) == pytest.approx((40 * 60 - 64) / 64)
    assert error(square(5) * 0, predicted) is None


def test_jumpcut(tmp_path: Path) -> None:
    """From frames 0 and 16 of 40, as far as the clip goes; a mask that stays is wrong by how far the square went."""
    jumpcut(tmp_path)
    (clip,) = jumpcut_clips(tmp_path)
    assert [(part.begin, len(part)) for part in parts_of(clip)] == [(0, 33), (16, 24)]
    tracked = Tracked(lambda part: [square(2 + part.begin + min(i, 4)) for i in range(len(part))], tmp_path / "r")
    found = clip_errors(clip, tracked)
    assert found.errors == {8: {0: 2 * 4 / 8, 16: 1.0}, 16: {0: 2.0, 16: 2.0}, 32: {0: 2.0}}
    assert mean_errors([found]) == {8: 1.0, 16: 2.0, 32: 2.0}
    assert tracked.frames == 33 + 24
    assert clip_errors(clip, from_folder(tmp_path / "r")) == found
    content = errors_json([found], {"model": None})
    assert content["global"] == {"error@8": 1.0, "error@16": 2.0, "error@32": 2.0}
    assert content["sequences"]["slide"]["keys"]["8"] == {"0": 1.0, "16": 1.0}
    (tmp_path / "r/slide/00016/00024.png").unlink()
    with pytest.raises(DataError, match=r"00016.00024\.png: no such file"):
        clip_errors(clip, from_folder(tmp_path / "r"))
    write_mask(tmp_path / "r/slide/00016/00024.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(DataError, match="slide, frame 24 from 16: 4x4 pixels, wanted the truth's 60x40"):
        clip_errors(clip, from_folder(tmp_path / "r"))


def test_a_part_is_a_sequence(tmp_path: Path) -> None:
    """It begins at its key frame."""
    jumpcut(tmp_path)
    part = Part(jumpcut_clips(tmp_path)[0], 16, 10)
    assert (part.name, len(part), part.objects) == ("slide", 10, {1: 0})
    np.testing.assert_array_equal(part.labels(0), square(18))
    assert part.image(0).shape == (40, 60, 3)
