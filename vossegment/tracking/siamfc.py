"""SiamFC's read-out of a similarity map: the peak is where the object is, the best of three scales how large.

Bertinetto et al., "Fully-Convolutional Siamese Networks for Object Tracking", with its public program's constants
(MODELS-siammask, section 6); as SiamMask's "2B-score" row uses it. There is no mask: the box stands for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vossegment.tracking.anchors import RESPONSE, SEARCH, STRIDE, TEMPLATE
from vossegment.tracking.geometry import context_side
from vossegment.tracking.siamese import SiameseNetwork, SiameseState, begun, box_masks, edges, kept_inside
from vossegment.tracking.types import Prompts, Result, each, in_range
from vossegment.tracking.whole_pixels import crop_whole, whole_windows


@dataclass(frozen=True)
class SiamFCSettings:
    """[X] SiamFC's public program, three scales."""

    scale_step: float = 1.0375
    scale_penalty: float = 0.9745
    """Factor on the response of a scale other than 1."""
    damping: float = 0.59
    """How much of the best scale the size follows."""
    window_influence: float = 0.176
    finer: int = 16
    """Positions between two cells, by bicubic enlargement."""
    mask_threshold: float = 0.5
    least_side: float = 10.0

    def __post_init__(self) -> None:
        """Raises ValueError for what no tracker can work with."""
        in_range("scale_step", self.scale_step, 1.0, 2.0)
        for name in ("scale_penalty", "damping", "window_influence", "mask_threshold"):
            in_range(name, getattr(self, name), 0.0, 1.0)
        in_range("finer", self.finer, 1, 64)
        in_range("least_side", self.least_side, 1.0, 1e6)


class SiamFCTracker:
    """A network with a similarity a cell, and its settings; holds no object. See ``tracking.types.Tracker``."""

    def __init__(self, network: SiameseNetwork, settings: SiamFCSettings, *, device: torch.device) -> None:
        self.network, self.settings, self.device = network, settings, device
        step = settings.scale_step
        self._scales = torch.tensor([1 / step, 1.0, step], device=device)
        self._worth = torch.tensor([settings.scale_penalty, 1.0, settings.scale_penalty], device=device)
        self._side = RESPONSE * settings.finer
        along = torch.hann_window(self._side, periodic=False, device=device)
        window = torch.outer(along, along)
        self._window = window / window.sum()

    @property
    def mask_threshold(self) -> float:
        """Probability from which a pixel is the object's."""
        return self.settings.mask_threshold

    @torch.inference_mode()
    def start(self, frame: Tensor, prompts: Prompts) -> SiameseState:
        """State of the prompted objects after ``frame`` ``(H, W, 3)`` uint8."""
        return begun(self.network, frame, prompts, _crop, device=self.device)

    @torch.inference_mode()
    def step(self, state: SiameseState, frame: Tensor) -> tuple[SiameseState, Result]:
        """The objects of ``state`` in ``frame`` ``(H, W, 3)`` uint8. No host copy, no branch on a value."""
        s, n = self.settings, len(state)
        sides = context_side(state.sizes) * (SEARCH / TEMPLATE)
        at_scales = (sides[:, None] * self._scales).flatten()
        centres, fill = state.centres.repeat_interleave(3, 0), state.fill.repeat_interleave(3, 0)
        crops = _crop(frame, centres, at_scales, SEARCH, fill)
        response = self.network.search(_thrice(state.template), crops)
        similarity = response.scores.float()[:, 0].view(n, 3, RESPONSE, RESPONSE)
        fine = F.interpolate(similarity, size=(self._side, self._side), mode="bicubic", align_corners=False)
        # A factor is a penalty only on what is above 0.
        fine = (fine - fine.amin((1, 2, 3), keepdim=True)) * self._worth[:, None, None]
        chosen = fine.flatten(2).amax(2).argmax(1)
        items = torch.arange(n, device=self.device)
        best = fine[items, chosen].flatten(1)
        best = best - best.amin(1, keepdim=True)
        best = best / best.sum(1, keepdim=True).clamp(min=1e-12)
        place = ((1 - s.window_influence) * best + s.window_influence * self._window.flatten()).argmax(1)
        off = torch.stack([place % self._side, place // self._side], 1) - (self._side - 1) / 2
        moved = state.centres + off * (STRIDE / s.finer) * (at_scales.view(n, 3)[items, chosen] / SEARCH)[:, None]
        grown = state.sizes * (1 - s.damping + s.damping * self._scales[chosen])[:, None]
        centres, sizes = kept_inside(moved, 0.0, frame), kept_inside(grown, s.least_side, frame)
        after = SiameseState(centres, sizes, state.fill, state.lost_for, state.template)
        boxes = edges(centres, sizes)
        masks, windows = box_masks(boxes)
        scores = similarity.flatten(1).amax(1).sigmoid()
        lost = torch.zeros(n, dtype=torch.bool, device=self.device)
        return after, Result(boxes, scores, masks, windows, lost, edges(moved, grown))


def _crop(frame: Tensor, centres: Tensor, sides: Tensor, size: int, fill: Tensor) -> Tensor:
    return crop_whole(frame, whole_windows(centres, sides, size), size, fill)


def _thrice(template: Any) -> Any:
    return each(lambda part: part.repeat_interleave(3, 0), template)
