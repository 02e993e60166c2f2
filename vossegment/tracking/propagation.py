"""Mask-guided propagation for all objects at once: a window round the last mask, the mask in it, the next window.

RGMP 3.1 inside a tracker's window (MODELS-guided). The reference says what the object looks like, the mask of the
frame before where it is. State goes in and comes out, nothing is hidden in the network or here.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from vossegment.tracking.aggregation import aggregated, signed
from vossegment.tracking.geometry import (
    between,
    box_overlaps,
    crop,
    host_may_read,
    mask_boxes,
    mean_colour,
    object_side,
    resample,
    square_windows,
)
from vossegment.tracking.propagation_settings import PropagationSettings
from vossegment.tracking.propagation_state import PropagationState
from vossegment.tracking.types import Prompts, Result, each
from vossegment.tracking.upright import averaged, filled_boxes, frame_size, in_frame, pixel_area


class GuidedNetwork(Protocol):
    """What the step needs of a network, whatever its name. References are named tuples of tensors, N first, with
    ``beside`` to make one of two; what ``look`` gives is the network's own affair."""

    def begin(self, images: Tensor, guidance: Tensor) -> Tensor: ...

    def look(self, images: Tensor, guidance: Tensor) -> Any: ...

    def answer(self, reference: Any, looked: Any) -> Tensor: ...

    def remember(self, looked: Any, masks: Tensor) -> Any: ...

    def portrait(self, looked: Any, masks: Tensor) -> Tensor: ...


