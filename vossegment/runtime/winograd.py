"""3x3 convolutions with fewer multiplications, for float32 on CPUs.

Winograd's F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks"): sixteen outputs of a 6x6
tile from 36 products instead of 144. Where channels are many, the matrix products outweigh the sums around them. A
dilated convolution is several plain ones, each on every so many rows and columns.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
"""[ours] Where the polynomials are evaluated: a third of the rounding error of the usual 0, 1, -1, 2, -2."""
_OUT, _IN = 4, 6
"""Side of a tile of outputs, and of the inputs it needs."""
_LEAST_WORK = 256 * 256
"""Products of input and output channels from which it pays [ours]: 512 to 1024 at 31x31 takes half the time, 256 to
256 two thirds, 64 to 64 more than before."""


def transforms() -> tuple[Tensor, Tensor, Tensor]:
    """Toom and Cook's matrices, float64: of outputs ``(4, 6)``, kernels ``(6, 3)`` and inputs ``(6, 6)``; the outputs
    are ``A ((G g) * (B d))``. The last point is infinity: the polynomials' highest coefficients."""
    points = torch.tensor(_POINTS, dtype=torch.float64)
    outputs, kernels, inputs = (
        torch.zeros(shape, dtype=torch.float64) for shape in ((_OUT, _IN), (_IN, 3), (_IN, _IN))
    )
    for j, point in enumerate(points):
        others = torch.cat([points[:j], points[j + 1 :]])
        outputs[:, j] = point ** torch.arange(_OUT)
        kernels[j] = point ** torch.arange(3) / (point - others).prod()
        inputs[j, :-1] = _with_roots(others)
    outputs[-1, -1] = kernels[-1, -1] = 1
    inputs[-1] = _with_roots(points)
    return outputs, kernels, inputs


def _with_roots(roots: Tensor) -> Tensor:
    """Coefficients of the product of ``x - root``, the lowest first."""
    made = roots.new_ones(1)
    for root in roots:
        made = F.pad(made, (1, 0)) - root * F.pad(made, (0, 1))
    return made


class WinogradConv(nn.Module):
    """A 3x3 convolution of stride 1; the same numbers up to rounding."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        outputs, kernels, inputs = transforms()
        made = (kernels @ conv.weight.double() @ kernels.T).permute(2, 3, 1, 0).flatten(0, 1)
        self.kernels = nn.Parameter(made.float().contiguous(), requires_grad=False)  # (36, inputs, outputs)
        # Both sides of a tile at once.
        self.inputs = nn.Parameter(torch.kron(inputs, inputs).float(), requires_grad=False)
        self.outputs = nn.Parameter(torch.kron(outputs, outputs).float(), requires_grad=False)
        self.bias = conv.bias
        self._padding = tuple(int(side) for side in conv.padding)
        self._dilation = conv.dilation

    @staticmethod
    def fits(conv: nn.Conv2d) -> bool:
        """Whether ``conv`` is one that this can do, and better."""
        plain = conv.kernel_size == (3, 3) and conv.stride == (1, 1) and conv.groups == 1
        return plain and conv.in_channels * conv.out_channels >= _LEAST_WORK and conv.weight.dtype is torch.float32

    def forward(self, x: Tensor) -> Tensor:
        n, channels = x.shape[:2]
        (top, left), (dy, dx) = self._padding, self._dilation
        height, width = x.shape[2] + 2 * (top - dy), x.shape[3] + 2 * (left - dx)  # of the outputs
        down, across = -(-height // (_OUT * dy)), -(-width // (_OUT * dx))
        rows, columns = _OUT * down + 2, _OUT * across + 2
        margins = (left, columns * dx - x.shape[3] - left, top, rows * dy - x.shape[2] - top)
        grid = F.pad(x.permute(0, 2, 3, 1), (0, 0, *margins)).view(n, rows, dy, columns, dx, channels)
        tiles = grid.unfold(1, _IN, _OUT).unfold(3, _IN, _OUT)  # (n, down, dy, across, dx, channels, 6, 6)
        tiles = tiles.permute(6, 7, 0, 2, 4, 1, 3, 5).reshape(_IN * _IN, -1)
        products = torch.bmm((self.inputs @ tiles).view(_IN * _IN, -1, channels), self.kernels)
        out = (self.outputs @ products.flatten(1)).view(_OUT, _OUT, n, dy, dx, down, across, -1)
        out = out.permute(2, 5, 0, 3, 6, 1, 4, 7).reshape(n, _OUT * down * dy, _OUT * across * dx, -1)
        out = out[:, :height, :width]
        return (out if self.bias is None else out + self.bias).permute(0, 3, 1, 2)
