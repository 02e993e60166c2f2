"""A video with labels, whatever its origin. Everything above reads only this."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from vossegment.errors import DataError
from vossegment.tracking.types import Image, LabelMap


class Sequence(Protocol):
    """A named run of frames with label maps where they are known."""

    @property
    def name(self) -> str: ...

    @property
    def objects(self) -> Mapping[int, int]:
        """The first labelled frame of each object id."""
        ...

    def __len__(self) -> int: ...

    def image(self, index: int) -> Image:
        """Frame ``index``, ``(H, W, 3)`` uint8 RGB."""
        ...

    def labels(self, index: int) -> LabelMap | None:
        """Label map ``(H, W)`` uint8 of frame ``index``, None where none is known."""
        ...


VOID = 255
"""The label of pixels that belong to no object; read as foreground only by the merged rule of 2016."""


@dataclass(frozen=True)
class ArraySequence:
    """A sequence held in memory: made clips, tests, one's own arrays."""

    name: str
    images: tuple[Image, ...]
    label_maps: tuple[LabelMap | None, ...]
    objects: Mapping[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def image(self, index: int) -> Image:
        return self.images[index]

    def labels(self, index: int) -> LabelMap | None:
        return self.label_maps[index]


@dataclass(frozen=True)
class FileSequence:
    """A sequence of image files, read when asked. ``merged``: every non-zero pixel is object 1. ``groups``: the part of
    the data set that an object belongs to, where that has parts."""

    name: str
    image_paths: tuple[Path, ...]
    label_paths: tuple[Path | None, ...]
    objects: Mapping[int, int] = field(default_factory=dict)
    merged: bool = False
    groups: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.image_paths)

    def image(self, index: int) -> Image:
        return read_image(self.image_paths[index])

    def labels(self, index: int) -> LabelMap | None:
        path = self.label_paths[index]
        if path is None:
            return None
        labels = read_labels(path)
        return (labels != 0).astype(np.uint8) if self.merged else labels


def read_image(path: Path) -> Image:
    """Image file as ``(H, W, 3)`` uint8 RGB, upright. Raises DataError naming the file."""
    data = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if data is None:
        raise DataError(f"{path}: not a readable image")
    return cv2.cvtColor(data, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def read_labels(path: Path, *, palette: npt.NDArray[np.uint8] | None = None, merged: bool = False) -> LabelMap:
    """Indexed or one-channel PNG as ``(H, W)`` uint8 label map, or one in the colours of ``palette`` ``(256, 3)``; of
    other colours, if ``merged``, what is not black is object 1.

    Raises DataError naming the file.
    """
    try:
        with PillowImage.open(path) as picture:
            if picture.mode in ("P", "L"):
                # NumPy's own way asks for the bytes twice.
                return np.frombuffer(picture.tobytes(), np.uint8).reshape(picture.height, picture.width).copy()
            if picture.mode == "1":
                return np.array(picture, dtype=np.uint8)
            colours = np.array(picture.convert("RGB"))
            labels = None if palette is None else _by_colours(colours, palette)
            if labels is None and merged:
                return np.asarray(colours.any(2), np.uint8)
            if labels is None:
                raise DataError(f"{path}: a {picture.mode} picture, wanted an indexed or one-channel label map")
            return labels
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (UnidentifiedImageError, PillowImage.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: not a readable label map ({error})") from None


def _by_colours(picture: Image, palette: npt.NDArray[np.uint8]) -> LabelMap | None:
    """The places in ``palette`` of a picture's colours, None where it has others."""
    weights = np.array([1 << 16, 1 << 8, 1])
    colours, places = palette.astype(np.int64) @ weights, picture.astype(np.int64) @ weights
    order = np.argsort(colours)
    found = order[np.searchsorted(colours[order], places).clip(max=len(order) - 1)]
    return found.astype(np.uint8) if np.array_equal(colours[found], places) else None


def object_ids(labels: LabelMap) -> tuple[int, ...]:
    """The objects of a label map. VOID is none, but where it stands alone: that is a mask in black and white."""
    ids = tuple(int(label) for label in np.unique(labels) if label)
    return ids if ids == (VOID,) else tuple(number for number in ids if number != VOID)


class FirstFrameObjects(Mapping[int, int]):
    """The objects of a sequence's first label map, all from frame 0 on; the file is read when asked."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _ids(self) -> tuple[int, ...]:
        return object_ids(read_labels(self._path))

    def __getitem__(self, key: int) -> int:
        if key not in self._ids:
            raise KeyError(key)
        return 0

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)
