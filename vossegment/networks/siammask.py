"""SiamMask in all its variants, SiamRPN and SiamFC: one trunk, and branches that each correlate for themselves.

Wang, Zhang, Bertinetto, Hu, Torr: "Fast Online Object Tracking and Segmentation: A Unifying Approach" [p]; where the
published checkpoints differ from it, as they are [o] (MODELS-siammask, sections 2 to 4 and 9).

    z (127) ─ trunk ─ adjust ─ 7x7 ┬ score:  3x3 ─ kernel 5x5 ┐
                                   ├ box:    3x3 ─ kernel 5x5 ┤ correlate ─ 25x25 ─ 1x1 ─ 1x1 ─ scores, boxes, masks
                                   └ mask:   3x3 ─ kernel 5x5 ┤
    x (255) ─ trunk ─ adjust ─ 31x31 ─ a 3x3 for each branch ─┘        mask's cell ─ refinement with the trunk's maps

Scores and boxes are wanted of every cell, a mask only of few: outside training, the mask branch is computed for those
alone.
"""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from vossegment.networks.correlation import centre, correlate
from vossegment.networks.layers import conv_norm
from vossegment.networks.refinement import LEVELS, WINDOW, grown, window
from vossegment.networks.resnet import resnet50
from vossegment.networks.trunk import Maps, Trunk

ANCHORS = 5
NECK = 256
COARSE = 63
"""Side of a mask without refinement; it covers the same 127 crop pixels."""
_KERNEL = 5
_UNPADDED = 25
"""Response cells a side from which a cell's windows reach beyond the search crop."""


class Kernels(NamedTuple):
    """What is correlated with the search, of N objects: ``(N, 256, 5, 5)`` a branch, empty where there is none."""

    score: Tensor
    box: Tensor
    mask: Tensor


class Response(NamedTuple):
    """``scores`` ``(N, 2, 5, R, R)`` logits background/foreground, or ``(N, 1, 1, R, R)`` similarity; ``boxes``
    ``(N, 4, 5, R, R)`` dx, dy, dw, dh of the anchors; the rest is what masks need: the mask's ``kernels``, the
    ``adjusted`` search ``(N, 256, R + 6, R + 6)`` and the trunk's ``maps``. R is 25, in crops of 143 pixels 3."""

    scores: Tensor
    boxes: Tensor
    kernels: Tensor
    adjusted: Tensor
    maps: Maps


