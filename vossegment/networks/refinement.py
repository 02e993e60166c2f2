"""From one response cell to its mask: the cell's vector and the search maps' windows under it.

SiamMask's refinement (SiamMask 3.3; MODELS, SiamMask section 4) with E3SN's aggregated vector (E3SN Fig. 3). Only
the chosen cells are computed, in training and in inference by the same function.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vossegment.networks.layers import conv_norm
from vossegment.networks.trunk import Maps

WINDOW = 127
"""Side of a cell's window and of its mask, in pixels of the search crop."""

# Of c3, c2, c1: cells a window, zero padding of the map, cells between the windows of neighbouring responses.
LEVELS = ((15, 4, 1), (31, 8, 2), (61, 16, 4))


def window(level: Tensor, cells: Tensor, *, size: int, padding: int, step: int) -> Tensor:
    """Windows of a map under response cells.

    ``level`` ``(N, C, H, W)``; ``cells`` ``(M, 3)`` int64: batch item, row, column -> ``(M, C, size, size)``.
    One gather of what is needed; nothing is unfolded.
    """
    item, row, column = cells.unbind(1)
    height, width = level.shape[2:]
    along = torch.arange(size, device=level.device) - padding
    rows, columns = (row * step)[:, None] + along, (column * step)[:, None] + along
    places = item[:, None, None], rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None, :]
    found = level.permute(0, 2, 3, 1)[places]  # the gather copies whole vectors
    if padding:
        beyond = ((rows < 0) | (rows >= height))[:, :, None] | ((columns < 0) | (columns >= width))[:, None, :]
        found = found.masked_fill_(beyond[..., None], 0.0)
    return found.permute(0, 3, 1, 2)


def grown(vectors: Tensor, deconv: nn.ConvTranspose2d) -> Tensor:
    """``deconv`` of single cells, ``(M, C)`` -> ``(M, outputs, k, k)``: a matrix product, and much quicker as one."""
    weight, bias = deconv.weight, deconv.bias
    assert bias is not None
    return (vectors @ weight.flatten(1)).view(-1, *weight.shape[1:]) + bias[:, None, None]


class RefineStep(nn.Module):
    """Adds the skip to the stream, and hands it on narrower; the enlargement comes after, where it is cheap."""

    def __init__(self, *, skip: int, width: int, outputs: int) -> None:
        super().__init__()
        self.vertical = nn.Sequential(conv_norm(skip, width), conv_norm(width, width))
        self.horizontal = nn.Sequential(conv_norm(width, width), conv_norm(width, width))
        self.post = conv_norm(width, outputs)

    def forward(self, x: Tensor, skip: Tensor, size: int) -> Tensor:
        x = self.post(self.horizontal(x) + self.vertical(skip))
        return F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)


class Refinement(nn.Module):
    """``channels`` of the cell's vector and ``skips`` of c3, c2, c1 -> 127x127 logits a cell.

    [ours] batch norm in each step, bilinear enlargement, and ``widths`` twice SiamMask's (32, 16, 4).
    """

    def __init__(
        self, *, channels: int, skips: tuple[int, int, int], widths: tuple[int, int, int] = (64, 32, 16)
    ) -> None:
        super().__init__()
        self.deconv = nn.ConvTranspose2d(channels, widths[0], 15, 15)
        self.norm = nn.BatchNorm2d(widths[0])
        outputs = (*widths[1:], widths[-1])
        self.steps = nn.ModuleList(
            RefineStep(skip=s, width=w, outputs=o) for s, w, o in zip(skips, widths, outputs, strict=True)
        )
        self.head = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, response: Tensor, maps: Maps, cells: Tensor) -> Tensor:
        """``response`` ``(N, C, 25, 25)``, ``cells`` ``(M, 3)`` -> logits ``(M, 127, 127)``."""
        item, row, column = cells.unbind(1)
        vectors = response.permute(0, 2, 3, 1)[item, row, column]  # (M, C)
        x = F.relu(self.norm(grown(vectors, self.deconv)))
        sizes = (31, 61, WINDOW)
        for step, level, (size, padding, stride), side in zip(
            self.steps, (maps.c3, maps.c2, maps.c1), LEVELS, sizes, strict=True
        ):
            x = step(x, window(level, cells, size=size, padding=padding, step=stride), side)
        logits: Tensor = self.head(x)
        return logits[:, 0]
