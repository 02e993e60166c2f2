"""E3SN: an end-to-end Siamese tracker-segmenter.

Lan, Zhang, Xu, Zhang: "Efficient End-to-End Siamese Network for Video Object Segmentation". A trunk shared by
template z and search crop x; depth-wise correlations of three levels, summed with learned weights; a score and a
box for each anchor of each response cell; a mask for the cells that are asked for, and only for those.

    z (127) ─ trunk ─ c2 c3 c4 ─ adjust ─ centre ┐
                                                 ├ correlate ─ M2 M3 M4 ─ weighted sum ─ score, box (25x25 cells)
    x (255) ─ trunk ─ c2 c3 c4 ─ adjust ─────────┘                         └ cell's vector ┐
                 └─── c3 c2 c1 ─────────────────── the cell's windows ─────────────────────┴ refinement ─ mask
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vossegment.networks.correlation import centre, correlate, correlate_every_second
from vossegment.networks.layers import conv_norm
from vossegment.networks.refinement import Refinement
from vossegment.networks.trunk import Maps, Trunk

ANCHORS = 5
"""Anchors a cell (five ratios, one scale)."""


class Template(NamedTuple):
    """Adjusted template of N objects: ``z2`` ``(N, C, 15, 15)``, ``z3`` and ``z4`` ``(N, C, 7, 7)``."""

    z2: Tensor
    z3: Tensor
    z4: Tensor


class Response(NamedTuple):
    """``scores`` ``(N, 2, 5, 25, 25)`` logits background/foreground; ``boxes`` ``(N, 4, 5, 25, 25)`` as dx, dy, dw,
    dh of the anchors; ``summed`` ``(N, C, 25, 25)`` and ``maps`` are what the masks need."""

    scores: Tensor
    boxes: Tensor
    summed: Tensor
    maps: Maps


class E3SN(nn.Module):
    """The whole network; sub-modules are passed in or sized by the arguments.

    ``aggregate`` False leaves out M2 and M3 (the paper's ablation row "without aggregation"). ``head_on_sum`` feeds
    the sum to score and box as well [ours]; the paper feeds them M4.
    """

    masked = True

    def __init__(
        self,
        *,
        trunk: Trunk,
        neck: int = 256,
        widths: tuple[int, int, int] = (64, 32, 16),
        aggregate: bool = True,
        head_on_sum: bool = False,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.aggregate = aggregate
        self.head_on_sum = head_on_sum
        _, b2, b3, b4 = trunk.channels
        inputs = (b2, b3, b4) if aggregate else (b4,)
        self.adjust_z = nn.ModuleList(conv_norm(c, neck, 1, relu=False) for c in inputs)
        self.adjust_x = nn.ModuleList(conv_norm(c, neck, 1, relu=False) for c in inputs)
        # Equal shares to begin with [ours].
        self.level_weights = nn.Parameter(torch.full((len(inputs),), 1 / len(inputs)))
        self.score = nn.Sequential(conv_norm(neck, neck, 1), nn.Conv2d(neck, 2 * ANCHORS, 1))
        self.box = nn.Sequential(conv_norm(neck, neck, 1), nn.Conv2d(neck, 4 * ANCHORS, 1))
        c1, c2, c3, _ = trunk.channels
        self.refine = Refinement(channels=neck, skips=(c3, c2, c1), widths=widths)

    def template(self, crops: Tensor) -> Template:
        """``crops`` ``(N, 3, 127, 127)`` RGB 0..255 -> Template, computed once an object."""
        maps: Maps = self.trunk(crops)
        if not self.aggregate:
            z4 = centre(self.adjust_z[0](maps.c4), 7)
            return Template(z4, z4, z4)
        a2, a3, a4 = self.adjust_z
        return Template(centre(a2(maps.c2), 15), centre(a3(maps.c3), 7), centre(a4(maps.c4), 7))

    def search(self, template: Template, crops: Tensor) -> Response:
        """``crops`` ``(N, 3, 255, 255)`` RGB 0..255, one a template -> Response."""
        maps: Maps = self.trunk(crops)
        # A sum over k x k products grows with k: divided by k, the levels enter with like strength [ours].
        m4 = correlate(template.z4, self.adjust_x[-1](maps.c4)) / 7
        summed = self.level_weights[-1] * m4
        if self.aggregate:
            # M2 has 49 = 2 * 25 - 1 cells; only every second one meets a cell of M3 and M4 (Eq. 5 at 25x25).
            m2 = correlate_every_second(template.z2, self.adjust_x[0](maps.c2)) / 15
            m3 = correlate(template.z3, self.adjust_x[1](maps.c3)) / 7
            summed = summed + self.level_weights[0] * m2 + self.level_weights[1] * m3
        heads = summed if self.head_on_sum else m4
        n, _, rows, columns = summed.shape
        scores = self.score(heads).view(n, 2, ANCHORS, rows, columns)
        boxes = self.box(heads).view(n, 4, ANCHORS, rows, columns)
        return Response(scores, boxes, summed, maps)

    def masks(self, response: Response, cells: Tensor) -> Tensor:
        """``cells`` ``(M, 3)`` int64 item, row, column -> mask logits ``(M, 127, 127)`` of the cells' windows."""
        logits: Tensor = self.refine(response.summed, response.maps, cells)
        return logits
