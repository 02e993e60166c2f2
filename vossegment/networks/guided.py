"""`guided` (ours): what the object looks like comes from a reference, where it is from the previous mask.

RGMP's idea inside a tracker's window, on a trunk for CPUs (MODELS-guided, "Network"). Nothing of a video lives in here:
a reference is a value, made once an object and handed to every step.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vossegment.networks.layers import conv_norm
from vossegment.networks.mobileone import MaskedMobileOneS0
from vossegment.networks.trunk import MaskedTrunk

_KEY = 64
_WIDTH = 128
_FAR = 4.0  # above any cosine similarity: cells of the other side never win a maximum


class Reference(NamedTuple):
    """What is known of N objects' looks, from C reference cells each: ``keys`` ``(N, 64, C)`` of length 1, ``masks``
    ``(N, C)`` how much of each cell is the object, ``means`` ``(N, 128)`` what the mean features inside and outside say
    to each cell."""

    keys: Tensor
    masks: Tensor
    means: Tensor

    def beside(self, other: Reference) -> Reference:
        """Both references' cells, and the mean of their means. Beside itself, a reference says what it said."""
        keys, masks = torch.cat([self.keys, other.keys], 2), torch.cat([self.masks, other.masks], 1)
        return Reference(keys, masks, (self.means + other.means) / 2)


def read_out(keys: Tensor, reference: Reference, temperature: Tensor) -> Tensor:
    """What the reference says of each target cell: ``keys`` ``(N, 64, h, w)`` of length 1 -> ``(N, 3, h, w)``.

    The reference mask read by softmax attention, the highest similarity to a cell inside the object, and to one
    outside.
    """
    n, _, h, w = keys.shape
    similarity = keys.flatten(2).transpose(1, 2) @ reference.keys  # (N, h * w, C)
    similarity = similarity.float()
    masks = reference.masks.float()
    read = ((similarity * temperature).softmax(2) @ masks[:, :, None])[..., 0]
    inside = (similarity + (masks[:, None] - 1) * _FAR).amax(2)
    outside = (similarity - masks[:, None] * _FAR).amax(2)
    return torch.stack([read, inside, outside], 1).view(n, 3, h, w)


class UpStep(nn.Module):
    """One step up: stream and skip brought to the same width and added, then two 3x3 with a residual."""

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.stream = conv_norm(inputs, outputs, 1)
        self.skip = conv_norm(skip, outputs, 1)
        self.body = nn.Sequential(conv_norm(outputs, outputs), conv_norm(outputs, outputs))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = _resized(self.stream(x), skip) + self.skip(skip)
        out: Tensor = self.body(x) + x
        return out


def _shares(masks: Tensor, level: Tensor) -> Tensor:
    """How much of each cell of ``level`` ``(N, c, h, w)`` is the object of ``masks`` ``(N, S, S)``: ``(N, 1, h * w)``;
    below 0 counts as 0."""
    own = masks[:, None].float().clamp(min=0)
    return F.interpolate(own, size=level.shape[-2:], mode="area").flatten(2)


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


