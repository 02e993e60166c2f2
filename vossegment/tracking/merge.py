"""From the objects' masks in their windows to one label map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vossegment.tracking.geometry import paste
from vossegment.tracking.types import LabelMap, Result


def regions(windows: Tensor, size: int, height: int, width: int) -> list[tuple[int, int, int, int]]:
    """The part of the frame under each window, clipped: y0, y1, x0, x1 (empty: y1 <= y0 or x1 <= x0)."""
    corners = windows.new_tensor([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]])
    points = (windows @ corners.T).cpu()  # (N, 2, 4)
    low, high = points.amin(2).floor().int().tolist(), points.amax(2).ceil().int().tolist()
    return [
        (max(y0, 0), min(y1, height), max(x0, 0), min(x1, width)) for (x0, y0), (x1, y1) in zip(low, high, strict=True)
    ]


def label_map(result: Result, ids: Sequence[int], height: int, width: int, *, threshold: float = 0.5) -> LabelMap:
    """``(height, width)`` uint8: where masks overlap, the likelier object; 0 where none passes ``threshold``.

    Each mask is pasted only into the part of the frame that its window covers.
    """
    labels = np.zeros((height, width), np.uint8)
    best = np.full((height, width), threshold, np.float32) if len(ids) > 1 else None
    size = result.masks.shape[-1]
    for i, (y0, y1, x0, x1) in enumerate(regions(result.windows, size, height, width)):
        if y1 <= y0 or x1 <= x0:
            continue
        window = result.windows[i : i + 1].clone()
        window[:, :, 2] -= torch.tensor([x0, y0], dtype=window.dtype, device=window.device)
        mask = paste(result.masks[i : i + 1], window, y1 - y0, x1 - x0)[0].cpu().numpy()
        if best is None:
            labels[y0:y1, x0:x1][mask > threshold] = ids[i]
            continue
        ahead = mask > best[y0:y1, x0:x1]
        best[y0:y1, x0:x1][ahead] = mask[ahead]
        labels[y0:y1, x0:x1][ahead] = ids[i]
    return labels
