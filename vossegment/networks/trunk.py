"""Trunks: those of the Siamese networks, which give Maps, and those that see a mask as well.

Maps of a crop of ``s`` pixels, whatever the Siamese trunk (MODELS, SiamMask section 2: no padding at the stem and where
the third level begins). Cell ``i`` of a level with stride ``d`` looks at crop pixel ``d * i + first``:

    level   stride   first   127 px   255 px
    c1        2        3       61      125
    c2        4        3       31       63
    c3, c4    8        7       15       31
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn


class Maps(NamedTuple):
    """A trunk's four levels, each ``(N, C, H, W)``; sizes in the module's docstring."""

    c1: Tensor
    c2: Tensor
    c3: Tensor
    c4: Tensor


Colour = tuple[float, float, float]

MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""ImageNet's, of colours 0..255, as torchvision's weights and Apple's want them."""


class Normalise(nn.Module):
    """Colours 0..255, less the mean, by the deviation."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Colour = MEAN, deviation: Colour = DEVIATION) -> None:
        super().__init__()
        for name, colours in (("mean", mean), ("std", deviation)):
            self.register_buffer(name, torch.tensor(colours).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """``(N, 3, S, S)`` of any layout -> the same, channels last."""
        rows = images.permute(0, 2, 3, 1).flatten(2)  # (N, S, 3 S): three colours by themselves are no vector
        mean, std = (colours.flatten().repeat(images.shape[3]) for colours in (self.mean, self.std))
        return ((rows - mean) / std).view(*images.shape[:1], *images.shape[2:], 3).permute(0, 3, 1, 2)


class Trunk(nn.Module):
    """The part of a network that begins with ImageNet's weights. It takes ``(N, 3, S, S)`` RGB crops with values
    0..255 and normalises them itself; those of the Siamese networks give Maps."""

    channels: tuple[int, ...]
    """Channels of the levels, the finest first."""

    def freeze(self, stages: int) -> None:
        """Stops training of the first ``stages`` of ``stage_modules``."""
        for module in self.stage_modules()[:stages]:
            module.requires_grad_(False)

    def stage_modules(self) -> list[nn.Module]:
        """The trunk's parts in order, the unit of freezing."""
        raise NotImplementedError


class MaskedTrunk(Trunk):
    """A trunk whose stem, at stride 2, also sees a mask: by a convolution of its own, whose answer is added before the
    activation. The ImageNet weights stay as they are (MODELS-guided, "Network")."""

    normalise: Normalise
    stem: nn.Conv2d
    mask_stem: nn.Conv2d
    activation: ClassVar[type[nn.ReLU] | type[nn.ReLU6]]
    """What follows the stem."""

    both_stems: nn.Module | None

    def forward(self, images: Tensor, masks: Tensor) -> list[Tensor]:
        """``images`` ``(N, 3, S, S)`` 0..255 and ``masks`` ``(N, 1, S, S)`` -1..1 -> level i is
        ``(N, channels[i], S / 2^(i + 1), S / 2^(i + 1))``; S is a multiple of 32."""
        raise NotImplementedError

    def _add_mask_stem(self) -> None:
        """The mask's convolution beside the stem."""
        self.mask_stem = nn.Conv2d(1, self.stem.out_channels, 3, 2, 1)
        nn.init.normal_(self.mask_stem.weight, std=0.05)
        self.both_stems = None

    def _after_stems(self, images: Tensor, masks: Tensor) -> Tensor:
        """Both stems' sum after the activation."""
        dtype = self.stem.weight.dtype
        if self.both_stems is None:
            summed = self.stem(self.normalise(images).to(dtype)) + self.mask_stem(masks.to(dtype))
            return cast(Tensor, self.activation(inplace=True)(summed))
        inputs = (images, masks.to(images.dtype), torch.ones_like(masks, dtype=images.dtype))
        together = torch.cat([x.permute(0, 2, 3, 1) for x in inputs], 3).to(dtype)
        return cast(Tensor, self.both_stems(together.permute(0, 3, 1, 2)))

    def fuse(self) -> None:
        """Makes one convolution of colours' normalisation and the two stems, for inference.

        Its fifth input is 1 within the picture, for the mean colour to be taken off there and not from the padding.
        """
        both = nn.Conv2d(5, self.stem.out_channels, 3, 2, 1)
        (stem, bias), (mask_stem, mask_bias) = ((conv.weight, conv.bias) for conv in (self.stem, self.mask_stem))
        colours = stem / self.normalise.std
        off = -(colours * self.normalise.mean).sum(1, keepdim=True)
        both.weight = nn.Parameter(torch.cat([colours, mask_stem, off], 1))
        both.bias = nn.Parameter(cast(Tensor, bias) + cast(Tensor, mask_bias))
        self.both_stems = nn.Sequential(both.requires_grad_(False), self.activation(inplace=True))
