"""SegTrack v2 and JumpCut: masks in black and white, in folders of many kinds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_sets import jumpcut, segtrack, square, write_binary

from vossegment.data.jumpcut import jumpcut_clips
from vossegment.data.segtrack import segtrack_sequences
from vossegment.errors import DataError


def test_segtrack(tmp_path: Path) -> None:
    """One object or several, matched by stem whatever the suffix."""
    truth = segtrack(tmp_path)
    one, two = segtrack_sequences(tmp_path)
    assert (one.objects, two.objects) == ({1: 0}, {1: 0, 2: 0})
    for sequence in (one, two):
        for i in range(4):
            np.testing.assert_array_equal(sequence.labels(i), truth[sequence.name][i])
    assert one.image(0).shape == (40, 60, 3)
    assert [s.name for s in segtrack_sequences(tmp_path, only=("t*",))] == ["two"]


def test_grey_values(tmp_path: Path) -> None:
    """From 128 on it is the object."""
    segtrack(tmp_path)
    for value, expected in ((127, 0), (128, 64)):
        write_binary(tmp_path / "GroundTruth/one/one_001.png", square(5), value=value)
        labels = segtrack_sequences(tmp_path)[0].labels(0)
        assert labels is not None
        assert np.count_nonzero(labels) == expected


def test_segtrack_without_pictures(tmp_path: Path) -> None:
    """Scoring needs masks alone."""
    segtrack(tmp_path)
    (tmp_path / "JPEGImages").rename(tmp_path / "elsewhere")
    assert [len(s) for s in segtrack_sequences(tmp_path, images=False)] == [4, 4]
    with pytest.raises(DataError, match=r"JPEGImages.one: no such folder[\s\S]*GroundTruth"):
        segtrack_sequences(tmp_path)


def test_broken_segtrack(tmp_path: Path) -> None:
    """A missing mask, one of another size, one that is no picture, an unknown split."""
    segtrack(tmp_path)
    with pytest.raises(DataError, match="only 'all'"):
        segtrack_sequences(tmp_path, "val")
    write_binary(tmp_path / "GroundTruth/two/2/00001.bmp", np.ones((5, 5)))
    with pytest.raises(DataError, match=r"2.00001\.bmp: another size"):
        segtrack_sequences(tmp_path)[1].labels(1)
    (tmp_path / "GroundTruth/two/2/00001.bmp").write_bytes(b"BM")
    with pytest.raises(DataError, match=r"2.00001\.bmp: not a readable picture"):
        segtrack_sequences(tmp_path)[1].labels(1)
    (tmp_path / "GroundTruth/two/2/00001.bmp").unlink()
    with pytest.raises(DataError, match=r"2.00001\.png: no such mask"):
        segtrack_sequences(tmp_path)
    with pytest.raises(DataError, match="GroundTruth: no such folder"):
        segtrack_sequences(tmp_path / "JPEGImages")


def test_jumpcut(tmp_path: Path) -> None:
    """A clip where the list says, by either way of writing a pattern."""
    truth = jumpcut(tmp_path)
    (clip,) = jumpcut_clips(tmp_path)
    assert (clip.name, len(clip), clip.objects) == ("slide", 40, {1: 0})
    np.testing.assert_array_equal(clip.labels(7), truth[7])
    assert clip.image(39).shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "names no clip"),
        ("slide, a/*.png", r"line 1: wanted 'name, frames, masks'"),
        ("../x, a/*.png, b/*.png", "line 1: wanted"),
        ("slide, nowhere/*.png, ANIMAL/slide_masks/*.png", "line 1: no picture fits"),
        ("slide, ../*.png, ANIMAL/slide_masks/*.png", "line 1: pattern '../"),
        ("slide, /etc/*.png, ANIMAL/slide_masks/*.png", "line 1: pattern '/etc"),
        ("slide, ANIMAL/slide/000?.png, ANIMAL/slide_masks/*.png", "10 frames, but 40 masks"),
    ],
)
def test_broken_lists(tmp_path: Path, line: str, says: str) -> None:
    """The list is named, with the line."""
    jumpcut(tmp_path)
    (tmp_path / "list.txt").write_text(line + "\n")
    with pytest.raises(DataError, match=says):
        jumpcut_clips(tmp_path)


def test_frames_are_counted(tmp_path: Path) -> None:
    """2 comes before 10, and %d fits digits alone."""
    truth = jumpcut(tmp_path, frames=12)
    for i in range(12):
        (tmp_path / f"ANIMAL/slide/{i:04d}.png").rename(tmp_path / f"ANIMAL/slide/{i}.png")
        (tmp_path / f"ANIMAL/slide_masks/{i:04d}_soft.png").write_bytes(b"")
    (clip,) = jumpcut_clips(tmp_path)
    assert [path.stem for path in clip.image_paths] == [str(i) for i in range(12)]
    np.testing.assert_array_equal(clip.labels(11), truth[11])


def test_no_list(tmp_path: Path) -> None:
    """Nothing is guessed."""
    with pytest.raises(DataError, match=r"list\.txt: no such file; expected JumpCut"):
        jumpcut_clips(tmp_path)
