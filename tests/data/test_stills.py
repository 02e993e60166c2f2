"""Still images with masks: the layout, and what is said where it is broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vossegment.data.stills import stills
from vossegment.errors import DataError

LABELS = np.zeros((6, 9), np.uint8)
LABELS[1:3, 1:4] = 1
LABELS[3:5, 4:8] = 2


def write(root: Path, *names: str, masks: tuple[str, ...] | None = None) -> Path:
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (9, 6), (200, 0, 0)).save(root / "images" / name)
    for name in [Path(n).stem for n in names] if masks is None else masks:
        Image.fromarray(LABELS).save(root / "masks" / f"{name}.png")
    return root


@pytest.mark.parametrize("make", ["nothing", "folder", "images", "other file", "file"])
def test_nothing_there(tmp_path: Path, make: str) -> None:
    """No folder, an empty one, one without pictures: a DataError that names it."""
    root = tmp_path / "set"
    if make == "file":
        root.write_text("no folder")
    elif make != "nothing":
        root.mkdir()
    if make in ("images", "other file"):
        (root / "images").mkdir()
    if make == "other file":
        (root / "images" / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match="set"):
        stills(root)


def test_layout(tmp_path: Path) -> None:
    """Every image with its mask is a sequence of one frame, in order of names; other files are passed over."""
    write(tmp_path / "set", "b.png", "a.jpg", "c.JPG")
    (tmp_path / "set" / "images" / "notes.txt").write_text("no picture")
    found = stills(tmp_path / "set")
    assert [s.name for s in found] == ["set/a", "set/b", "set/c"]
    assert [len(s) for s in found] == [1, 1, 1]
    assert found[0].image(0).shape == (6, 9, 3)
    assert found[1].image(0)[0, 0].tolist() == [200, 0, 0]
    np.testing.assert_array_equal(found[0].labels(0), LABELS)


def test_missing_mask(tmp_path: Path) -> None:
    """An image without its mask is an error that names the mask wanted."""
    write(tmp_path, "a.jpg", "b.jpg", masks=("a",))
    with pytest.raises(DataError, match=r"masks.b\.png: missing"):
        stills(tmp_path)


def test_sets_within_a_set(tmp_path: Path) -> None:
    """Folders that hold images/ and masks/ are found one level down, and named by their folder."""
    write(tmp_path / "dogs", "a.jpg")
    write(tmp_path / "cats", "a.jpg", "b.jpg")
    (tmp_path / "empty").mkdir()
    assert [s.name for s in stills(tmp_path)] == ["cats/a", "cats/b", "dogs/a"]


def test_extra_masks_do_no_harm(tmp_path: Path) -> None:
    """Masks without an image are passed over."""
    write(tmp_path, "a.jpg", masks=("a", "z"))
    assert len(stills(tmp_path)) == 1


def test_broken_files(tmp_path: Path) -> None:
    """What cannot be read is told when it is read, by name."""
    write(tmp_path, "a.jpg")
    (tmp_path / "images" / "a.jpg").write_bytes(b"no picture")
    (tmp_path / "masks" / "a.png").write_bytes(b"no picture")
    (still,) = stills(tmp_path)
    with pytest.raises(DataError, match=r"a\.jpg"):
        still.image(0)
    with pytest.raises(DataError, match=r"a\.png"):
        still.labels(0)
