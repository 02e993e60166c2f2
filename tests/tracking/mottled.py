"""Made-up networks for the Siamese tracker, and a mottled frame with two squares for them to look at."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vossegment.tracking.siamese import SiameseSettings, SiameseState, SiameseTracker
from vossegment.tracking.types import Prompts, Result

CPU = torch.device("cpu")
HEIGHT, WIDTH = 120, 160


class Template(NamedTuple):
    colour: Tensor
    picture: Tensor


class Response(NamedTuple):
    scores: Tensor
    boxes: Tensor
    crops: Tensor


class Seeing:
    """A network that looks: scores by likeness to the template's middle, masks by brightness under the cell."""

    masked = True

    def template(self, crops: Tensor) -> Template:
        middle = crops[:, :, 48:79, 48:79]
        return Template(middle.mean((2, 3)), F.avg_pool2d(crops, 16))

    def search(self, template: Template, crops: Tensor) -> Response:
        cells = F.avg_pool2d(crops[:, :, 28:227, 28:227], 7, 8)  # 7 pixels round each cell's middle
        likeness = 3 - (cells - template.colour[:, :, None, None]).abs().mean(1) / 20
        by_shape = torch.arange(5.0, device=crops.device).view(1, 5, 1, 1) / 7
        foreground = likeness[:, None] - by_shape
        boxes = (cells / 400).mean(1)[:, None, None].expand(-1, 4, 5, -1, -1) - 0.3
        return Response(torch.stack([torch.zeros_like(foreground), foreground], 1), boxes, crops)

    def masks(self, response: Response, cells: Tensor) -> Tensor:
        padded = F.pad(response.crops.mean(1), (32,) * 4)
        along = torch.arange(127, device=cells.device)
        rows, columns = cells[:, 1, None] * 8 + along, cells[:, 2, None] * 8 + along
        return padded[cells[:, 0, None, None], rows[:, :, None], columns[:, None, :]] / 20 - 5


class Scripted:
    """A network that gives every object the same scores, boxes and mask, whatever it is shown."""

    masked = True

    def __init__(self, scores: Tensor, boxes: Tensor, mask: Tensor) -> None:
        self.scores, self.boxes, self.mask = scores, boxes, mask

    def template(self, crops: Tensor) -> Template:
        return Template(crops.mean((2, 3)), F.avg_pool2d(crops, 16))

    def search(self, template: Template, crops: Tensor) -> Response:
        n = len(crops)
        return Response(self.scores.expand(n, -1, -1, -1, -1), self.boxes.expand(n, -1, -1, -1, -1), crops)

    def masks(self, response: Response, cells: Tensor) -> Tensor:
        return self.mask.expand(len(cells), -1, -1)


def scripted(
    *, foreground: float = 4.0, cell: tuple[int, int, int] = (2, 12, 12), deltas: tuple[float, ...] = (0, 0, 0, 0)
) -> Scripted:
    """One peak at anchor, row and column ``cell``, its box ``deltas``, and a mask that is a rectangle."""
    scores = torch.zeros(2, 5, 25, 25)
    scores[0] = 4
    a, r, c = cell
    scores[:, a, r, c] = torch.tensor([0.0, foreground])
    boxes = torch.zeros(4, 5, 25, 25)
    boxes[:, a, r, c] = torch.tensor(deltas, dtype=torch.float32)
    mask = torch.full((127, 127), -9.0)
    mask[40:90, 30:70] = 9
    return Scripted(scores, boxes, mask)


def tracker(network: Any, **settings: Any) -> SiameseTracker:
    return SiameseTracker(network, SiameseSettings(**{"box_from": "branch", **settings}), device=CPU)


def frame(seed: int = 0) -> Tensor:
    """A mottled picture with two bright, differently coloured squares, moved a little by ``seed``."""
    noise = torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(1))
    picture = F.interpolate(noise, size=(HEIGHT, WIDTH), mode="bicubic")[0].permute(1, 2, 0).clamp(0, 1) * 120
    picture[30 + seed : 60 + seed, 40 + seed : 70 + seed] = torch.tensor([240.0, 60, 30])
    picture[70 - seed : 100 - seed, 100:130] = torch.tensor([30.0, 200, 240])
    return picture.to(torch.uint8)


def prompts(*boxes: tuple[float, float, float, float]) -> Prompts:
    return Prompts(tuple(range(1, len(boxes) + 1)), torch.tensor(boxes, dtype=torch.float32).view(-1, 4))


RED, BLUE = (40.0, 30.0, 70.0, 60.0), (100.0, 70.0, 130.0, 100.0)


def tensors(thing: SiameseState | Result) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for f in fields(thing):
        value = getattr(thing, f.name)
        found.update(
            {f.name: value} if isinstance(value, Tensor) else {f"{f.name}.{k}": v for k, v in value._asdict().items()}
        )
    return found


def assert_same(one: SiameseState | Result, other: SiameseState | Result, **tolerance: float) -> None:
    for name, value in tensors(one).items():
        torch.testing.assert_close(tensors(other)[name], value, msg=lambda m, n=name: f"{n}: {m}", **tolerance)
