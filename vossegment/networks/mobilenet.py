"""MobileNetV2: at stride 8 for the Siamese networks, whole and with a mask for `guided_mobilenet_v2`.

Sandler et al., "MobileNetV2", table 2. Batch norms are folded into the convolutions and so stay as ImageNet left
them. Stride-2 layers pad right and bottom only, as the TensorFlow weights were trained, or (``even``) all round, which
shifts what a cell looks at by a pixel and needs no copy.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vossegment.networks.trunk import Maps, MaskedTrunk, Normalise, Trunk

# Expansion, channels, repeats, stride, dilation of the first and of the further blocks.
_Groups = tuple[tuple[int, int, int, int, int, int], ...]
_FINE: _Groups = ((1, 16, 1, 1, 1, 1), (6, 24, 2, 2, 1, 1), (6, 32, 3, 2, 1, 1))
_SIAMESE: _Groups = (*_FINE, (6, 64, 4, 1, 1, 2), (6, 96, 3, 1, 2, 2))
_WHOLE: _Groups = (*_FINE, (6, 64, 4, 2, 1, 1), (6, 96, 3, 1, 1, 1), (6, 160, 3, 2, 1, 1), (6, 320, 1, 1, 1, 1))
_HALF = (127.5, 127.5, 127.5)  # to -1..1, as the ImageNet weights expect


class DepthwiseConv(nn.Conv2d):
    """3x3 depth-wise convolution; where a CPU learns through it, frozen or not, it goes by detours that give the same
    numbers, since in bfloat16 the backward pass of the direct way is many times slower.

    At stride 2 it is computed in its weights' own precision. At dilation 2 an ordinary convolution runs on four
    sub-grids: even and odd rows and columns, which see each other nowhere.
    """

    def __init__(self, channels: int, *, stride: int = 1, dilation: int = 1, even: bool = False) -> None:
        self_padded = stride == 1 or even
        super().__init__(channels, channels, 3, stride, dilation if self_padded else 0, dilation, channels)
        self.margins = None if self_padded else (0, 1, 0, 1)

    def forward(self, x: Tensor) -> Tensor:
        learns = torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad)
        detour = learns and x.device.type == "cpu"
        if self.margins is not None:
            x = F.pad(x, self.margins)
        if self.stride == (2, 2) and detour:
            with torch.autocast("cpu", enabled=False):
                return super().forward(x.to(self.weight.dtype)).to(x.dtype)
        if self.dilation == (1, 1) or not detour:
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

    def __init__(
        self, inputs: int, outputs: int, *, expansion: int, stride: int, dilation: int, even: bool = False
    ) -> None:
        super().__init__()
        hidden = inputs * expansion
        # Each activation stands behind its convolution: ``runtime`` may make one of both.
        self.expand = nn.Conv2d(inputs, hidden, 1) if expansion > 1 else None
        self.expanded = nn.ReLU6(inplace=True)
        self.depthwise = DepthwiseConv(hidden, stride=stride, dilation=dilation, even=even)
        self.filtered = nn.ReLU6(inplace=True)
        self.project = nn.Conv2d(hidden, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x if self.expand is None else self.expanded(self.expand(x))
        y = self.project(self.filtered(self.depthwise(y)))
        return x + y if self.residual else y


class _MobileNet(Trunk):
    """Stem, bottlenecks by ``groups``, and the levels after those of ``taken`` (counted from 1)."""

    def __init__(self, groups: _Groups, taken: tuple[int, ...], *, even: bool) -> None:
        super().__init__()
        self._taken = taken
        self._margins = None if even else (0, 1, 0, 1)
        self.normalise = Normalise(_HALF, _HALF)
        self.stem = nn.Conv2d(3, 32, 3, 2, int(even))
        blocks: list[InvertedResidual] = []
        inputs = 32
        for expansion, outputs, repeats, stride, first, further in groups:
            for i in range(repeats):
                blocks.append(
                    InvertedResidual(
                        inputs,
                        outputs,
                        expansion=expansion,
                        stride=stride if i == 0 else 1,
                        dilation=first if i == 0 else further,
                        even=even,
                    )
                )
                inputs = outputs
        self.blocks = nn.ModuleList(blocks)

    def stage_modules(self) -> list[nn.Module]:
        return [self.stem, *self.blocks]

    def _normalised(self, images: Tensor) -> Tensor:
        """RGB 0..255 as the stem wants it."""
        x = self.normalise(images).to(self.stem.weight.dtype)
        return x if self._margins is None else F.pad(x, self._margins)

    def _levels(self, x: Tensor) -> list[Tensor]:
        """From the stem's answer, after its ReLU6."""
        levels: list[Tensor] = []
        for i, block in enumerate(self.blocks, 1):
            x = block(x)
            if i in self._taken:
                levels.append(x)
        return levels


class MobileNetV2(_MobileNet):
    """To bottleneck 13, its fourth level kept at stride 8 by dilation 2; 16, 24, 32 and 96 channels; 0.53 M parameters.

    On odd crops the padding gives ``trunk``'s geometry by itself: 255 -> 127 -> 63 -> 31; c1 drops its outer ring to
    match the 125 of an unpadded 7x7 stem.
    """

    channels = (16, 24, 32, 96)

    def __init__(self) -> None:
        super().__init__(_SIAMESE, (1, 3, 6, 13), even=False)

    def forward(self, images: Tensor) -> Maps:
        c1, c2, c3, c4 = self._levels(F.relu6(self.stem(self._normalised(images)), inplace=True))
        return Maps(c1[:, :, 1:-1, 1:-1], c2, c3, c4)


class MaskedMobileNetV2(_MobileNet, MaskedTrunk):
    """To bottleneck 17, undilated, and the stem also sees a mask; 1.8 M parameters (MODELS-guided, "Network").

    Levels of 16, 24, 32, 96 and 320 channels at strides 2, 4, 8, 16 and 32.
    """

    channels = (16, 24, 32, 96, 320)
    activation = nn.ReLU6

    def __init__(self) -> None:
        super().__init__(_WHOLE, (1, 3, 6, 13, 17), even=True)
        self._add_mask_stem()

    def forward(self, images: Tensor, masks: Tensor) -> list[Tensor]:
        """See ``MaskedTrunk``."""
        return self._levels(self._after_stems(images, masks))
