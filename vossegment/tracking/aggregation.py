"""Objects of one frame among each other: whose is a pixel that several windows show (RGMP Eq. 1)?"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vossegment.tracking.geometry import between, resample

_SURE = 1 - 1e-6
_MOST_AT_ONCE = 1 << 21
"""Pixels that are compared at once."""


def signed(masks: Tensor, others: Tensor) -> Tensor:
    """What guides a network: the object's mask, and below 0 what belongs to others; all ``(N, S, S)``."""
    return masks - torch.minimum(others, 1 - masks)


def aggregated(masks: Tensor, windows: Tensor, claims: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Each object's probability among all: odds over the sum of odds, the background's among them (RGMP Eq. 1).

    ``masks`` ``(N, S, S)`` in ``windows`` ``(N, 2, 3)`` -> the same, and how much of each pixel is any other object's;
    ``claims`` ``(N,)`` are factors on the objects' odds.
    """
    n, size = len(masks), masks.shape[1] // 2
    # What others claim is looked up at half the resolution, some rows at a time: n x n windows are many.
    small = F.avg_pool2d(masks[:, None], 2)[:, 0]
    coarse = torch.cat([windows[:, :, :2] * 2, windows[:, :, 2:]], 2)
    rows = max(1, _MOST_AT_ONCE // (n * size * size))
    claims = torch.ones_like(windows[:, 0, 0]) if claims is None else claims
    rivals = torch.cat([_rivals(small, coarse, claims, i, min(i + rows, n)) for i in range(0, n, rows)])
    rivals = F.interpolate(rivals, scale_factor=2, mode="bilinear", align_corners=False)
    claimed, unclaimed = 1 / rivals[:, 0] - 1, rivals[:, 1]
    own = masks.clamp(1 - _SURE, _SURE)
    odds, empty = claims[:, None, None] * own / (1 - own), (1 - own) * unclaimed
    total = odds + claimed + empty / (1 - empty).clamp(min=1 - _SURE)
    return odds / total, claimed / total


def _rivals(masks: Tensor, windows: Tensor, claims: Tensor, first: int, end: int) -> Tensor:
    """What others claim in the windows ``first`` to ``end``: 1 / (1 + their odds), and the chance that none does.

    Odds reach a million: between two cells, 1 / (1 + odds) is what changes evenly.
    """
    places = torch.arange(first, end, device=masks.device)[:, None]
    others = torch.arange(len(masks) - 1, device=masks.device).expand(len(places), -1)
    others = others + (others >= places)  # row i: all but i
    seen_from, of = windows[first:end].repeat_interleave(others.shape[1], 0), others.flatten()
    seen = resample(masks[of], between(seen_from, windows[of])).view(*others.shape, *masks.shape[1:])
    seen = seen.clamp(max=_SURE)
    odds = claims[others][:, :, None, None] * seen / (1 - seen)
    return torch.stack([1 / (1 + odds.sum(1)), (1 - seen).prod(1)], 1)
