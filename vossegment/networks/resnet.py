"""ResNet-50 and ResNet-18 to conv4 at stride 8 (He et al., "Deep Residual Learning"; E3SN 3.2).

One class structure for every origin of weights; what differs between them is a parameter:

- ``stride_on``: the 3x3 of a block (torchvision's v1.5, SiamMask) or its first 1x1 (the original ResNet).
- ``shortcut``: 1 (torchvision) or 3 (SiamMask's conv3 and conv4; 36 % of its trunk's multiply-adds).
- ``raw``: colours enter as they are, 0..255 (SiamMask), not normalised as ImageNet's.

The stem and conv3's first block go without padding, as SiamMask, so that every trunk has one geometry
(``networks.trunk``); a 1x1 stride-2 convolution therefore reads the odd cells, where a 3x3 is centred.
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from vossegment.networks.trunk import Maps, Normalise, Trunk

StrideOn = Literal["3x3", "1x1"]


def _conv3(inputs: int, outputs: int, stride: int, dilation: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 0 if stride == 2 else dilation, dilation, bias=False)


def _odd_cells(x: Tensor, stride: int) -> Tensor:
    """Start of a 1x1 convolution at stride 2, moved under the centre of an unpadded 3x3."""
    return x[:, :, 1:, 1:] if stride == 2 else x


class _Shortcut(nn.Sequential):
    """Convolution and batch norm of the shortcut, 1x1 or 3x3."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, stride: int) -> None:
        conv = _conv3(inputs, outputs, stride, 1) if kernel == 3 else nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        super().__init__(conv, nn.BatchNorm2d(outputs))
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.kernel == 3 else _odd_cells(x, self.stride)
        for layer in self:
            x = layer(x)
        return x


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 with four times the channels out."""

    growth = 4

    def __init__(
        self, inputs: int, width: int, *, stride: int, dilation: int, shortcut: int, stride_on: StrideOn
    ) -> None:
        super().__init__()
        self.stride_on_1x1 = stride if stride_on == "1x1" else 1
        # Each activation stands behind its convolution: ``runtime`` may make one of both.
        self.conv1 = nn.Conv2d(inputs, width, 1, self.stride_on_1x1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.act1 = nn.ReLU(inplace=True)
        self.conv2 = _conv3(width, width, stride if stride_on == "3x3" else 1, dilation)
        self.bn2 = nn.BatchNorm2d(width)
        self.act2 = nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(width, width * 4, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * 4)
        self.downsample = _Shortcut(inputs, width * 4, kernel=shortcut, stride=stride) if inputs != width * 4 else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.act1(self.bn1(self.conv1(_odd_cells(x, self.stride_on_1x1))))
        y = self.act2(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)
        return F.relu_(y)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, of ResNet-18."""

    growth = 1

    def __init__(
        self, inputs: int, width: int, *, stride: int, dilation: int, shortcut: int, stride_on: StrideOn
    ) -> None:
        super().__init__()
        if stride_on != "3x3":
            raise ValueError("a basic block has no 1x1 convolution to take the stride")
        self.conv1 = _conv3(inputs, width, stride, dilation)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3(width, width, 1, dilation)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _Shortcut(inputs, width, kernel=shortcut, stride=stride) if inputs != width else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(Trunk):
    """Stem, conv2, conv3 and conv4; conv4 keeps stride 8 by dilation 2 in all but its first block."""

    def __init__(
        self,
        block: type[Bottleneck] | type[BasicBlock],
        repeats: tuple[int, int, int],
        *,
        shortcut: int = 1,
        stride_on: StrideOn = "3x3",
        raw: bool = False,
    ) -> None:
        super().__init__()
        self.raw = raw
        self.conv1 = nn.Conv2d(3, 64, 7, 2, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self._inputs = 64

        def layer(width: int, count: int, stride: int, further_dilation: int, kernel: int) -> nn.Sequential:
            blocks = []
            for i in range(count):
                blocks.append(
                    block(
                        self._inputs,
                        width,
                        stride=stride if i == 0 else 1,
                        dilation=1 if i == 0 else further_dilation,
                        shortcut=kernel,
                        stride_on=stride_on,
                    )
                )
                self._inputs = width * block.growth
            return nn.Sequential(*blocks)

        self.layer1 = layer(64, repeats[0], 1, 1, 1)
        self.layer2 = layer(128, repeats[1], 2, 1, shortcut)
        self.layer3 = layer(256, repeats[2], 1, 2, shortcut)
        self.channels = (64, 64 * block.growth, 128 * block.growth, 256 * block.growth)
        self.normalise = Normalise()

    def stage_modules(self) -> list[nn.Module]:
        return [nn.ModuleList([self.conv1, self.bn1]), self.layer1, self.layer2, self.layer3]

    def forward(self, images: Tensor) -> Maps:
        x = (images if self.raw else self.normalise(images)).to(self.conv1.weight.dtype)
        c1 = F.relu(self.bn1(self.conv1(x)))
        c2 = self.layer1(F.max_pool2d(c1, 3, 2, 1))
        c3 = self.layer2(c2)
        return Maps(c1, c2, c3, self.layer3(c3))


def resnet50(*, shortcut: int = 1, stride_on: StrideOn = "3x3", raw: bool = False) -> ResNet:
    """ResNet-50: levels of 64, 256, 512 and 1024 channels."""
    return ResNet(Bottleneck, (3, 4, 6), shortcut=shortcut, stride_on=stride_on, raw=raw)


def resnet18() -> ResNet:
    """ResNet-18: levels of 64, 64, 128 and 256 channels."""
    return ResNet(BasicBlock, (2, 2, 2))
