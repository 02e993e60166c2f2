"""MobileOne-S0 that also sees a mask: the trunk of `guided`.

Vasu et al., "MobileOne: An Improved One millisecond Mobile Backbone", variant S0 of github.com/apple/ml-mobileone. Its
branches are summed into one convolution each, so it is a plain chain: 3x3 depth-wise and 1x1 by turns, a ReLU after
each, nothing beside it. Batch norms are folded in and so stay as ImageNet left them.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from vossegment.networks.mobilenet import DepthwiseConv
from vossegment.networks.trunk import MaskedTrunk, Normalise

_STEM = 48
_STAGES = ((48, 2), (128, 8), (256, 10), (1024, 1))
"""Width and blocks; the first block of each has stride 2."""


class Block(nn.Sequential):
    """3x3 depth-wise with ``stride``, 1x1, a ReLU after each: ``(N, inputs, S, S)`` -> ``(N, outputs, S / stride,
    S / stride)``."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        layers: dict[str, nn.Module] = {
            "depthwise": DepthwiseConv(inputs, stride=stride, even=True),
            "filtered": nn.ReLU(inplace=True),
            "pointwise": nn.Conv2d(inputs, outputs, 1),
            "mixed": nn.ReLU(inplace=True),
        }
        super().__init__(OrderedDict(layers))


class MaskedMobileOneS0(MaskedTrunk):
    """All five stages; 1.05 M parameters. Levels of 48, 48, 128, 256 and 1024 channels at strides 2, 4, 8, 16, 32."""

    channels = (_STEM, *(width for width, _ in _STAGES))
    activation = nn.ReLU

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _STEM, 3, 2, 1)
        self._add_mask_stem()
        inputs, stages = _STEM, []
        for width, count in _STAGES:
            blocks = [Block(inputs, width, stride=2)]
            blocks += [Block(width, width, stride=1) for _ in range(count - 1)]
            stages.append(nn.Sequential(*blocks))
            inputs = width
        self.stages = nn.ModuleList(stages)
        self.normalise = Normalise()

    def stage_modules(self) -> list[nn.Module]:
        return [self.stem, *(block for stage in self.stages for block in stage)]  # type: ignore[attr-defined]

    def forward(self, images: Tensor, masks: Tensor) -> list[Tensor]:
        """See ``MaskedTrunk``."""
        levels = [self._after_stems(images, masks)]
        for stage in self.stages:
            levels.append(stage(levels[-1]))
        return levels