class PropagationTracker:
    """A network and its settings; holds no object. See ``tracking.types.Tracker``."""

    def __init__(self, network: GuidedNetwork, settings: PropagationSettings, *, device: torch.device) -> None:
        self.network, self.settings, self.device = network, settings, device
        self._rounds = torch.tensor(_rounds(settings.still_for), device=device)

    @property
    def mask_threshold(self) -> float:
        """Probability from which a pixel is the object's."""
        return self.settings.mask_threshold

    @torch.inference_mode()
    def start(self, frame: Tensor, prompts: Prompts) -> PropagationState:
        """State of the prompted objects after ``frame`` ``(H, W, 3)`` uint8.

        A box is the first guidance and the first reference's mask; the answer then takes its place, and the frame is
        looked at again. A mask is taken as it is.
        """
        boxes = prompts.boxes.to(self.device, torch.float32)
        fill = mean_colour(frame).expand(len(boxes), 3)
        if prompts.masks is not None:
            windows = self._round(boxes)
            whole = prompts.masks.to(self.device, torch.float32)
            others = (whole.sum(0) - whole).clamp(0, 1)
            own = averaged(whole, windows, self.settings.size)
            guidance = signed(own, averaged(others, windows, self.settings.size))
            areas = own.sum((1, 2)) * pixel_area(windows)
        else:
            boxes, windows, guidance = self._first_masks(frame, boxes, fill)
            areas = (guidance > self.settings.mask_threshold).sum((1, 2)) * pixel_area(windows)
        crops = crop(frame, windows, self.settings.size, fill)
        looked = self.network.look(crops, guidance)
        reference = self.network.remember(looked, guidance)
        nothing = torch.zeros(len(boxes), device=self.device)
        return PropagationState(
            guidance=guidance,
            windows=windows,
            boxes=boxes,
            areas=areas,
            usual=_size(boxes, areas),
            motion=nothing[:, None].expand(-1, 4).clone(),
            lost_for=nothing,
            fill=fill,
            first=reference,
            recent=reference,
            portrait=self.network.portrait(looked, guidance),
            marked=boxes,
        )

    def _first_masks(self, frame: Tensor, boxes: Tensor, fill: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """From prompted boxes the masks' boxes, their windows, and the masks in these."""
        s = self.settings
        windows = self._round(boxes)
        guidance = filled_boxes(boxes, windows, s.size)
        for _ in range(1 + s.passes):
            answer = self.network.begin(crop(frame, windows, s.size, fill), guidance).float().sigmoid()
            answer = in_frame(answer, windows, frame)
            found, seen = mask_boxes(answer > s.mask_threshold, windows)
            boxes = torch.where(seen[:, None], self._clipped(found, frame), boxes)
            closer = self._round(boxes)
            # An empty answer says nothing: the box stays what is known.
            answer = torch.where(seen[:, None, None], answer, guidance)
            guidance = resample(answer, between(closer, windows))
            windows = closer
        return boxes, windows, guidance

    @torch.inference_mode()
    def step(self, state: PropagationState, frame: Tensor) -> tuple[PropagationState, Result]:
        """The objects of ``state`` in ``frame`` ``(H, W, 3)`` uint8. No host copy, no branch on a value."""
        s = self.settings
        windows = self._ahead(state, frame)
        crops = crop(frame, windows, s.size, state.fill)
        guidance = resample(state.guidance, between(windows, state.windows))
        reference = state.first if not s.refresh else state.first.beside(state.recent)
        looked = self.network.look(crops, guidance)
        masks = self.network.answer(reference, looked).float().sigmoid()
        if s.mirrored:
            mirrored = self.network.look(crops.flip(3), guidance.flip(2))
            masks = (masks + self.network.answer(reference, mirrored).float().sigmoid().flip(2)) / 2
        masks = in_frame(masks, windows, frame)
        inside = masks > s.mask_threshold
        count = inside.sum((1, 2))
        own = masks * inside
        scores, areas = own.sum((1, 2)) / count.clamp(min=1), count * pixel_area(windows)
        portrait = self.network.portrait(looked, own)
        searched, lost = state.lost_for > 0, self._not_believed(state, scores, areas, portrait)
        others = None
        if len(state) > 1:
            # What is not believed takes no pixels from others, and who is found by the looks alone has a better claim
            # than who carried the place along.
            believed = torch.where(lost[:, None, None], 0.0, masks)
            masks, others = aggregated(believed, windows, torch.where(searched & ~lost, s.claim, 1.0))
            inside = masks > s.mask_threshold
        found, seen = mask_boxes(inside, windows)
        found, lost = self._clipped(found, frame), lost | ~seen
        masks = torch.where(lost[:, None, None], 0.0, masks)
        boxes = torch.where(lost[:, None], state.boxes, found)
        sure = (scores > s.refresh_above) & ~lost & (areas >= s.refresh_share * state.usual[:, 2])
        recent, portrait, marked = self._refreshed(state, looked, masks, portrait, boxes, sure)
        motion = torch.where((lost | searched)[:, None], 0.0, _motion(state.boxes, boxes))
        after = replace(
            state,
            guidance=masks if others is None else torch.where(lost[:, None, None], 0.0, signed(masks, others)),
            windows=windows,
            boxes=boxes,
            areas=torch.where(lost, state.areas, areas),
            usual=torch.where(lost[:, None], state.usual, self._followed(state.usual, _size(found, areas))),
            motion=motion,
            lost_for=torch.where(lost, state.lost_for + 1, 0.0),
            recent=recent,
            portrait=portrait,
            marked=marked,
            age=state.age + 1,
        )
        return after, Result(boxes, scores, masks, windows, lost, boxes)

    def _not_believed(self, state: PropagationState, scores: Tensor, areas: Tensor, portrait: Tensor) -> Tensor:
        """Which answers count as losses: those that are unsure, do not look like the object, or jump in area."""
        s = self.settings
        searched = state.lost_for > 0
        before = torch.where(searched, state.usual[:, 2], state.areas)
        change = (areas + _FEW) / (before + _FEW)
        most = torch.where(searched, s.found_within, s.most_jump)
        doubt = (1 / scores.clamp(min=1e-3) - 1) * (1 - (portrait * state.portrait).sum(1))
        lost = (change > most) | (change < 1 / most)
        lost |= scores < torch.where(searched, s.found_above, s.lost_below)
        lost |= doubt > torch.where(searched, s.found_doubt, s.lost_doubt)
        if len(state) > 1:
            # Who went behind another, as most do who get so small, would live on there as a patch.
            lost |= areas + _FEW < s.least_share * (state.usual[:, 2] + _FEW)
        return lost

    def _followed(self, usual: Tensor, size: Tensor) -> Tensor:
        """The usual width, height and area, after a frame in which the objects had ``size``."""
        s = self.settings
        if len(usual) == 1:
            return torch.lerp(size, usual, s.memory)
        return torch.lerp(size, usual, torch.where(size[:, 2:] < usual[:, 2:], s.memory_hidden, s.memory))

    def _refreshed(
        self, state: PropagationState, looked: Any, masks: Tensor, portrait: Tensor, boxes: Tensor, sure: Tensor
    ) -> tuple[Any, Tensor, Tensor]:
        """The second reference and its box: from this frame where it is time and the answer ``sure``, else as they
        were. Another look at the frame, with its own mask as guidance, would be worth no more than the one that was
        had [ours]."""
        s = self.settings
        if not s.refresh or (state.age % s.refresh and not s.refresh_under):
            return state.recent, state.portrait, state.marked
        if state.age % s.refresh:  # out of turn
            sure = sure & (box_overlaps(boxes, state.marked) < s.refresh_under)
            if host_may_read(sure.device) and not sure.any():
                return state.recent, state.portrait, state.marked
        new = self.network.remember(looked, masks)

        def chosen(a: Tensor, b: Tensor) -> Tensor:
            return torch.where(sure.view(-1, *[1] * (a.dim() - 1)), a, b)

        return each(chosen, new, state.recent), chosen(portrait, state.portrait), chosen(boxes, state.marked)

    def _ahead(self, state: PropagationState, frame: Tensor) -> Tensor:
        """This frame's windows: round the last box, ahead by its motion. A lost object's window grows, and goes round
        the place where it was last seen."""
        s = self.settings
        centres, sizes = _centred(state.boxes)
        # What is small now may be half hidden, and come back beside what is left; so what was lost.
        least = torch.where(state.lost_for[:, None] > 0, 1.0, s.steady) * state.usual[:, :2]
        sizes = torch.maximum(sizes, least)
        sides = object_side(sizes * torch.exp(s.lead * state.motion[:, 2:]).clamp(0.8, 1.25))
        sides = sides * torch.pow(s.growth, state.lost_for).clamp(max=s.most_growth)
        away = self._rounds[state.lost_for.long() % len(self._rounds)] * sides[:, None]
        centres = centres + s.lead * state.motion[:, :2] + away
        centres = torch.minimum(centres.clamp(min=0), frame_size(frame, centres))
        return square_windows(centres, sides, s.size)

    def _round(self, boxes: Tensor) -> Tensor:
        centres, sizes = _centred(boxes)
        return square_windows(centres, object_side(sizes), self.settings.size)

    def _clipped(self, boxes: Tensor, frame: Tensor) -> Tensor:
        """Boxes inside the frame, and never without area."""
        whole = frame_size(frame, boxes)
        low, high = torch.minimum(boxes.view(-1, 2, 2).clamp(min=0), whole).unbind(1)
        half = torch.minimum((high - low).clamp(min=self.settings.least_side), whole) / 2
        centres = torch.clamp((low + high) / 2, half, whole - half)
        return torch.cat([centres - half, centres + half], 1)


_FEW = 8.0
"""Frame pixels by which areas may always differ: one pixel more is no jump for an object of two [ours]."""


def _rounds(still_for: int) -> list[tuple[float, float]]:
    """Where to look for a lost object, frame by frame, in sides of its window: where it was, then round about, near
    and far by turns [ours]."""
    rings = [
        (reach * math.cos(math.tau * i / count), reach * math.sin(math.tau * i / count))
        for reach, count in ((0.6, 8), (1.3, 14))
        for i in range(count)
    ]
    return [(0.0, 0.0)] * (1 + still_for) + rings


def _centred(boxes: Tensor) -> tuple[Tensor, Tensor]:
    return (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]


def _size(boxes: Tensor, areas: Tensor) -> Tensor:
    """Width, height and area, ``(N, 3)``."""
    return torch.cat([boxes[:, 2:] - boxes[:, :2], areas[:, None]], 1)


def _motion(before: Tensor, after: Tensor) -> Tensor:
    """Change of centre, and of size as logarithms, ``(N, 4)``."""
    (a, small), (b, large) = _centred(before), _centred(after)
    return torch.cat([b - a, torch.log(large.clamp(min=1) / small.clamp(min=1))], 1)
