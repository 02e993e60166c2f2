"""A tracker run over sequences, its masks kept and scored."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from collections.abc import Sequence as ListOf
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vossegment.data.sequence import ArraySequence, Sequence
from vossegment.errors import DataError, OutputError
from vossegment.evaluation.baselines import BASELINES, static_mask
from vossegment.evaluation.benchmarks import BENCHMARKS
from vossegment.evaluation.run import begin, evaluate
from vossegment.evaluation.scores import SequenceScores
from vossegment.evaluation.scoring import score, score_beside
from vossegment.tracking.types import LabelMap

ONE = BENCHMARKS["davis2016"]


def moving(name: str, frames: int = 5) -> ArraySequence:
    maps = []
    for index in range(frames):
        labels = np.zeros((20, 30), dtype=np.uint8)
        labels[8:12, 8 + index : 12 + index] = 1
        maps.append(labels)
    return ArraySequence(name, (np.zeros((20, 30, 3), dtype=np.uint8),) * frames, tuple(maps), {1: 0})


def exact(sequence: Sequence) -> Iterator[LabelMap]:
    for index in range(len(sequence)):
        labels = sequence.labels(index)
        assert labels is not None
        yield labels


def test_evaluate() -> None:
    """Scores in order, a call after each sequence, every frame counted in the speed."""
    seen: list[str] = []

    def slow(sequence: Sequence) -> Iterator[LabelMap]:
        time.sleep(0.05)
        return exact(sequence)

    def told(sequence: Sequence, part: SequenceScores, labels: ListOf[LabelMap]) -> None:
        assert sequence.name == part.name
        assert len(labels) == len(sequence)
        seen.append(part.name)

    found = evaluate([moving("b"), moving("a", 4)], slow, ONE, on_sequence=told)
    assert seen == [part.name for part in found.scores.sequences] == ["b", "a"]
    assert found.scores.region.mean == found.scores.contour.mean == 1.0
    assert found.frames == 9
    assert found.seconds > 0.09
    assert found.end_to_end_fps == 9 / found.seconds


def test_saved_masks_score_the_same(tmp_path: Path) -> None:
    """What is written is what was scored: one indexed PNG a frame, the first and last too."""
    sequences = [moving("a"), moving("b", 4)]
    found = evaluate(sequences, static_mask, ONE, save_to=tmp_path / "results")
    assert score(sequences, tmp_path / "results", ONE, jobs=1) == found.scores
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*"))
    assert files == [f"results/a/{index:05d}.png" for index in range(5)] + [
        f"results/b/{index:05d}.png" for index in range(4)
    ]
    with Image.open(tmp_path / "results" / "a" / "00000.png") as picture:
        assert (picture.mode, picture.size) == ("P", (30, 20))
        assert picture.getpalette()[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]


def test_incomplete_truth_is_found_first() -> None:
    """Nothing is tracked where the last sequence cannot be scored."""
    with pytest.raises(DataError, match="short: 2 frames"):
        evaluate([moving("a"), moving("short", 2)], lambda sequence: pytest.fail("tracked"), ONE)


def test_tracker_that_stops_early() -> None:
    """A map for every frame, or an error."""
    with pytest.raises(DataError, match="a: 3 label maps, wanted one for each of 5 frames"):
        evaluate([moving("a")], lambda sequence: list(exact(sequence))[:3], ONE)


def test_unwritable_folder(tmp_path: Path) -> None:
    """A file in the folder's place."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="taken"):
        evaluate([moving("a")], exact, ONE, save_to=tmp_path / "taken")


def test_baselines() -> None:
    """Both, by name, as they score by themselves, in this process and in others."""
    sequences = [moving("a"), moving("b")]
    found = evaluate(sequences, exact, ONE).baselines
    assert list(found) == ["static_box", "static_mask"]
    assert found["static_mask"].sequences[0].objects[0].region.frames == (12 / 20, 8 / 24, 4 / 28)
    assert score_beside(sequences, BASELINES, ONE, jobs=2) == found
    assert score(sequences, static_mask, ONE) == found["static_mask"]


def test_no_torch() -> None:
    """Scoring masks does not load torch."""
    code = "import sys; from vossegment.evaluation import report, run; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_resume(tmp_path: Path) -> None:
    """What an interrupted run has left is not tracked again, and scores the same; a sequence half done is."""
    sequences = [moving("a"), moving("b", 4)]
    whole = evaluate(sequences, static_mask, ONE, save_to=tmp_path)
    (tmp_path / "b" / "00003.png").unlink()
    tracked: list[str] = []

    def told(sequence: Sequence) -> Iterator[LabelMap]:
        tracked.append(sequence.name)
        return static_mask(sequence)

    again = evaluate(sequences, told, ONE, save_to=tmp_path, resume=True)
    assert tracked == ["b"]
    assert (again.scores, again.baselines) == (whole.scores, whole.baselines)
    assert again.frames == 4
    nothing = evaluate(sequences, told, ONE, save_to=tmp_path, resume=True)
    assert (nothing.frames, nothing.end_to_end_fps) == (0, 0.0)


def test_whose_masks(tmp_path: Path) -> None:
    """A folder takes one run's masks: the same goes on if told so, another is refused unless it may write over them."""
    run = {"name": "guided", "start": "box"}
    assert not begin(tmp_path / "m", run, resume=True)
    assert begin(tmp_path / "m", run, resume=True)
    with pytest.raises(OutputError, match="use --resume"):
        begin(tmp_path / "m", run)
    other = {**run, "start": "mask"}
    with pytest.raises(OutputError, match="another run"):
        begin(tmp_path / "m", other, resume=True)
    assert not begin(tmp_path / "m", other, resume=True, overwrite=True)
    assert begin(tmp_path / "m", other, resume=True)
