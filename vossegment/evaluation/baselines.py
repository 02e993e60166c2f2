"""What scores without tracking anything: the first answer, held still. A tracker has to beat these."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import cv2
import numpy as np

from vossegment.data.sequence import Sequence
from vossegment.errors import DataError
from vossegment.evaluation.measures import Mask
from vossegment.tracking.types import LabelMap


def static_mask(sequence: Sequence) -> Iterator[LabelMap]:
    """Every object's first mask, from its first frame on: ``(H, W)`` uint8 label maps, one a frame."""
    return _held(sequence, lambda mask: mask)


def static_box(sequence: Sequence) -> Iterator[LabelMap]:
    """The tight box of every object's first mask, filled, from its first frame to the end.

    Where boxes overlap the smaller lies on top. ``(H, W)`` uint8 label maps, one a frame.
    """
    return _held(sequence, _filled_box)


BASELINES: Mapping[str, Callable[[Sequence], Iterator[LabelMap]]] = MappingProxyType(
    {"static_box": static_box, "static_mask": static_mask}
)
"""Name to the label maps it gives for a sequence, ready for ``benchmarks.score``."""


def _held(sequence: Sequence, shape: Callable[[Mask], Mask]) -> Iterator[LabelMap]:
    masks: dict[int, Mask] = {}
    held = np.zeros_like(_first_labels(sequence, 0))
    for index in range(len(sequence)):
        entering = [number for number, first in sequence.objects.items() if first == index]
        if entering:
            labels = _first_labels(sequence, index)
            masks.update((number, shape(np.equal(labels, number))) for number in entering)
            held = _painted(masks, labels.shape)
        yield held


def _painted(masks: Mapping[int, Mask], shape: tuple[int, ...]) -> LabelMap:
    labels = np.zeros(shape, dtype=np.uint8)
    for number, mask in sorted(masks.items(), key=lambda item: -np.count_nonzero(item[1])):
        labels[mask] = number
    return labels


def _filled_box(mask: Mask) -> Mask:
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    box = np.zeros_like(mask)
    box[y : y + height, x : x + width] = True
    return box


def _first_labels(sequence: Sequence, index: int) -> LabelMap:
    labels = sequence.labels(index)
    if labels is None:
        raise DataError(f"{sequence.name}: no truth for frame {index}, so no first mask to hold")
    return labels
