"""VOT's short-term sets (2016, 2018) as sequences of frames with one box each.

    ROOT/
      list.txt                          a sequence name a line
      <sequence>/groundtruth.txt        a line a frame: x1,y1,...,x4,y4 (a box's corners), or x,y,w,h
      <sequence>/00000001.jpg ...       or <sequence>/color/00000001.jpg ...
      <sequence>/occlusion.tag ...      0 or 1 a line, where there are any

Layout: votchallenge.net and METRICS, section 7.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from collections.abc import Sequence as ListOf
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vossegment.data.folders import Layout, plain, selected
from vossegment.data.sequence import read_image
from vossegment.errors import DataError
from vossegment.tracking.types import Box, Image

Region = npt.NDArray[np.float64]
"""Corners x, y of a box, in order round it, either way: ``(4, 2)``."""

_FARTHEST = 1e6
_FRAME = re.compile(r"\d{8}\.jpg")


@dataclass(frozen=True, eq=False)
class VotSequence:
    """Frames, read when asked, and the true ``regions`` ``(N, 4, 2)`` in frame pixels.

    ``tags`` name what makes a frame hard ("occlusion"): a bool a frame.
    """

    name: str
    image_paths: tuple[Path, ...]
    regions: npt.NDArray[np.float64]
    tags: Mapping[str, tuple[bool, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.image_paths)

    def image(self, index: int) -> Image:
        """Frame ``index``, ``(H, W, 3)`` uint8 RGB. Raises DataError naming the file."""
        return read_image(self.image_paths[index])


def vot_sequences(root: Path, *, only: ListOf[str] = ()) -> list[VotSequence]:
    """The sequences of ``root/list.txt`` in its order, those that ``only`` names where it names any.

    Raises DataError naming the file and line, the expected tree drawn.
    """
    return [_sequence(_layout(root), name) for name in selected(listed(root), only)]


def listed(root: Path) -> list[str]:
    """The names in ``root/list.txt``, each once. Raises DataError as ``vot_sequences`` does."""
    layout, path = _layout(root), root / "list.txt"
    names: dict[str, None] = {}  # a set that keeps the order
    for number, line in enumerate(_lines(layout, path), start=1):
        name = line.strip()
        if name and not plain(name):
            raise layout.fault(path, f"line {number}: '{name}' does not name a sequence")
        if name:
            names[name] = None
    if not names:
        raise layout.fault(path, "names no sequence")
    return list(names)


def start_box(region: Region) -> Box:
    """The upright box x, y, w, h that a tracker is given for a true ``region`` ``(4, 2)``.

    Its centre is the mean of the corners, its shape that of the box round them, its area the region's [o]: the side
    is one pixel longer, as SiamMask's program has it (``get_axis_aligned_bbox``).
    """
    (left, top), (right, bottom) = region.min(0), region.max(0)
    around = (right - left) * (bottom - top)
    share = math.sqrt(polygon_area(region) / around) if around > 0 else 1.0
    (x, y), w, h = region.mean(0), share * (right - left) + 1, share * (bottom - top) + 1
    return float(x - w / 2), float(y - h / 2), float(w), float(h)


def polygon_area(corners: npt.NDArray[np.float64]) -> float:
    """Area inside a polygon ``(N, 2)`` whose sides do not cross, in square pixels."""
    x, y = (corners - corners.mean(0)).T if len(corners) else (corners[:, 0], corners[:, 1])
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def read_region(text: str) -> Region:
    """``x1,y1,...,x4,y4`` or ``x,y,w,h`` as corners ``(4, 2)``. Raises ValueError that says what is wrong."""
    try:
        numbers = [float(part) for part in text.replace("\t", ",").split(",")]
    except ValueError:
        raise ValueError(f"'{text[:80]}' is not numbers with commas between") from None
    if not all(math.isfinite(value) and abs(value) < _FARTHEST for value in numbers):
        raise ValueError(f"'{text[:80]}' holds a number that is no place in a picture")
    if len(numbers) == 4:
        x, y, w, h = numbers
        numbers = [x, y, x + w, y, x + w, y + h, x, y + h]
    if len(numbers) != 8:
        raise ValueError(f"{len(numbers)} numbers, wanted 8 (x1,y1,...,x4,y4) or 4 (x,y,w,h)")
    # TraX carries single precision: so the toolkit and a run without it begin from the very same box.
    return np.array(numbers, np.float32).astype(np.float64).reshape(4, 2)


def frame_size(sequence: VotSequence) -> tuple[int, int]:
    """Width and height of a sequence's first frame in pixels, those of all. Raises DataError naming the file."""
    height, width = sequence.image(0).shape[:2]
    return width, height


def _layout(root: Path) -> Layout:
    return Layout(root, "VOT", ("list.txt", "<sequence>/groundtruth.txt", "<sequence>/[color/]00000001.jpg ..."))


def _sequence(layout: Layout, name: str) -> VotSequence:
    folder = layout.folder(layout.root / name)
    images = _frames(layout, folder)
    truth = folder / "groundtruth.txt"
    regions = []
    for number, line in enumerate(_lines(layout, truth), start=1):
        try:
            regions.append(read_region(line.strip()))
        except ValueError as error:
            raise DataError(f"{truth}: line {number}: {error}") from None
    if len(regions) != len(images):
        raise DataError(f"{truth}: {len(regions)} lines for {len(images)} frames in {images[0].parent}")
    tags = {path.stem: _tag(layout, path, len(images)) for path in sorted(folder.glob("*.tag"))}
    return VotSequence(name, images, np.stack(regions), tags)


def _frames(layout: Layout, folder: Path) -> tuple[Path, ...]:
    inner = folder / "color"
    place = inner if inner.is_dir() else folder
    found = sorted(path for path in place.iterdir() if _FRAME.fullmatch(path.name))
    for number, path in enumerate(found, start=1):
        if int(path.stem) != number:
            raise layout.fault(place / f"{number:08d}.jpg", f"no such frame, but {path.name} is there")
    if not found:
        raise layout.fault(place / "00000001.jpg", "no such frame")
    return tuple(found)


def _tag(layout: Layout, path: Path, frames: int) -> tuple[bool, ...]:
    marks = [line.strip() for line in _lines(layout, path)]
    for number, mark in enumerate(marks, start=1):
        if mark not in ("0", "1"):
            raise DataError(f"{path}: line {number}: '{mark}', wanted 0 or 1")
    if len(marks) > frames:
        raise DataError(f"{path}: {len(marks)} lines for {frames} frames")
    return tuple(mark == "1" for mark in marks) + (False,) * (frames - len(marks))


def _lines(layout: Layout, path: Path) -> list[str]:
    """A file's lines, without the empty ones at its end: a line a frame, so none between is left out."""
    try:
        return path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except FileNotFoundError:
        raise layout.fault(path, "no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise layout.fault(path, f"not a readable text file ({error})") from None
