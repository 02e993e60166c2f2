"""SiamFC's read-out: the peak of a similarity map, and the best of three scales."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from vossegment.tracking.siamfc import SiamFCSettings, SiamFCTracker
from vossegment.tracking.types import Prompts

BOX = (60.0, 40.0, 100.0, 70.0)


class Look(NamedTuple):
    seen: Tensor


class Peaked:
    """A similarity whose peak lies at one cell, higher at one of the three scales."""

    masked = False

    def __init__(self, cell: tuple[int, int], scale: int) -> None:
        self.cell, self.scale = cell, scale
        self.sizes: list[tuple[int, ...]] = []

    def template(self, crops: Tensor) -> Look:
        return Look(crops.mean((2, 3)))

    def search(self, template: Look, crops: Tensor) -> Any:
        assert len(template.seen) == len(crops)
        self.sizes.append(tuple(crops.shape))
        y, x = torch.meshgrid(torch.arange(25.0), torch.arange(25.0), indexing="ij")
        bump = torch.exp(-((y - self.cell[0]) ** 2 + (x - self.cell[1]) ** 2) / 8)
        worth = torch.ones(len(crops) // 3, 3)
        worth[:, self.scale] = 1.3
        return SimpleNamespace(scores=(worth.flatten()[:, None, None] * bump)[:, None, None])

    def masks(self, response: Any, cells: Tensor) -> Tensor:
        raise AssertionError


def tracker(cell: tuple[int, int] = (12, 12), scale: int = 1) -> SiamFCTracker:
    settings = SiamFCSettings(window_influence=0.0)
    return SiamFCTracker(Peaked(cell, scale), settings, device=torch.device("cpu"))


def stepped(t: SiamFCTracker) -> tuple[Tensor, Tensor]:
    """Centre and size after a step from ``BOX``."""
    frame = torch.full((120, 160, 3), 90, dtype=torch.uint8)
    state, found = t.step(t.start(frame, Prompts((1,), torch.tensor([BOX]))), frame)
    assert torch.equal(found.masks, torch.ones_like(found.masks))
    assert not found.lost.any()
    return state.centres[0], state.sizes[0]


def test_it_stays() -> None:
    """A peak in the middle at the usual scale changes nothing."""
    centre, size = stepped(tracker())
    torch.testing.assert_close(centre, torch.tensor([80.0, 55.0]), rtol=0, atol=0.15)  # half of a finer position
    torch.testing.assert_close(size, torch.tensor([40.0, 30.0]))


@pytest.mark.parametrize("cell", [(12, 14), (9, 12)])
def test_it_follows_the_peak(cell: tuple[int, int]) -> None:
    """A cell is 8 pixels of the search crop, which shows 255 / 127 of the template's side."""
    centre, _ = stepped(tracker(cell))
    side = (75.0 * 65.0) ** 0.5 * 255 / 127  # (w + p)(h + p), p half of w + h
    expected = torch.tensor([80.0 + (cell[1] - 12) * 8 * side / 255, 55.0 + (cell[0] - 12) * 8 * side / 255])
    torch.testing.assert_close(centre, expected, rtol=0, atol=0.15)


@pytest.mark.parametrize(("scale", "factor"), [(0, 1 / 1.0375), (2, 1.0375)])
def test_it_follows_the_scale(scale: int, factor: float) -> None:
    """The size goes a share of the way to the best scale's, in one shape."""
    _, size = stepped(tracker(scale=scale))
    torch.testing.assert_close(size, torch.tensor([40.0, 30.0]) * (1 - 0.59 + 0.59 * factor))


def test_settings_are_checked() -> None:
    """What no tracker can work with is refused."""
    with pytest.raises(ValueError, match="'finer': 0"):
        SiamFCSettings(finer=0)
