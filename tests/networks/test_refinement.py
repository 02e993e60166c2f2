"""Masks of chosen cells: the right windows, cell by cell, at the cost of those cells only."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from vossegment.models import MODELS
from vossegment.networks.refinement import LEVELS, WINDOW, Refinement, window
from vossegment.networks.trunk import Maps
from vossegment.tracking.siamese import SiameseSettings

SIAMESE = [name for name, row in MODELS.items() if isinstance(row.settings, SiameseSettings)]


def maps(n: int, channels: tuple[int, int, int] = (3, 4, 5), dtype: torch.dtype = torch.float32) -> Maps:
    c1, c2, c3 = (torch.randn(n, c, s, s, dtype=dtype) for c, s in zip(channels, (125, 63, 31), strict=True))
    return Maps(c1, c2, c3, c3)


def test_no_cells() -> None:
    """No cell asked for, no window."""
    assert window(torch.randn(2, 3, 9, 9), torch.zeros(0, 3, dtype=torch.int64), size=5, padding=2, step=1).shape == (
        0, 3, 5, 5,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("size", "padding", "step", "side"), [(3, 0, 1, 5), (15, 4, 1, 31), (31, 8, 2, 63), (61, 16, 4, 125)]
)
def test_window_is_a_slice(size: int, padding: int, step: int, side: int) -> None:
    """The gather gives the slice of the padded map, as unfolding everything would."""
    level = torch.randn(2, 3, side, side)
    rows = (side + 2 * padding - size) // step + 1
    cells = torch.tensor([[0, 0, 0], [1, rows - 1, 0], [0, 1, rows - 1], [1, 2, 1]])
    found = window(level, cells, size=size, padding=padding, step=step)
    padded = F.pad(level, (padding,) * 4)
    unfolded = F.unfold(padded, size, stride=step).view(2, 3, size, size, rows, rows)
    for got, (n, r, c) in zip(found, cells.tolist(), strict=True):
        assert torch.equal(got, padded[n, :, r * step : r * step + size, c * step : c * step + size])
        assert torch.equal(got, unfolded[n, ..., r, c])


@pytest.mark.parametrize(("level", "stride", "first", "side"), [(0, 8, 7, 31), (1, 4, 3, 63), (2, 2, 3, 125)])
def test_windows_share_the_cells_centre(level: int, stride: int, first: int, side: int) -> None:
    """At each level the window's middle is pixel 8 * cell + 31 of the crop, and all 25 cells have one."""
    size, padding, step = LEVELS[level]
    for cell in (0, 12, 24):
        begin = cell * step - padding
        middle = stride * (begin + (size - 1) / 2) + first
        assert middle == 8 * cell + 31
    assert 24 * step + size == side + 2 * padding


@pytest.fixture
def refinement() -> Refinement:
    refine = Refinement(channels=6, skips=(5, 4, 3), widths=(8, 6, 4)).eval()
    for module in refine.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean = torch.randn_like(module.running_mean) * 0.1  # type: ignore[arg-type]
    return refine


def test_cells_one_by_one(refinement: Refinement) -> None:
    """Masks of M cells are M masks of one."""
    response, levels = torch.randn(2, 6, 25, 25), maps(2)
    cells = torch.tensor([[0, 0, 0], [1, 24, 24], [1, 12, 3], [0, 12, 3], [1, 12, 3]])
    with torch.no_grad():
        together = refinement(response, levels, cells)
        alone = torch.cat([refinement(response, levels, c[None]) for c in cells])
    assert together.shape == (5, WINDOW, WINDOW)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert not torch.equal(together[2], together[3])


@pytest.mark.parametrize("part", ["response", "c1", "c2", "c3"])
def test_a_mask_sees_its_own_window_only(refinement: Refinement, part: str) -> None:
    """What lies under another cell changes nothing; what lies under this one does."""
    response, levels = torch.randn(1, 6, 25, 25), maps(1)
    cell = torch.tensor([[0, 2, 2]])

    def changed(where: slice) -> Tensor:
        parts = {"response": response, **levels._asdict()}
        parts[part] = parts[part].clone()
        parts[part][:, :, where, where] += 3
        other = Maps(parts["c1"], parts["c2"], parts["c3"], parts["c4"])
        with torch.no_grad():
            found: Tensor = refinement(parts["response"], other, cell)
        return found

    with torch.no_grad():
        before = refinement(response, levels, cell)
    far = slice(20, 25) if part == "response" else slice(-12, None)
    assert torch.equal(changed(far), before)
    assert not torch.equal(changed(slice(2, 3)), before)


def _work(name: str, cells: int) -> int:
    """Floating-point operations of a training step of one pair that refines ``cells`` cells; nothing is computed."""
    with torch.device("meta"):
        network = MODELS[name].build().train()
        template, search = torch.empty(1, 3, 127, 127), torch.empty(1, 3, 255, 255)
        chosen = torch.zeros(cells, 3, dtype=torch.int64)
        with FlopCounterMode(display=False) as counter:
            response = network.search(network.template(template), search)  # type: ignore[operator]
            masks = network.masks(response, chosen)  # type: ignore[operator]
            (response.scores.sum() + response.boxes.sum() + masks.sum()).backward()
    return int(counter.get_total_flops())


@pytest.mark.parametrize("name", [name for name in SIAMESE if name.startswith("e3sn")])
def test_four_cells_cost_little(name: str) -> None:
    """A step over the 4 sampled cells costs a small part of a step over all 625 (E3SN 3.3): each cell costs its own."""
    four, eight, every = (_work(name, cells) for cells in (4, 8, 625))
    assert four < 0.2 * every
    assert (every - four) / (eight - four) == pytest.approx((625 - 4) / (8 - 4), rel=0.01)
