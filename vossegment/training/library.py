"""Every object that training can show: decoded once, kept as uint8."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from vossegment.data.sequence import VOID, Sequence, object_ids
from vossegment.errors import DataError
from vossegment.tracking.types import Image

Mask = npt.NDArray[np.uint8]
"""(H, W) uint8, 0 or 255."""

EdgeBox = tuple[float, float, float, float]
"""x0, y0, x1, y1, half-open edges."""


def tight_box(mask: Mask) -> EdgeBox | None:
    """Tightest box round the pixels over one half, None if there are none."""
    x, y, w, h = cv2.boundingRect((mask > 127).astype(np.uint8))
    return (float(x), float(y), float(x + w), float(y + h)) if w else None


@dataclass(frozen=True)
class Subject:
    """One object in one picture."""

    image: Image
    mask: Mask
    box: EdgeBox
    rivals: Mask | None = None
    """The other objects of the picture that are known, None if there are none."""


@dataclass(frozen=True)
class Track:
    """One object through a video, or in a still (one frame): the frames in which it can be seen."""

    name: str
    images: tuple[Image, ...]
    labels: tuple[npt.NDArray[np.uint8], ...]
    id: int

    def __len__(self) -> int:
        return len(self.images)

    def subject(self, index: int) -> Subject:
        labels = self.labels[index]
        mask = ((labels == self.id) * np.uint8(255)).astype(np.uint8)
        box = tight_box(mask)
        assert box is not None  # frames without the object were left out when the library was filled
        others = (labels != self.id) & (labels != 0) & (labels != VOID)
        rivals = (others * np.uint8(255)).astype(np.uint8) if others.any() else None
        return Subject(self.images[index], mask, box, rivals)


# [ours] Objects smaller than this share of the picture, or filling it, teach a tracker little.
_LEAST_AREA, _MOST_AREA = 0.0015, 0.85


def worth_showing(mask: npt.NDArray[np.bool_]) -> bool:
    """Whether an object is neither tiny in its picture nor nearly all of it."""
    return _LEAST_AREA < float(mask.mean()) < _MOST_AREA


def _read(sequence: Sequence, most_side: int) -> list[tuple[Image, npt.NDArray[np.uint8]]]:
    pairs = []
    for i in range(len(sequence)):
        labels = sequence.labels(i)
        if labels is None:
            continue
        image = sequence.image(i)
        if image.shape[:2] != labels.shape:
            raise DataError(
                f"{sequence.name}, frame {i}: image of {image.shape[1]}x{image.shape[0]}, "
                f"labels of {labels.shape[1]}x{labels.shape[0]}"
            )
        scale = most_side / max(labels.shape)
        if scale < 1:
            size = (round(labels.shape[1] * scale), round(labels.shape[0] * scale))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
            labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST).astype(np.uint8)
        pairs.append((image, labels))
    return pairs


def tracks(sequence: Sequence, most_side: int = 640) -> list[Track]:
    """The objects of one sequence; pictures over ``most_side`` pixels are reduced to it."""
    pairs = _read(sequence, most_side)
    found = []
    for number in sorted({number for _, labels in pairs for number in object_ids(labels)}):
        kept = [(im, la) for im, la in pairs if worth_showing(la == number)]
        if kept:
            found.append(Track(sequence.name, tuple(k[0] for k in kept), tuple(k[1] for k in kept), number))
    return found


@dataclass(frozen=True)
class Library:
    """All tracks, videos and stills apart, since samples are drawn from them in different ways."""

    videos: tuple[Track, ...]
    stills: tuple[Track, ...]

    @staticmethod
    def load(sequences: Iterable[Sequence], *, threads: int = 4) -> Library:
        """Reads and decodes everything. Raises DataError for a bad file, or if no object is found."""
        with ThreadPoolExecutor(threads) as pool:
            found = [t for group in pool.map(tracks, sequences) for t in group]
        if not found:
            raise DataError("the training data holds no object that can be seen")
        return Library(tuple(t for t in found if len(t) > 1), tuple(t for t in found if len(t) == 1))