class Branch(nn.Module):
    """Kernel and search each by a 3x3 of its own, correlated channel by channel, then two 1x1 [p "depth-wise"; o]."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.kernel = conv_norm(NECK, NECK, padded=False)
        self.search = conv_norm(NECK, NECK, padded=False)
        self.head = nn.Sequential(*conv_norm(NECK, NECK, 1), nn.Conv2d(NECK, outputs, 1))

    def forward(self, kernel: Tensor, adjusted: Tensor) -> Tensor:
        """``kernel`` ``(N, 256, 5, 5)``, ``adjusted`` ``(N, 256, H, H)`` -> ``(N, outputs, H - 6, H - 6)``."""
        out: Tensor = self.head(self.correlated(kernel, adjusted))
        return out

    def correlated(self, kernel: Tensor, adjusted: Tensor) -> Tensor:
        """The correlation before the head, ``(N, 256, H - 6, H - 6)``."""
        return correlate(kernel, self.search(adjusted))

    def at_cells(self, kernel: Tensor, adjusted: Tensor, cells: Tensor, *, answered: bool) -> Tensor:
        """The correlation of single cells, ``cells`` ``(M, 3)`` item, row, column -> ``(M, 256)``, or what the head
        answers for it, ``(M, outputs)``.

        In training everything is computed, so that the batch norms see what they saw of the published weights [o].
        """
        if self.training:
            whole = self.correlated(kernel, adjusted)
            whole = self.head[:-1](whole) if answered else whole
            vectors = whole.permute(0, 2, 3, 1)[cells.unbind(1)]
        else:
            under = window(adjusted, cells, size=_KERNEL + 2, padding=0, step=1)
            vectors = (self.search(under) * kernel[cells[:, 0]]).sum((2, 3))
            vectors = self.head[:-1](vectors[:, :, None, None])[:, :, 0, 0] if answered else vectors
        return self.head[-1](vectors[:, :, None, None])[:, :, 0, 0] if answered else vectors


def _pair(inputs: int, between: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, between, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(between, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
    )


class Sharpening(nn.Module):
    """SiamMask's refinement [p 3.3, Appendix; o]: from a cell's vector to 127x127 logits with c3, c2 and c1, which
    have ``skips`` channels, the finest first."""

    def __init__(self, skips: tuple[int, int, int] = (64, 256, 512)) -> None:
        super().__init__()
        c1, c2, c3 = skips
        self.v0, self.v1, self.v2 = _pair(c1, 16, 4), _pair(c2, 64, 16), _pair(c3, 128, 32)
        self.h2, self.h1, self.h0 = _pair(32, 32, 32), _pair(16, 16, 16), _pair(4, 4, 4)
        self.deconv = nn.ConvTranspose2d(NECK, 32, 15, 15)
        self.post0 = nn.Conv2d(32, 16, 3, padding=1)
        self.post1 = nn.Conv2d(16, 4, 3, padding=1)
        self.post2 = nn.Conv2d(4, 1, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, a=1)

    def forward(self, vectors: Tensor, maps: Maps, cells: Tensor, *, padded: bool) -> Tensor:
        """``vectors`` ``(M, 256)`` of ``cells`` ``(M, 3)`` -> logits ``(M, 127, 127)``; windows of the maps may reach
        over their border if ``padded``."""
        c3, c2, c1 = (
            window(level, cells, size=size, padding=padding if padded else 0, step=step)
            for level, (size, padding, step) in zip((maps.c3, maps.c2, maps.c1), LEVELS, strict=True)
        )
        x = grown(vectors, self.deconv)
        x = self.post0(F.interpolate(self.h2(x) + self.v2(c3), size=31))
        x = self.post1(F.interpolate(self.h1(x) + self.v1(c2), size=61))
        logits: Tensor = self.post2(F.interpolate(self.h0(x) + self.v0(c1), size=WINDOW))
        return logits[:, 0]


class SiamMask(nn.Module):
    """``anchors``: score and box of five anchors a cell, else one similarity a cell. ``masks``: a mask of any cell,
    ``refined`` to 127x127, else 63x63.

    3-branch SiamMask has all, 2-branch SiamMask no anchors, SiamRPN no masks, SiamFC neither.
    """

    def __init__(
        self, *, trunk: Trunk | None = None, anchors: bool = True, masks: bool = True, refined: bool = True
    ) -> None:
        super().__init__()
        self.trunk = resnet50(shortcut=3, raw=True) if trunk is None else trunk
        self.adjust = conv_norm(self.trunk.channels[-1], NECK, 1, relu=False)
        self.score = Branch(2 * ANCHORS if anchors else 1)
        self.box = Branch(4 * ANCHORS) if anchors else None
        self.mask = Branch(COARSE * COARSE) if masks else None
        c1, c2, c3, _ = self.trunk.channels
        self.refine = Sharpening((c1, c2, c3)) if masks and refined else None
        self.masked = masks

    def template(self, crops: Tensor) -> Kernels:
        """``crops`` ``(N, 3, 127, 127)`` RGB 0..255 -> the branches' kernels, computed once an object."""
        maps: Maps = self.trunk(crops)
        adjusted = centre(self.adjust(maps.c4), 7)
        return Kernels(*(self._kernel(branch, adjusted) for branch in (self.score, self.box, self.mask)))

    def _kernel(self, branch: Branch | None, adjusted: Tensor) -> Tensor:
        kernel: Tensor = adjusted[:, :0] if branch is None else branch.kernel(adjusted)
        return kernel

    def search(self, template: Kernels, crops: Tensor) -> Response:
        """``crops`` ``(N, 3, S, S)`` RGB 0..255, one a template, S 255 or, in training of the refinement, 143."""
        maps: Maps = self.trunk(crops)
        adjusted = self.adjust(maps.c4)
        if adjusted.shape[3] < 20:
            adjusted = centre(adjusted, adjusted.shape[3] - 8)
        n, anchors = len(crops), ANCHORS if self.box is not None else 1
        scores = self.score(template.score, adjusted)
        rows = scores.shape[2]
        scores = scores.view(n, -1, anchors, rows, rows)
        boxes = scores.new_zeros(n, 4, 0, rows, rows)
        if self.box is not None:
            boxes = self.box(template.box, adjusted).view(n, 4, anchors, rows, rows)
        return Response(scores, boxes, template.mask, adjusted, maps)

    def masks(self, response: Response, cells: Tensor) -> Tensor:
        """``cells`` ``(M, 3)`` int64 item, row, column -> logits of their windows, ``(M, 127, 127)`` or
        ``(M, 63, 63)``. Raises ValueError where the variant has no masks."""
        if self.mask is None:
            raise ValueError("this variant has no mask branch")
        if self.refine is None:
            coarse = self.mask.at_cells(response.kernels, response.adjusted, cells, answered=True)
            return coarse.view(-1, COARSE, COARSE)
        vectors = self.mask.at_cells(response.kernels, response.adjusted, cells, answered=False)
        padded = response.scores.shape[-1] >= _UNPADDED
        logits: Tensor = self.refine(vectors, response.maps, cells, padded=padded)
        return logits
