"""From a batch's bytes to what networks take."""

from __future__ import annotations

import torch
from torch import Tensor

from vossegment.runtime.prepare import choose_precision


def images(batch: Tensor, device: torch.device) -> Tensor:
    """``(N, S, S, 3)`` uint8 -> ``(N, 3, S, S)`` float, already channels last in memory."""
    return batch.to(device, non_blocking=True).permute(0, 3, 1, 2).float()


def masks(batch: Tensor, device: torch.device) -> Tensor:
    """``(...)`` uint8 0..255 -> float 0..1."""
    return batch.to(device, non_blocking=True).float() / 255


def half(device: torch.device) -> torch.autocast:
    """Forward passes run in bfloat16 where the hardware has it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=choose_precision("auto", device) == torch.bfloat16)