class Guided(nn.Module):
    """1.8 M parameters on MobileOne-S0, 2.3 M on MobileNetV2. One look at a crop serves both: to find the object in
    it, and to remember it by. ``trunk`` gives five levels, at strides 2 to 32. ``starter`` is a network of the same
    kind that has learnt nothing but to begin; without one, this network does that, too."""

    def __init__(self, *, trunk: MaskedTrunk | None = None, starter: Guided | None = None) -> None:
        super().__init__()
        self.trunk = MaskedMobileOneS0() if trunk is None else trunk
        c2, c4, c8, c16, c32 = self.trunk.channels
        self.key = nn.Conv2d(c16, _KEY, 1)
        self.temperature = nn.Parameter(torch.tensor(10.0))
        self.fuse_16 = conv_norm(c16, _WIDTH, 1)
        self.fuse_32 = conv_norm(c32, _WIDTH, 1)
        self.fuse_means = nn.Conv2d(2 * c16, _WIDTH, 1)
        self.fuse_read = conv_norm(3, _WIDTH)
        self.mix = nn.ModuleList([conv_norm(_WIDTH, _WIDTH), conv_norm(_WIDTH, _WIDTH)])
        self.up_8 = UpStep(_WIDTH, c8, 64)
        self.up_4 = UpStep(64, c4, 48)
        self.up_2 = UpStep(48, c2, 32)
        self.head = nn.Conv2d(32, 1, 3, padding=1)
        self.starter = starter

    def begin(self, images: Tensor, guidance: Tensor) -> Tensor:
        """Logits ``(N, S, S)`` of an object of which nothing is known but ``guidance`` ``(N, S, S)``: its box, filled,
        or what the last such look at it gave."""
        own = self if self.starter is None else self.starter
        levels = own.look(images, guidance)
        return own.answer(own.remember(levels, guidance), levels)

    def look(self, images: Tensor, guidance: Tensor) -> list[Tensor]:
        """The trunk's five levels of ``images`` ``(N, 3, S, S)`` RGB 0..255, S a multiple of 32, with ``guidance``
        ``(N, S, S)``: 0..1 the object's mask, below 0 other objects, down to -1; all 0 where nothing is known."""
        levels: list[Tensor] = self.trunk(images, guidance[:, None])
        return levels

    def remember(self, levels: list[Tensor], masks: Tensor) -> Reference:
        """A reference from what ``look`` gave, ``masks`` ``(N, S, S)`` the object in it; below 0 counts as 0."""
        f16 = levels[3]
        cells = _shares(masks, f16)
        features = f16.flatten(2).float()
        inside = (features * cells).sum(2) / (cells.sum(2) + 1e-3)
        outside = (features * (1 - cells)).sum(2) / ((1 - cells).sum(2) + 1e-3)
        means = torch.cat([inside, outside], 1).to(f16.dtype)
        said = self.fuse_means(means[:, :, None, None])[:, :, 0, 0].float()
        return Reference(self._keys(f16).flatten(2), cells[:, 0], said)

    def answer(self, reference: Reference, levels: list[Tensor]) -> Tensor:
        """Logits ``(N, S, S)`` of the object in what ``look`` gave."""
        f2, f4, f8, f16, f32 = levels
        read = read_out(self._keys(f16), reference, self.temperature.float()).to(f16.dtype)
        means = reference.means[:, :, None, None].to(f16.dtype)
        x = self.fuse_16(f16) + _resized(self.fuse_32(f32), f16) + means + self.fuse_read(read)
        for layer in self.mix:
            x = layer(x) + x
        x = self.head(self.up_2(self.up_4(self.up_8(x, f8), f4), f2)).float()
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)[:, 0]

    def portrait(self, levels: list[Tensor], masks: Tensor) -> Tensor:
        """What the objects look like on the whole: the mean features at stride 8 inside ``masks`` as in ``remember``,
        ``(N, c8)`` of length 1, or 0 where a mask is empty. [ours]: of the five levels, this one told lost objects best
        from others that were taken for them; deeper ones tell kinds apart, not one from another."""
        f8 = levels[2]
        features = f8.permute(0, 2, 3, 1).flatten(1, 2).float()
        return F.normalize((_shares(masks, f8) @ features)[:, 0], dim=1)

    def reference(self, images: Tensor, masks: Tensor) -> Reference:
        """What is to be known of the object, from ``images`` seen with its ``masks``."""
        return self.remember(self.look(images, masks), masks)

    def segment(self, reference: Reference, images: Tensor, guidance: Tensor) -> Tensor:
        """Logits ``(N, S, S)`` of the object in ``images``; ``guidance`` is its mask a moment before."""
        return self.answer(reference, self.look(images, guidance))

    def _keys(self, f16: Tensor) -> Tensor:
        return F.normalize(self.key(f16), dim=1)
