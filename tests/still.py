"""A tracker for things that never move, and frames for it to look at."""

from __future__ import annotations

import numpy as np
import torch

from vossegment.tracking.geometry import square_windows
from vossegment.tracking.types import Frame, Mask, Prompts, Result


class Boxes:
    """States that join, as the protocol wants."""

    def __init__(self, boxes: torch.Tensor) -> None:
        self.boxes = boxes

    def join(self, other: Boxes) -> Boxes:
        return Boxes(torch.cat([self.boxes, other.boxes]))

    def __getitem__(self, keep: list[int]) -> Boxes:
        return Boxes(self.boxes[keep])


class Still:
    """A tracker for things that never move: the state is the boxes, the answer fills them."""

    device = torch.device("cpu")
    mask_threshold = 0.5

    def start(self, frame: torch.Tensor, prompts: Prompts) -> Boxes:
        return Boxes(prompts.boxes)

    def step(self, state: Boxes, frame: torch.Tensor) -> tuple[Boxes, Result]:
        boxes = state.boxes
        n = len(boxes)
        middle, side = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).amax(1)
        windows = square_windows(middle, side, 8)
        lost = frame.float().mean() < 1  # a black frame hides everything
        masks = torch.ones(n, 8, 8) * (~lost)
        return state, Result(boxes, torch.full((n,), 0.5), masks, windows, lost.expand(n), boxes)


def frames(count: int, dark: tuple[int, ...] = ()) -> list[Frame]:
    light = np.full((40, 60, 3), 200, np.uint8)
    return [Frame(i, i / 10, np.zeros_like(light) if i in dark else light) for i in range(count)]


def mask(x: int, y: int, w: int, h: int) -> Mask:
    found = np.zeros((40, 60), np.bool_)
    found[y : y + h, x : x + w] = True
    return found
