"""VOT's folders read, and what is wrong with one told."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vossegment.data.vot import VotSequence, frame_size, listed, polygon_area, read_region, start_box, vot_sequences
from vossegment.errors import DataError, InputError

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "vot"
EIGHT = "10,20,50,20,50,40,10,40"


def make(root: Path, name: str = "ball", truth: str = f"{EIGHT}\n10,20,40,20\n", inner: str = "") -> Path:
    """A set of one sequence of two frames, 64 x 48."""
    folder = root / name / inner
    folder.mkdir(parents=True)
    for number in (1, 2):
        cv2.imwrite(str(folder / f"{number:08d}.jpg"), np.full((48, 64, 3), 40 * number, np.uint8))
    (root / name / "groundtruth.txt").write_text(truth)
    (root / "list.txt").write_text(f"{name}\n\n")
    return root


@pytest.mark.parametrize("inner", ["", "color"])
def test_both_layouts(tmp_path: Path, inner: str) -> None:
    """Frames beside the truth or in a folder of their own; 8 and 4 numbers a line; tags as long as the sequence."""
    make(tmp_path, inner=inner)
    (tmp_path / "ball" / "occlusion.tag").write_text("1\n")
    (one,) = vot_sequences(tmp_path)
    assert (one.name, len(one), one.regions.shape) == ("ball", 2, (2, 4, 2))
    np.testing.assert_array_equal(one.regions[0], one.regions[1])
    assert one.tags == {"occlusion": (True, False)}
    assert frame_size(one) == (64, 48)
    assert one.image(1).mean() == pytest.approx(80, abs=2)


def test_order_and_choice(tmp_path: Path) -> None:
    """The order is the list's, each name once; some may be chosen."""
    make(tmp_path, "a")
    make(tmp_path, "b")
    (tmp_path / "list.txt").write_text("b\r\na\r\nb\r\n")
    assert [sequence.name for sequence in vot_sequences(tmp_path)] == listed(tmp_path) == ["b", "a"]
    assert [sequence.name for sequence in vot_sequences(tmp_path, only=["a*"])] == ["a"]
    with pytest.raises(InputError, match="sequence 'c' is not in the data"):
        vot_sequences(tmp_path, only=["c"])


@pytest.mark.parametrize("name", ["../ball", "/etc", "..", "a/b", "c:x", "a\\b"])
def test_names_stay_inside(tmp_path: Path, name: str) -> None:
    """No name leads out of the folder."""
    make(tmp_path)
    (tmp_path / "list.txt").write_text(name)
    with pytest.raises(DataError, match=r"list\.txt: line 1: .* does not name a sequence"):
        vot_sequences(tmp_path)


@pytest.mark.parametrize(
    ("truth", "told"),
    [
        (f"{EIGHT}\nnan,nan,nan,nan\n", "line 2: 'nan,nan,nan,nan' holds a number that is no place"),
        (f"{EIGHT}\n1,2,3\n", "line 2: 3 numbers, wanted 8"),
        (f"a,b,c,d\n{EIGHT}\n", "line 1: 'a,b,c,d' is not numbers"),
        (f"{EIGHT}\n\n{EIGHT}\n", "line 2: '' is not numbers"),
        (EIGHT, "1 lines for 2 frames"),
    ],
)
def test_wrong_truth(tmp_path: Path, truth: str, told: str) -> None:
    """File and line are named."""
    make(tmp_path, truth=truth)
    with pytest.raises(DataError, match=rf"ball.groundtruth\.txt: {told}"):
        vot_sequences(tmp_path)


@pytest.mark.parametrize("gone", ["list.txt", "ball/groundtruth.txt", "ball/00000001.jpg"])
def test_missing(tmp_path: Path, gone: str) -> None:
    """What is missing is named, and the tree drawn."""
    make(tmp_path)
    (tmp_path / gone).unlink()
    with pytest.raises(DataError, match="no such f") as caught:
        vot_sequences(tmp_path)
    assert str(tmp_path / gone) in str(caught.value)
    assert "└── <sequence>/[color/]00000001.jpg" in str(caught.value)


def test_other_faults(tmp_path: Path) -> None:
    """A sequence without folder, a list without names or of bytes, a tag that is none, no frame."""
    make(tmp_path)
    for content, told in (
        (b"ball\nbat\n", "bat: no such folder"),
        (b"\n", "names no"),
        (b"\xff\xfe", "not a readable"),
    ):
        (tmp_path / "list.txt").write_bytes(content)
        with pytest.raises(DataError, match=told):
            vot_sequences(tmp_path)
    (tmp_path / "list.txt").write_text("ball")
    tag = tmp_path / "ball" / "occlusion.tag"
    for content, told in (("1\nyes\n", "line 2: 'yes'"), ("1\n0\n0\n", "3 lines for 2 frames")):
        tag.write_text(content)
        with pytest.raises(DataError, match=told):
            vot_sequences(tmp_path)
    tag.unlink()
    for path in (tmp_path / "ball").glob("*.jpg"):
        path.unlink()
    with pytest.raises(DataError, match=r"00000001\.jpg: no such frame"):
        vot_sequences(tmp_path)


def test_unreadable_frame(tmp_path: Path) -> None:
    """A frame that is no picture is named when it is read."""
    make(tmp_path)
    (tmp_path / "ball" / "00000002.jpg").write_text("no picture")
    (one,) = vot_sequences(tmp_path)
    with pytest.raises(DataError, match=r"00000002\.jpg: not a readable image"):
        one.image(1)


def test_start_box_of_an_upright_box() -> None:
    """The box itself, a pixel longer."""
    assert start_box(read_region("10,20,40,20")) == (9.5, 19.5, 41.0, 21.0)


def test_start_box_of_a_turned_square() -> None:
    """The same centre and area as the square, in either direction round it."""
    square = np.array([[30.0, 10], [50, 30], [30, 50], [10, 30]])
    for corners in (square, square[::-1], np.roll(square, 1, 0)):
        x, y, w, h = start_box(corners)
        assert (x + w / 2, y + h / 2) == pytest.approx((30, 30))
        assert (w - 1) * (h - 1) == pytest.approx(800)
    assert start_box(np.full((4, 2), 7.0)) == (6.5, 6.5, 1.0, 1.0)


def test_polygon_area() -> None:
    """Of nothing, of a triangle, far from the origin."""
    assert polygon_area(np.zeros((0, 2))) == 0
    assert polygon_area(np.array([[0.0, 0], [4, 0], [0, 3]]) + 1e6) == 6


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no VOT sequence in {SHARED}")
def test_bag() -> None:
    """A real sequence: every truth is a box of some size within a pixel or so of the frame."""
    (bag,) = vot_sequences(SHARED)
    assert isinstance(bag, VotSequence)
    assert (bag.name, len(bag), bag.regions.shape, dict(bag.tags)) == ("bag", 196, (196, 4, 2), {})
    assert all(polygon_area(region) > 100 for region in bag.regions)
