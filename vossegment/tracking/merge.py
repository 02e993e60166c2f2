"""From the objects' masks in their windows to one label map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vossegment.tracking.geometry import paste_array, regions
from vossegment.tracking.types import LabelMap, Result


def label_map(result: Result, ids: Sequence[int], height: int, width: int, *, threshold: float = 0.5) -> LabelMap:
    """``(height, width)`` uint8: where masks overlap, the likelier object; 0 where none passes ``threshold``.

    Each mask is pasted only into the part of the frame that its window covers.
    """
    labels = np.zeros((height, width), np.uint8)
    best = np.full((height, width), threshold, np.float32) if len(ids) > 1 else None
    size = result.masks.shape[-1]
    masks, windows = result.masks.float().cpu().numpy(), result.windows.double().cpu().numpy()
    for i, region in enumerate(regions(result.windows, size, height, width)):
        y0, y1, x0, x1 = region
        if y1 <= y0 or x1 <= x0:
            continue
        mask = paste_array(masks[i], windows[i], region)
        if best is None:
            labels[y0:y1, x0:x1] = np.greater(mask, threshold).view(np.uint8) * np.uint8(ids[i])
            continue
        ahead = mask > best[y0:y1, x0:x1]
        best[y0:y1, x0:x1][ahead] = mask[ahead]
        labels[y0:y1, x0:x1][ahead] = ids[i]
    return labels
