"""From the objects' masks in their windows to one label map."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from vossegment.tracking.geometry import paste_array, region
from vossegment.tracking.types import LabelMap, Result


def label_map(result: Result, ids: Sequence[int], height: int, width: int, *, threshold: float = 0.5) -> LabelMap:
    """``(height, width)`` uint8: where masks overlap, the likelier object; 0 where none passes ``threshold``.

    Each mask is pasted only into the part of the frame where it can pass.
    """
    labels = np.zeros((height, width), np.uint8)
    best = np.full((height, width), threshold, np.float32) if len(ids) > 1 else None
    masks, windows = result.masks.float().cpu().numpy(), result.windows.double().cpu().numpy()
    for mask, window, number in zip(masks, windows, ids, strict=True):
        y0, y1, x0, x1 = place = region(window, _passing(mask, threshold), height, width)
        if y1 <= y0 or x1 <= x0:
            continue
        pasted, there = paste_array(mask, window, place), labels[y0:y1, x0:x1]
        if best is None:
            np.copyto(there, number, where=pasted > threshold)
            continue
        rival = best[y0:y1, x0:x1]
        np.copyto(there, number, where=pasted > rival)
        np.maximum(rival, pasted, out=rival)
    return labels


def _passing(mask: npt.NDArray[np.float32], threshold: float) -> tuple[int, int, int, int]:
    """x0 y0 x1 y1 round all cells above ``threshold`` and their neighbours: between others, nothing is above it."""
    x, y, w, h = cv2.boundingRect(np.greater(mask, threshold).view(np.uint8))
    if not w:
        return 0, 0, 0, 0
    return max(x - 1, 0), max(y - 1, 0), min(x + w + 1, mask.shape[1]), min(y + h + 1, mask.shape[0])
