"""VOT's supervised run of trackers made by code, and its result files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import cv2
import numpy as np
import pytest

from vossegment.data.vot import Region, VotSequence
from vossegment.errors import DataError, InputError, OutputError
from vossegment.evaluation.vot.measures import BEGUN, FAILED, SKIPPED
from vossegment.evaluation.vot.results import read_results, results_path, score_results, write_results
from vossegment.evaluation.vot.supervised import Answer, Begin, scored, supervised


def rectangle(x: float) -> Region:
    return np.array([[x, 20], [x + 20, 20], [x + 20, 40], [x, 40]], np.float64)


@pytest.fixture
def moving(tmp_path: Path) -> VotSequence:
    """METRICS, section 8: a rectangle that moves a pixel a frame for 60 frames."""
    picture = tmp_path / "picture.png"
    cv2.imwrite(str(picture), np.zeros((60, 120, 3), np.uint8))
    return VotSequence("moving", (picture,) * 60, np.stack([rectangle(x) for x in range(60)]))


def follower(*, lost_at: tuple[int, ...] = (), off: float = 0.0) -> Begin:
    """A tracker that knows the truth, ``off`` pixels beside it, and is nowhere in the frames ``lost_at``."""

    def begin(sequence: VotSequence, first: int) -> Generator[Region, None, None]:
        for index in range(first + 1, len(sequence)):
            yield sequence.regions[index] + (500 if index in lost_at else np.array([off, 0]))

    return begin


def codes(answers: tuple[Answer, ...]) -> dict[int, int]:
    return {index: answer for index, answer in enumerate(answers) if isinstance(answer, int)}


def test_scripted_failure(moving: VotSequence) -> None:
    """Codes 1 at 0 and 25, 2 at 20, 0 at 21 to 24; 10 frames of burn-in from each beginning."""
    answers = supervised(moving, follower(lost_at=(20,), off=4))
    assert codes(answers) == {0: BEGUN, 20: FAILED, 21: SKIPPED, 22: SKIPPED, 23: SKIPPED, 24: SKIPPED, 25: BEGUN}
    run = scored(moving, answers)
    assert run.accuracy == pytest.approx(16 / 24)
    assert [value for code, value in zip(run.codes, run.overlaps, strict=True) if code is None] == pytest.approx(
        [16 / 24] * 53
    )


@pytest.mark.parametrize("last", [55, 57, 59])
def test_failure_at_the_end(moving: VotSequence, last: int) -> None:
    """As many frames as there are, whatever is left after the failure."""
    answers = supervised(moving, follower(lost_at=(last,)))
    assert codes(answers) == {0: BEGUN, last: FAILED} | dict.fromkeys(range(last + 1, 60), SKIPPED)
    assert len(scored(moving, answers)) == 60


def test_begun_in_the_last_frame(moving: VotSequence) -> None:
    """Nothing is asked of a tracker that has no frame left."""
    assert codes(supervised(moving, follower(lost_at=(54,))))[59] == BEGUN


def test_always_lost(moving: VotSequence) -> None:
    """A failure in the first frame of each life."""
    run = scored(moving, supervised(moving, follower(lost_at=tuple(range(60)))))
    assert run.failures == 10
    assert run.accuracy != run.accuracy


def test_closed_at_failure(moving: VotSequence) -> None:
    """A tracker that failed is closed before it is begun again."""
    told = []

    def begin(sequence: VotSequence, first: int) -> Generator[Region, None, None]:
        told.append(f"begun {first}")
        try:
            yield from follower(lost_at=(20,))(sequence, first)
        finally:
            told.append(f"closed {first}")

    supervised(moving, begin)
    assert told == ["begun 0", "closed 0", "begun 25", "closed 25"]


def test_silent_tracker(moving: VotSequence) -> None:
    """One that stops is told by its frame."""

    def begin(sequence: VotSequence, first: int) -> Generator[Region, None, None]:
        yield sequence.regions[1]

    with pytest.raises(DataError, match="moving: the tracker gave no region for frame 3"):
        supervised(moving, begin)


def test_round_trip(moving: VotSequence, tmp_path: Path) -> None:
    """What is written is read back, to a ten-thousandth of a pixel, and scores the same."""
    answers = supervised(moving, follower(lost_at=(20,), off=1 / 3))
    path = write_results(tmp_path / "out", "moving", answers)
    assert path == tmp_path / "out" / "baseline" / "moving" / "moving_001.txt"
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert path.read_text().splitlines()[20:26] == ["2", "0", "0", "0", "0", "1"]
    (run,) = score_results([moving], tmp_path / "out")
    assert run.codes == scored(moving, answers).codes
    assert run.overlaps == pytest.approx(scored(moving, answers).overlaps, abs=1e-4)


def test_four_numbers(moving: VotSequence, tmp_path: Path) -> None:
    """Other programs write x,y,w,h."""
    path = results_path(tmp_path, "moving")
    path.parent.mkdir(parents=True)
    path.write_text("1\n" + "".join(f"{x},20,20,20\n" for x in range(1, 60)))
    (run,) = score_results([moving], tmp_path)
    assert run.accuracy == pytest.approx(1)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["1"] * 2, "2 answers for 60 frames"),
        (["1", "3", *["0"] * 58], "line 2: '3', wanted 0, 1, 2 or a region"),
        (["1", "nan,1,2,3", *["0"] * 58], "line 2: .* no place in a picture"),
        (["1", "1,2,3", *["0"] * 58], "line 2: 3 numbers"),
        (["0,0,5,5", *["0"] * 59], "frame 1 has an answer, but nothing was begun"),
        (["1", "2", "2", *["0"] * 57], "frame 3 has an answer, but nothing was begun"),
        (["1", "1", *["0"] * 58], "frame 2 begins anew"),
        (["1", "", *["0"] * 58], "line 2: ''"),
        (["1", "1e300,1,2,3", *["0"] * 58], "line 2: .* no place in a picture"),
        (["0"] * 60, "no frame begins the tracker"),
    ],
)
def test_wrong_results(moving: VotSequence, tmp_path: Path, lines: list[str], told: str) -> None:
    """The file is named, and the line or frame."""
    path = results_path(tmp_path, "moving")
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=rf"moving_001\.txt: .*{told}"):
        score_results([moving], tmp_path)


def test_missing_results(moving: VotSequence, tmp_path: Path) -> None:
    """No folder, no file, no text."""
    with pytest.raises(InputError, match="no such folder of results"):
        score_results([moving], tmp_path / "none")
    with pytest.raises(DataError, match=r"(?s)moving_001\.txt: no such file; expected results as.*baseline"):
        score_results([moving], tmp_path)
    with pytest.raises(DataError, match="no such file"):
        read_results(tmp_path / "none")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="not a readable text file"):
        read_results(tmp_path / "bytes")


def test_unwritable(tmp_path: Path) -> None:
    """A file in the folder's place."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="taken"):
        write_results(tmp_path / "taken", "a", [1])


def test_no_torch() -> None:
    """Scoring result files does not load torch."""
    code = "import sys; from vossegment.evaluation.vot import results, supervised; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
