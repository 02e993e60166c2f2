"""What cannot be scored is said in one line: names, folders, frames and pictures that are missing or unfit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from squares import EACH, ONE, array_sequence, save, square, squares

from vossegment.data.sequence import ArraySequence, FileSequence
from vossegment.errors import DataError, InputError
from vossegment.evaluation.benchmarks import find_benchmark
from vossegment.evaluation.scoring import score, score_sequence
from vossegment.writers.palette import PALETTE


def test_unknown_benchmark() -> None:
    """The known ones are listed."""
    assert find_benchmark("davis2016") is ONE
    with pytest.raises(InputError, match=r"unknown benchmark 'davis16'; known: davis2016, davis2017"):
        find_benchmark("davis16")


def test_no_results_folder(tmp_path: Path) -> None:
    """A mistyped folder is the call's fault."""
    sequences, _ = squares(tmp_path)
    with pytest.raises(InputError, match="elsewhere: no such folder of results"):
        score(sequences, tmp_path / "elsewhere", ONE)


def test_missing_sequence_folder(tmp_path: Path) -> None:
    """Every missing sequence is counted, the first named."""
    sequences, results = squares(tmp_path, tuple("abcdefg"), frames=3)
    (results / "a").rename(results / "z")
    with pytest.raises(DataError, match=r"results.a: no such folder; wanted .* 7 sequences \(missing 1: a\)"):
        score(sequences, results, ONE)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"\(missing 7: a, b, c, d, e, \.\.\.\)"):
        score(sequences, tmp_path / "empty", ONE)


def test_missing_frame(tmp_path: Path) -> None:
    """It is found before anything is scored."""
    sequences, results = squares(tmp_path)
    (results / "a" / "00002.png").unlink()
    with pytest.raises(DataError, match=r"a.00002\.png: no such file; 1 of 3 frames of a are missing"):
        score(sequences, results, ONE, on_sequence=lambda part: pytest.fail("scored"))


def test_wrong_size(tmp_path: Path) -> None:
    """Both sizes are given, width first."""
    sequences, results = squares(tmp_path, ("a",))
    save(results / "a" / "00001.png", square(8, size=(40, 60)))
    with pytest.raises(DataError, match=r"00001\.png: 60x40 pixels, wanted the truth's 30x20"):
        score(sequences, results, ONE)


def test_colour_picture(tmp_path: Path) -> None:
    """An RGB picture is read where its colours are the palette's, else it is no label map."""
    sequences, results = squares(tmp_path, ("a",))
    expected = score(sequences, results, EACH)
    for index in range(5):
        save(results / "a" / f"{index:05d}.png", PALETTE[square(8 + index)], mode="RGB")
    assert score(sequences, results, EACH) == expected
    strange = PALETTE[square(8)].copy()
    strange[0, 0] = 1, 2, 3
    save(results / "a" / "00003.png", strange, mode="RGB")
    with pytest.raises(DataError, match=r"00003\.png: a RGB picture, wanted an indexed"):
        score(sequences, results, EACH)
    assert score(sequences, results, ONE).region.mean > 0  # merged: what is not black is the object


@pytest.mark.parametrize("keep", [0, 4, 20, 60, -40])
def test_truncated_picture(tmp_path: Path, keep: int) -> None:
    """Wherever the file ends, it is named."""
    sequences, results = squares(tmp_path, ("a",))
    path = results / "a" / "00001.png"
    save(path, np.random.default_rng(0).integers(0, 2, (20, 30), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"00001\.png: not a readable label map"):
        score(sequences, results, ONE)


@pytest.mark.parametrize("label", [3, 255])
def test_object_too_many(tmp_path: Path, label: int) -> None:
    """By the rule of 2017 an unknown object, 255 too, is refused, as the official program does."""
    sequences, results = squares(tmp_path, ("a",))
    save(results / "a" / "00001.png", square(8, label=label))
    with pytest.raises(DataError, match=rf"00001\.png: holds object {label}, but a has objects 1 to 1"):
        score(sequences, results, EACH)
    assert score(sequences, results, ONE).region.mean > 0


def test_no_object_in_the_first_frame() -> None:
    """There is nothing to follow."""
    sequence = array_sequence("a", [square(8, 0), square(8), square(8)])
    with pytest.raises(DataError, match="a: no object in the truth of frame 0"):
        score_sequence(sequence, [square(8)] * 3, EACH)


@pytest.mark.parametrize("count", [0, 1, 4, 6])
def test_number_of_label_maps(count: int) -> None:
    """A tracker that skips frames, or invents some, is noticed."""
    sequence = array_sequence("a", [square(8)] * 5)
    with pytest.raises(DataError, match=rf"a: {count} label maps, wanted one for each of 5 frames"):
        score_sequence(sequence, [square(8)] * count, ONE)


def test_label_map_of_wrong_size() -> None:
    """Maps in memory are named by their frame."""
    sequence = array_sequence("a", [square(8)] * 5)
    with pytest.raises(DataError, match="a, frame 1: 60x40 pixels, wanted the truth's 30x20"):
        score_sequence(sequence, [square(8, size=(40, 60))] * 5, ONE)


def test_too_few_frames() -> None:
    """Two frames are the first and the last."""
    with pytest.raises(DataError, match="a: 2 frames, and none counts"):
        score_sequence(array_sequence("a", [square(8)] * 2), [square(8)] * 2, ONE)


def test_hidden_truth(tmp_path: Path) -> None:
    """A test set cannot be scored here, and that is said before anything runs."""
    sequences, results = squares(tmp_path, ("a",))
    hidden = FileSequence("a", sequences[0].image_paths, (sequences[0].label_paths[0], None, None, None, None))
    with pytest.raises(DataError, match="a: no truth for frame 1; a hidden truth can only be scored by its server"):
        score([hidden], results, ONE)
    in_memory = ArraySequence("m", (np.zeros((20, 30, 3), np.uint8),) * 3, (square(8), None, None))
    with pytest.raises(DataError, match="m: no truth for frame 1"):
        score_sequence(in_memory, [square(8)] * 3, ONE)
    gap = ArraySequence("g", (np.zeros((20, 30, 3), np.uint8),) * 4, (square(8), square(8), None, square(8)))
    with pytest.raises(DataError, match="g: no truth for frame 2"):
        score_sequence(gap, [square(8)] * 4, ONE)
