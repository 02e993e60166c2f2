"""The one anchor grid: five shapes on each response cell, 25 x 25 of them in tracking (MODELS, SiamMask section 5)."""

from __future__ import annotations

import torch
from torch import Tensor

RATIOS = (0.33, 0.5, 1.0, 2.0, 3.0)
STRIDE = 8
SCALE = 8
TEMPLATE = 127
"""Side of a template crop in pixels."""
SEARCH = 255
"""Side of a search crop in pixels."""
RESPONSE = 25
"""Cells a side of the response."""
MASK_FIRST = -32
"""Search crop pixel where the first cell's mask window begins; the next ones follow STRIDE pixels apart."""
MASK_SIDE = 127
"""Side of a cell's mask window, in pixels of the search crop."""


def anchor_sizes() -> Tensor:
    """``(5, 2)`` widths and heights in crop pixels: 104x32 88x40 64x64 40x80 32x96, rounded as SiamMask rounds."""
    area = STRIDE * STRIDE
    sizes = []
    for ratio in RATIOS:
        width = int((area / ratio) ** 0.5)
        sizes.append((width * SCALE, int(width * ratio) * SCALE))
    return torch.tensor(sizes, dtype=torch.float32)


def anchor_grid(response: int = RESPONSE, search: int = SEARCH) -> Tensor:
    """``(4, 5, R, R)`` cx, cy, w, h in pixels of the search crop, edges (the centre of one of 255 is 127.5)."""
    along = torch.arange(response) * STRIDE - (response - 1) * STRIDE / 2 + search / 2
    sizes = anchor_sizes()
    shape = (len(RATIOS), response, response)
    return torch.stack(
        [
            along[None, None, :].expand(shape),
            along[None, :, None].expand(shape),
            sizes[:, 0, None, None].expand(shape),
            sizes[:, 1, None, None].expand(shape),
        ]
    )


def decode(deltas: Tensor, anchors: Tensor) -> Tensor:
    """Network output dx, dy, dw, dh -> cx, cy, w, h; the coordinates on axis -4, anchors as ``anchor_grid``."""
    dx, dy, dw, dh = deltas.unbind(-4)
    cx, cy, w, h = anchors.unbind(-4)
    return torch.stack([cx + dx * w, cy + dy * h, w * dw.exp(), h * dh.exp()], -4)


def encode(box: Tensor, anchors: Tensor) -> Tensor:
    """The inverse of ``decode``: ``box`` ``(4,)`` cx, cy, w, h -> deltas of every anchor, as ``anchors``."""
    bx, by, bw, bh = box.unbind(-1)
    cx, cy, w, h = anchors.unbind(-4)
    return torch.stack([(bx - cx) / w, (by - cy) / h, (bw / w).log(), (bh / h).log()], -4)


def overlap(box: Tensor, anchors: Tensor) -> Tensor:
    """IoU of ``box`` ``(4,)`` cx, cy, w, h with every anchor, ``(5, 25, 25)``."""
    bx, by, bw, bh = box.unbind(-1)
    cx, cy, w, h = anchors.unbind(-4)
    width = (torch.minimum(cx + w / 2, bx + bw / 2) - torch.maximum(cx - w / 2, bx - bw / 2)).clamp(min=0)
    height = (torch.minimum(cy + h / 2, by + bh / 2) - torch.maximum(cy - h / 2, by - bh / 2)).clamp(min=0)
    shared = width * height
    return shared / (w * h + bw * bh - shared)
