"""Made-up networks for the guided tracker, and a plain frame with coloured squares for them to look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vossegment.tracking.propagation import PropagationTracker
from vossegment.tracking.propagation_settings import PropagationSettings
from vossegment.tracking.propagation_state import PropagationState
from vossegment.tracking.types import Prompts, Result

Box = tuple[float, float, float, float]
Colour = tuple[float, float, float]

SIZE = 64
SHAPE = HEIGHT, WIDTH = 120, 160
RED, PINK, BLUE, PLAIN = (240.0, 60.0, 30.0), (230.0, 70.0, 40.0), (30.0, 200.0, 240.0), 30.0
ONE, TWO = (20.0, 20.0, 50.0, 50.0), (110.0, 80.0, 140.0, 110.0)  # their windows of 68 pixels do not overlap


class Look(NamedTuple):
    """C colours of an object, ``(N, 3, C)``."""

    colours: Tensor

    def beside(self, other: Look) -> Look:
        return Look(torch.cat([self.colours, other.colours], 2))


class Shown(NamedTuple):
    """A crop and what guides there, as ``Seeing`` keeps them."""

    images: Tensor
    guidance: Tensor


class Seeing:
    """A network that looks: what has one of the reference's colours is the object, but not far from the guidance
    where there is any. Keeps what it was shown."""

    def __init__(self, steepness: float = 50.0) -> None:
        self.steepness = steepness  # in logits a grey level
        self.references: list[Tensor] = []
        self.images: list[Tensor] = []
        self.guidance: list[Tensor] = []

    def look(self, images: Tensor, guidance: Tensor) -> Shown:
        return Shown(images, guidance)

    def begin(self, images: Tensor, guidance: Tensor) -> Tensor:
        looked = self.look(images, guidance)
        return self.answer(self.remember(looked, guidance), looked)

    def remember(self, looked: Shown, masks: Tensor) -> Look:
        self.references.append(masks)
        weights = masks.clamp(min=0)[:, None]
        return Look(((looked.images * weights).sum((2, 3)) / weights.sum((2, 3)).clamp(min=1e-3))[..., None])

    def portrait(self, looked: Shown, masks: Tensor) -> Tensor:
        return F.normalize((looked.images * masks.clamp(min=0)[:, None]).sum((2, 3)), dim=1)

    def answer(self, reference: Look, looked: Shown) -> Tensor:
        self.images.append(looked.images)
        self.guidance.append(looked.guidance)
        return self.logits_of(reference, *looked)

    def logits_of(self, reference: Look, images: Tensor, guidance: Tensor) -> Tensor:
        distances = (images[:, :, None] - reference.colours[..., None, None]).abs().mean(1).amin(1)
        near = F.max_pool2d(guidance.clamp(min=0)[:, None], 31, 1, 15)[:, 0]
        known = guidance.amax((1, 2)) > 0.5
        return torch.where(known[:, None, None] & (near < 0.5), -20.0, (45 - distances) * self.steepness)


class Scripted(Seeing):
    """A network that gives the same logits whatever it is shown: ``(S, S)`` for every object, or ``(N, S, S)``."""

    def __init__(self, *logits: Tensor) -> None:
        super().__init__()
        self.logits = torch.stack(logits)

    def logits_of(self, reference: Look, images: Tensor, guidance: Tensor) -> Tensor:
        return self.logits.expand(len(images), -1, -1)


def rectangle(probability: float, *, rows: tuple[int, int] = (18, 46), columns: tuple[int, int] = (18, 46)) -> Tensor:
    """Logits of a mask that has one probability inside, next to none outside; as given about ``ONE`` in its window."""
    logits = torch.full((SIZE, SIZE), -20.0)
    logits[slice(*rows), slice(*columns)] = math.log(probability / (1 - probability))
    return logits


NOTHING = torch.full((SIZE, SIZE), -50.0)


def tracker(network: Any, **settings: Any) -> PropagationTracker:
    return PropagationTracker(network, PropagationSettings(size=SIZE, **settings), device=torch.device("cpu"))


def frame(*squares: tuple[Box, Colour], shape: tuple[int, int] = SHAPE) -> Tensor:
    picture = torch.full((*shape, 3), PLAIN)
    for (x0, y0, x1, y1), colour in squares:
        picture[round(y0) : round(y1), round(x0) : round(x1)] = torch.tensor(colour)
    return picture.to(torch.uint8)


def scene(shift: int = 0) -> Tensor:
    """The red square at ``ONE`` and the blue one at ``TWO``, moved by ``shift``."""
    return frame((moved(ONE, shift, shift), RED), (moved(TWO, -shift, 0), BLUE))


def moved(box: Box, x: float, y: float) -> Box:
    return box[0] + x, box[1] + y, box[2] + x, box[3] + y


def filled(*boxes: Box, shape: tuple[int, int] = SHAPE) -> Tensor:
    masks = torch.zeros(len(boxes), *shape)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        mask[int(y0) : int(y1), int(x0) : int(x1)] = 1
    return masks


def prompts(*boxes: Box, masks: Tensor | None = None) -> Prompts:
    return Prompts(tuple(range(1, len(boxes) + 1)), torch.tensor(boxes, dtype=torch.float32).view(-1, 4), masks)


def masked(*boxes: Box, shape: tuple[int, int] = SHAPE) -> Prompts:
    """Masks that fill boxes."""
    return prompts(*boxes, masks=filled(*boxes, shape=shape))


def tensors(thing: PropagationState | Result) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name in (f.name for f in fields(thing)):
        value: Any = getattr(thing, name)
        parts = {f"{name}.{k}": v for k, v in value._asdict().items()} if hasattr(value, "_asdict") else {name: value}
        found.update({k: torch.as_tensor(v) for k, v in parts.items()})
    return found


def assert_same(one: PropagationState | Result, other: PropagationState | Result, *, atol: float = 0.0) -> None:
    for name, value in tensors(one).items():
        message = partial("{}: {}".format, name)
        torch.testing.assert_close(tensors(other)[name], value, msg=message, rtol=atol, atol=atol)


def assert_finite(*things: PropagationState | Result) -> None:
    for thing in things:
        assert all(torch.isfinite(v).all() for v in tensors(thing).values())


def side(box: Sequence[float]) -> float:
    """MODELS-guided, "Window"."""
    w, h = box[2] - box[0], box[3] - box[1]
    return max(2 * math.sqrt(w * h), 1.35 * max(w, h)) + 8


def middle(box: Sequence[float]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def place(windows: Tensor) -> tuple[float, float, float]:
    """Centre and side of the first window."""
    length = float(windows[0, 0, 0]) * SIZE
    return float(windows[0, 0, 2]) + length / 2, float(windows[0, 1, 2]) + length / 2, length
