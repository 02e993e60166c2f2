"""The Siamese step for all objects at once: search window, response, ranking, mask, next window.

After SiamMask (MODELS, SiamMask section 6) and E3SN 4.1. State goes in and comes out; nothing is hidden in the
network or here, so that a step can be repeated, batched, moved between devices and saved.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, get_args

import torch
from torch import Tensor

from vossegment.tracking.anchors import MASK_FIRST, MASK_SIDE, RESPONSE, SEARCH, STRIDE, TEMPLATE, anchor_grid, decode
from vossegment.tracking.geometry import context_side, crop, inner_windows, mask_boxes, mean_colour, square_windows
from vossegment.tracking.types import Prompts, Result, each, in_range
from vossegment.tracking.whole_pixels import crop_whole, pasting_windows, whole_windows

BoxFrom = Literal["branch", "mask", "both"]


class SiameseNetwork(Protocol):
    """What the step needs of a network, whatever its name. Templates are named tuples of tensors, N first."""

    masked: bool
    """Whether it gives masks; else a mask is the box, filled."""

    def template(self, crops: Tensor) -> Any: ...

    def search(self, template: Any, crops: Tensor) -> Any: ...

    def masks(self, response: Any, cells: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class SiameseSettings:
    """How answers are ranked and followed. [o] SiamMask's DAVIS settings, [ours] chosen on held-out training video."""

    penalty: float = 0.04
    """Strength of the penalty for a change of size and shape."""
    window_influence: float = 0.40
    """Share of the cosine window in the ranking."""
    rate: float = 1.0
    """How quickly the box's size follows; its place follows at once."""
    box_from: BoxFrom = "both"
    """What the next search window follows: the box branch, the mask's Min-max box, or the box round both [ours]:
    a mask cut by an occluder keeps the branch's extent, a branch that sticks to a part the mask's."""
    mask_threshold: float = 0.5
    """[E3SN 4.1]"""
    most_change: float = math.inf
    """Factor by which a side may grow or shrink in one frame, at most: a window that jumps to a part, or to the
    object and its neighbour, does not come back [ours]."""
    lost_below: float = 0.0
    """Score under which the object counts as lost."""
    growth: float = 1.05
    """Factor a frame by which a lost object's search window grows."""
    most_growth: float = 2.0
    least_side: float = 4.0
    """A box never gets smaller than this, in frame pixels."""
    whole_pixels: bool = False
    """Crops and masks lie as in SiamMask's program, for its checkpoints."""

    def __post_init__(self) -> None:
        """Raises ValueError for what no tracker can work with."""
        if self.box_from not in get_args(BoxFrom):
            raise ValueError(f"'box_from': {self.box_from!r}, known: {', '.join(get_args(BoxFrom))}")
        for name in ("penalty", "window_influence", "rate", "mask_threshold", "lost_below", "least_side"):
            in_range(name, getattr(self, name), 0.0, math.inf)
        for name in ("most_change", "growth", "most_growth"):
            in_range(name, getattr(self, name), 1.0, math.inf)


@dataclass(frozen=True)
class SiameseState:
    """N objects between two frames: ``centres`` and ``sizes`` ``(N, 2)`` in frame pixels, ``fill`` ``(N, 3)`` the mean
    colour of the first frame, ``lost_for`` ``(N,)`` frames since last seen, and the templates."""

    centres: Tensor
    sizes: Tensor
    fill: Tensor
    lost_for: Tensor
    template: Any

    def __len__(self) -> int:
        return len(self.centres)

    def join(self, other: SiameseState) -> SiameseState:
        """These objects and then the other's."""
        return SiameseState(
            torch.cat([self.centres, other.centres]),
            torch.cat([self.sizes, other.sizes]),
            torch.cat([self.fill, other.fill]),
            torch.cat([self.lost_for, other.lost_for]),
            each(lambda a, b: torch.cat([a, b]), self.template, other.template),
        )

    def __getitem__(self, keep: Any) -> SiameseState:
        """Some of the objects: a slice, a list of places or a bool mask."""
        return SiameseState(
            self.centres[keep],
            self.sizes[keep],
            self.fill[keep],
            self.lost_for[keep],
            each(lambda a: a[keep], self.template),
        )


