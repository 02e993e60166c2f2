"""Upright windows seen from the frame: what of it they hold, and what boxes and masks are in their pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vossegment.tracking.geometry import cut

_FINER = 4


def in_frame(windows: Tensor, frame: Tensor, size: int) -> Tensor:
    """1 where the pixels of upright windows lie in the frame, 0 beyond, ``(N, S, S)``."""
    along = torch.arange(size, dtype=windows.dtype, device=windows.device) + 0.5
    x = windows[:, 0, 0, None] * along + windows[:, 0, 2, None]
    y = windows[:, 1, 1, None] * along + windows[:, 1, 2, None]
    across, down = (x > 0) & (x < frame.shape[1]), (y > 0) & (y < frame.shape[0])
    return (down[:, :, None] & across[:, None]).to(windows.dtype)


def pixel_area(windows: Tensor) -> Tensor:
    """Frame pixels that a pixel of each upright window covers."""
    return windows[:, 0, 0] * windows[:, 1, 1]


def averaged(masks: Tensor, windows: Tensor, size: int) -> Tensor:
    """Masks ``(N, H, W)`` of the frame in their windows, with what is thinner than a window pixel as its share."""
    finer = torch.cat([windows[:, :, :2] / _FINER, windows[:, :, 2:]], 2)
    return F.avg_pool2d(cut(masks, finer, size * _FINER)[:, None], _FINER)[:, 0]


def filled_boxes(boxes: Tensor, windows: Tensor, size: int) -> Tensor:
    """Boxes ``(N, 4)`` as masks ``(N, S, S)`` in upright windows, their edges as soft as their fractions."""
    scale = torch.stack([windows[:, 0, 0], windows[:, 1, 1]], 1)
    low, high = (boxes[:, :2] - windows[:, :, 2]) / scale, (boxes[:, 2:] - windows[:, :, 2]) / scale
    cells = torch.arange(size, dtype=boxes.dtype, device=boxes.device)
    covered = (torch.minimum(cells + 1, high[..., None]) - torch.maximum(cells, low[..., None])).clamp(0, 1)
    return covered[:, 1, :, None] * covered[:, 0, None, :]
