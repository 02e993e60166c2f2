"""Upright windows seen from the frame: what of it they hold, and what boxes and masks are in their pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vossegment.tracking.geometry import cut, scales

_FINER = 4


def in_frame(masks: Tensor, windows: Tensor, frame: Tensor) -> Tensor:
    """``masks`` ``(N, S, S)`` where their upright windows show ``frame`` ``(H, W, 3)``, 0 beyond."""
    along = torch.arange(0.5, masks.shape[1], dtype=windows.dtype, device=windows.device)
    places = scales(windows)[:, :, None] * along + windows[:, :, 2:]
    across, down = ((places > 0) & (places < frame_size(frame, windows)[:, None])).unbind(1)
    return masks * down[:, :, None] * across[:, None]


def frame_size(frame: Tensor, like: Tensor) -> Tensor:
    """Width and height of ``frame`` ``(H, W, 3)`` as numbers of the kind and on the device of ``like``, ``(2,)``; made
    there, as nothing may be sent in a step."""
    return torch.cat([like.new_full((1,), frame.shape[1]), like.new_full((1,), frame.shape[0])])


def pixel_area(windows: Tensor) -> Tensor:
    """Frame pixels that a pixel of each upright window covers."""
    return scales(windows).prod(1)


def averaged(masks: Tensor, windows: Tensor, size: int) -> Tensor:
    """Masks ``(N, H, W)`` of the frame in their windows, with what is thinner than a window pixel as its share."""
    finer = torch.cat([windows[:, :, :2] / _FINER, windows[:, :, 2:]], 2)
    return F.avg_pool2d(cut(masks, finer, size * _FINER)[:, None], _FINER)[:, 0]


def filled_boxes(boxes: Tensor, windows: Tensor, size: int) -> Tensor:
    """Boxes ``(N, 4)`` as masks ``(N, S, S)`` in upright windows, their edges as soft as their fractions."""
    scale = scales(windows)
    low, high = (boxes[:, :2] - windows[:, :, 2]) / scale, (boxes[:, 2:] - windows[:, :, 2]) / scale
    cells = torch.arange(size, dtype=boxes.dtype, device=boxes.device)
    covered = (torch.minimum(cells + 1, high[..., None]) - torch.maximum(cells, low[..., None])).clamp(0, 1)
    return covered[:, 1, :, None] * covered[:, 0, None, :]