class SiameseTracker:
    """A network and its settings; holds no object. See ``tracking.types.Tracker``."""

    def __init__(self, network: SiameseNetwork, settings: SiameseSettings, *, device: torch.device) -> None:
        self.network, self.settings, self.device = network, settings, device
        self._anchors = anchor_grid().to(device)
        along = torch.hann_window(RESPONSE, periodic=False, device=device)
        self._window = torch.outer(along, along)

    @property
    def mask_threshold(self) -> float:
        """Probability from which a pixel is the object's."""
        return self.settings.mask_threshold

    @torch.inference_mode()
    def start(self, frame: Tensor, prompts: Prompts) -> SiameseState:
        """State of the prompted objects after ``frame`` ``(H, W, 3)`` uint8."""
        return begun(self.network, frame, prompts, self._crop, device=self.device)

    @torch.inference_mode()
    def step(self, state: SiameseState, frame: Tensor) -> tuple[SiameseState, Result]:
        """The objects of ``state`` in ``frame`` ``(H, W, 3)`` uint8. No host copy, no branch on a value."""
        s = self.settings
        grown = torch.pow(s.growth, state.lost_for).clamp(max=s.most_growth)
        sides = context_side(state.sizes) * (SEARCH / TEMPLATE) * grown
        response = self.network.search(state.template, self._crop(frame, state.centres, sides, SEARCH, state.fill))
        cell, score, centres, sizes = self._chosen(response, state, SEARCH / sides)
        row, column = cell // RESPONSE, cell % RESPONSE
        if self.network.masked:
            items = torch.arange(len(state), device=self.device)
            masks = self.network.masks(response, torch.stack([items, row, column], 1)).float().sigmoid()
            mask_windows = self._mask_windows(state.centres, sides, row, column, masks.shape[2])
            if s.whole_pixels:
                mask_windows = pasting_windows(mask_windows, frame)
            if s.box_from != "branch":
                centres, sizes = self._with_mask(masks, mask_windows, centres, sizes)
        lost = score < s.lost_below
        after = self._next(state, frame, centres, sizes, lost)
        boxes = edges(after.centres, after.sizes)
        if not self.network.masked:
            masks, mask_windows = box_masks(boxes)
        masks = torch.where(lost[:, None, None], 0.0, masks)
        found = Result(boxes, score, masks, mask_windows, lost, edges(centres, sizes))
        return after, found

    def _chosen(self, response: Any, state: SiameseState, zoom: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The cell ``(N,)`` that answers for each object, its score, and the centre and size ``(N, 2)`` it proposes;
        ``zoom`` ``(N,)`` crop pixels a frame pixel. What has no anchors proposes what was [p SiamMask 3.2, 2-branch].
        """
        s = self.settings
        scores = response.scores.float()
        scores = scores.softmax(1)[:, 1] if scores.shape[1] == 2 else scores[:, 0].sigmoid()  # (N, A, 25, 25)
        anchored = response.boxes.shape[2] > 0
        boxes = decode(response.boxes.float(), self._anchors) if anchored else None  # (N, 4, 5, 25, 25), crop pixels
        penalty = torch.ones_like(scores) if boxes is None else self._penalty(boxes, state.sizes * zoom[:, None])
        ranked = penalty * scores * (1 - s.window_influence) + self._window * s.window_influence
        best = ranked.flatten(1).argmax(1)
        score = scores.flatten(1).gather(1, best[:, None])[:, 0]
        cell = best % (RESPONSE * RESPONSE)
        if boxes is None:
            return cell, score, state.centres, state.sizes
        box = boxes.flatten(2).gather(2, best[:, None, None].expand(-1, 4, 1))[:, :, 0]
        follow = penalty.flatten(1).gather(1, best[:, None])[:, 0] * score * s.rate
        centres = state.centres + (box[:, :2] - SEARCH / 2) / zoom[:, None]
        return cell, score, centres, torch.lerp(state.sizes, box[:, 2:] / zoom[:, None], follow[:, None].clamp(max=1))

    def _crop(self, frame: Tensor, centres: Tensor, sides: Tensor, size: int, fill: Tensor) -> Tensor:
        if self.settings.whole_pixels:
            return crop_whole(frame, whole_windows(centres, sides, size), size, fill)
        return crop(frame, square_windows(centres, sides, size), size, fill)

    def _mask_windows(self, centres: Tensor, sides: Tensor, row: Tensor, column: Tensor, size: int) -> Tensor:
        """The cells' windows in the frame, for masks of ``size`` pixels a side."""
        whole = self.settings.whole_pixels
        search = square_windows(centres, sides.round() if whole else sides, SEARCH)
        windows = inner_windows(search, torch.stack([column, row], 1) * STRIDE + float(MASK_FIRST))
        windows[:, :, :2] *= MASK_SIDE / size
        return windows

    def _penalty(self, boxes: Tensor, before: Tensor) -> Tensor:
        """Share left of a score after its box changed size and shape; ``(N, 5, 25, 25)``."""
        w, h = boxes[:, 2], boxes[:, 3]
        n = len(before)
        w0, h0 = before[:, 0].view(n, 1, 1, 1), before[:, 1].view(n, 1, 1, 1)

        def side(w: Tensor, h: Tensor) -> Tensor:
            padding = (w + h) / 2
            return ((w + padding) * (h + padding)).sqrt()

        def change(r: Tensor) -> Tensor:
            return torch.maximum(r, 1 / r)

        total = change(side(w, h) / side(w0, h0)) * change((w0 / h0) / (w / h))
        return torch.exp(-self.settings.penalty * (total - 1))

    def _with_mask(self, masks: Tensor, windows: Tensor, centres: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        """Centres and sizes from the masks' Min-max boxes, or round these and the branch's; an empty mask changes
        nothing."""
        boxes, seen = mask_boxes(masks > self.settings.mask_threshold, windows)
        low, high = boxes[:, :2], boxes[:, 2:]
        if self.settings.box_from == "both":
            low, high = torch.minimum(low, centres - sizes / 2), torch.maximum(high, centres + sizes / 2)
        seen = seen[:, None]
        return torch.where(seen, (low + high) / 2, centres), torch.where(seen, high - low, sizes)

    def _next(self, state: SiameseState, frame: Tensor, centres: Tensor, sizes: Tensor, lost: Tensor) -> SiameseState:
        sizes = sizes.clamp(state.sizes / self.settings.most_change, state.sizes * self.settings.most_change)
        centres = torch.where(lost[:, None], state.centres, kept_inside(centres, 0.0, frame))
        sizes = torch.where(lost[:, None], state.sizes, kept_inside(sizes, self.settings.least_side, frame))
        lost_for = torch.where(lost, state.lost_for + 1, 0.0)
        return replace(state, centres=centres, sizes=sizes, lost_for=lost_for)


def begun(
    network: SiameseNetwork,
    frame: Tensor,
    prompts: Prompts,
    cut: Callable[[Tensor, Tensor, Tensor, int, Tensor], Tensor],
    *,
    device: torch.device,
) -> SiameseState:
    """State of the prompted objects after ``frame``; ``cut`` makes crops of frame, centres, sides, size and fill."""
    boxes = prompts.boxes.to(device, torch.float32)
    centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    fill = mean_colour(frame).expand(len(boxes), 3)
    template = network.template(cut(frame, centres, context_side(sizes), TEMPLATE, fill))
    return SiameseState(centres, sizes, fill, torch.zeros(len(boxes), device=device), template)


def kept_inside(values: Tensor, low: float, frame: Tensor) -> Tensor:
    """``(N, 2)`` x and y kept from ``low`` to the frame's width and height; no upload of limits."""
    height, width = frame.shape[:2]
    return torch.stack([values[:, 0].clamp(low, max(low, width)), values[:, 1].clamp(low, max(low, height))], 1)


def edges(centres: Tensor, sizes: Tensor) -> Tensor:
    """Boxes ``(N, 4)`` x0 y0 x1 y1 of centres and sizes ``(N, 2)``."""
    corners = centres - sizes / 2
    return torch.cat([corners, corners + sizes], 1)


def box_masks(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes ``(N, 4)`` as masks that are 1 all over, and their windows."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    windows = torch.cat([torch.diag_embed(sizes / MASK_SIDE), boxes[:, :2, None]], 2)
    return boxes.new_ones(len(boxes), MASK_SIDE, MASK_SIDE), windows
