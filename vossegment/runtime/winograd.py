"""3x3 convolutions with fewer multiplications, for float32 on CPUs.

Winograd's F(2x2, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks"): four outputs of a 4x4
tile from 16 products instead of 36. Where channels are many, the matrix products outweigh the sums around them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_LEAST_WORK = 512 * 512
"""Products of input and output channels from which it pays [ours]: 512 to 1024 at 31x31 takes 28 ms instead of 39."""


class WinogradConv(nn.Module):
    """A 3x3 convolution of stride 1, padded by 1; the same numbers up to rounding."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        g = torch.tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], dtype=torch.float64)
        kernels = g @ conv.weight.double() @ g.T  # (outputs, inputs, 4, 4)
        self.kernels = nn.Parameter(kernels.permute(2, 3, 1, 0).flatten(0, 1).float().contiguous(), requires_grad=False)
        self.bias = conv.bias

    @staticmethod
    def fits(conv: nn.Conv2d) -> bool:
        """Whether ``conv`` is one that this can do, and better."""
        plain = conv.kernel_size == (3, 3) and conv.stride == conv.dilation == conv.padding == (1, 1)
        enough = conv.in_channels * conv.out_channels >= _LEAST_WORK
        return plain and enough and conv.groups == 1 and conv.weight.dtype is torch.float32

    def forward(self, x: Tensor) -> Tensor:
        n, c, height, width = x.shape
        down, across = -(-height // 2), -(-width // 2)
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 2 * across + 1 - width, 1, 2 * down + 1 - height))
        rows = _differences([padded[:, i : i + 2 * down : 2] for i in range(4)])
        tiles = x.new_empty(16, n, down, across, c)
        for i, row in enumerate(rows):
            columns = _differences([row[:, :, j : j + 2 * across : 2] for j in range(4)])
            for j, column in enumerate(columns):
                tiles[4 * i + j] = column
        products = torch.bmm(tiles.view(16, -1, c), self.kernels).view(4, 4, n, down, across, -1)
        upper, lower = products[0] + products[1] + products[2], products[1] - products[2] - products[3]
        out = x.new_empty(n, down, 2, across, 2, products.shape[5])
        for i, half in enumerate((upper, lower)):
            out[:, :, i, :, 0] = half[0] + half[1] + half[2]
            out[:, :, i, :, 1] = half[1] - half[2] - half[3]
        out = out.view(n, 2 * down, 2 * across, -1)[:, :height, :width]
        return (out if self.bias is None else out + self.bias).permute(0, 3, 1, 2)


def _differences(d: list[Tensor]) -> list[Tensor]:
    """One side of the tiles' transform."""
    return [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]]
