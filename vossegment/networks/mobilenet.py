"""MobileNetV2 to bottleneck 13, at stride 8: the trunk for CPUs.

Sandler et al., "MobileNetV2", table 2, cut where 96 channels are reached; the fourth level keeps stride 8 by
dilation 2. Batch norms are folded into the convolutions and so stay as ImageNet left them. Stride-2 layers pad
right and bottom only (as the TensorFlow weights were trained), which on odd crops gives ``trunk``'s geometry by
itself: 255 -> 127 -> 63 -> 31; c1 drops its outer ring to match the 125 of an unpadded 7x7 stem.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from vossegment.networks.trunk import Maps, Trunk

# Expansion, channels, repeats, stride, dilation of the first and of the further blocks.
_GROUPS = (
    (1, 16, 1, 1, 1, 1),
    (6, 24, 2, 2, 1, 1),
    (6, 32, 3, 2, 1, 1),
    (6, 64, 4, 1, 1, 2),
    (6, 96, 3, 1, 2, 2),
)
_LEVELS = (1, 3, 6, 13)  # bottlenecks after which c1, c2, c3, c4 are taken


class DepthwiseConv(nn.Conv2d):
    """3x3 depth-wise convolution; at dilation 2 trained as an ordinary one on four sub-grids.

    The sub-grids (even and odd rows and columns) see each other nowhere in a convolution of dilation 2, so the
    numbers are the same; on a CPU the backward pass is ten times faster.
    """

    def __init__(self, channels: int, *, stride: int = 1, dilation: int = 1) -> None:
        padding = 0 if stride == 2 else dilation
        super().__init__(channels, channels, 3, stride, padding, dilation, channels)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == (2, 2):
            return super().forward(F.pad(x, (0, 1, 0, 1)))
        if self.dilation == (1, 1) or not (self.training and x.device.type == "cpu"):
            return super().forward(x)
        n, c, h, w = x.shape
        x = F.pad(x, (0, w % 2, 0, h % 2)).permute(0, 2, 3, 1)  # channels last: whole vectors are moved
        rows, columns = x.shape[1] // 2, x.shape[2] // 2
        x = x.reshape(n, rows, 2, columns, 2, c).permute(2, 4, 0, 1, 3, 5).reshape(4 * n, rows, columns, c)
        x = F.conv2d(x.permute(0, 3, 1, 2), self.weight, self.bias, padding=1, groups=c).permute(0, 2, 3, 1)
        x = x.reshape(2, 2, n, rows, columns, c).permute(2, 3, 0, 4, 1, 5)
        return x.reshape(n, 2 * rows, 2 * columns, c)[:, :h, :w].permute(0, 3, 1, 2)


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depth-wise, 1x1 projection; the input is added where shapes allow."""

    def __init__(self, inputs: int, outputs: int, *, expansion: int, stride: int, dilation: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = nn.Conv2d(inputs, hidden, 1) if expansion > 1 else None
        self.depthwise = DepthwiseConv(hidden, stride=stride, dilation=dilation)
        self.project = nn.Conv2d(hidden, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return x + y if self.residual else y


class MobileNetV2(Trunk):
    """Levels of 16, 24, 32 and 96 channels; 0.53 M parameters."""

    channels = (16, 24, 32, 96)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 2)
        blocks: list[InvertedResidual] = []
        inputs = 32
        for expansion, outputs, repeats, stride, first, further in _GROUPS:
            for i in range(repeats):
                blocks.append(
                    InvertedResidual(
                        inputs,
                        outputs,
                        expansion=expansion,
                        stride=stride if i == 0 else 1,
                        dilation=first if i == 0 else further,
                    )
                )
                inputs = outputs
        self.blocks = nn.ModuleList(blocks)

    def stage_modules(self) -> list[nn.Module]:
        return [self.stem, *self.blocks]

    def forward(self, images: Tensor) -> Maps:
        x = (images / 127.5 - 1).to(self.stem.weight.dtype)  # -1..1, as the ImageNet weights expect
        x = F.relu6(self.stem(F.pad(x, (0, 1, 0, 1))), inplace=True)
        levels: list[Tensor] = []
        for i, block in enumerate(self.blocks, 1):
            x = block(x)
            if i in _LEVELS:
                levels.append(x)
        c1, c2, c3, c4 = levels
        return Maps(c1[:, :, 1:-1, 1:-1], c2, c3, c4)
