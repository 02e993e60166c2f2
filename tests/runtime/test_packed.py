"""Packed convolutions give the numbers of plain ones, and their activations with them."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from vossegment.networks.guided import Guided
from vossegment.networks.mobilenet import InvertedResidual
from vossegment.networks.mobileone import Block
from vossegment.runtime import packed
from vossegment.runtime.packed import PackedConv, pack

pytestmark = pytest.mark.skipif(not packed._available(), reason="this build of PyTorch has no oneDNN operators")


class Branches(nn.Module):
    """A convolution whose activation is registered behind it, and one that has none."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, 2, 1)
        self.act = nn.ReLU()
        self.second = nn.Conv2d(8, 4, 1)
        self.inner = nn.Sequential(nn.Conv2d(4, 4, 3, padding=2, dilation=2), nn.Identity(), nn.ReLU6())

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(self.second(self.act(self.first(x))))
        return out


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [20, 33])
def test_packed_is_plain(dtype: torch.dtype, size: int) -> None:
    """The same answer, at the first shape and at others, one picture or two."""
    plain = Branches().requires_grad_(False).to(dtype, memory_format=torch.channels_last)
    ready = copy.deepcopy(plain)
    pack(ready)
    assert sum(isinstance(m, PackedConv) for m in ready.modules()) == 3
    assert not any(isinstance(m, (nn.ReLU, nn.ReLU6)) for m in ready.modules())
    for shape in ((1, 3, size, size), (2, 3, size + 7, size)):
        x = (torch.randn(shape) * 8).to(dtype)
        torch.testing.assert_close(ready(x), plain(x), rtol=0.03, atol=0.03)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6, nn.Identity])
@pytest.mark.parametrize("first", [(1, 24, 20), (3, 40, 40)])  # below and above what a product is used for
def test_cell_by_cell(first: tuple[int, int, int], activation: type[nn.Module], dtype: torch.dtype) -> None:
    """A 1x1 convolution is the plain one, whichever way it is computed, at the first shape and at others after it,
    with channels last and first."""
    plain = nn.Sequential(nn.Conv2d(16, 12, 1), activation()).requires_grad_(False).to(dtype)
    ready = nn.Sequential(copy.deepcopy(plain))
    pack(ready)
    for layout in (torch.channels_last, torch.contiguous_format):
        for n, h, w in (first, (2, 9, 7), (1, 1, 1), (4, 64, 48)):
            x = (torch.randn(n, 16, h, w) * 8).to(dtype, memory_format=layout)
            found, expected = ready(x), plain(x)
            assert found.shape == expected.shape
            assert found.is_contiguous(memory_format=torch.channels_last) or layout == torch.contiguous_format
            torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02 if dtype == torch.bfloat16 else 1e-4)


@pytest.mark.parametrize(("cells", "product"), [((1, 64, 64), True), ((1, 64, 65), False), ((4, 64, 64), False)])
def test_small_maps_are_one_product(
    cells: tuple[int, int, int], product: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way is chosen by how many cells the first picture has, of the whole batch."""
    taken: list[int] = []
    monkeypatch.setattr(PackedConv, "_product_for", lambda _, n: taken.append(n) or (lambda x: x))
    n, h, w = cells
    PackedConv(nn.Conv2d(8, 8, 1).requires_grad_(False))(torch.zeros(n, 8, h, w))
    assert taken == ([n * h * w] if product else [])


@pytest.mark.parametrize("conv", [nn.Conv2d(8, 8, 1, 2), nn.Conv2d(8, 8, 1, groups=2), nn.Conv2d(8, 8, 1, padding=1)])
def test_not_cell_by_cell(conv: nn.Conv2d) -> None:
    """A 1x1 with stride, groups or padding is no product of all cells."""
    x = torch.randn(2, 8, 6, 6)
    torch.testing.assert_close(PackedConv(conv.requires_grad_(False))(x), conv(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("expansion", "stride"), [(1, 1), (6, 1), (6, 2)])
def test_bottlenecks(expansion: int, stride: int) -> None:
    """Their one-sided margins at stride 2 are kept."""
    plain = InvertedResidual(8, 8, expansion=expansion, stride=stride, dilation=1).requires_grad_(False).eval()
    ready = copy.deepcopy(plain)
    pack(ready)
    x = torch.randn(1, 8, 18, 18) * 5
    torch.testing.assert_close(ready(x), plain(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stride", [1, 2])
def test_chained_blocks(stride: int) -> None:
    """MobileOne's: margins all round, an activation behind each of the two."""
    plain = Block(8, 12, stride=stride).requires_grad_(False).eval()
    ready = copy.deepcopy(plain)
    pack(ready)
    assert sum(isinstance(m, PackedConv) for m in ready.modules()) == 2
    assert not any(isinstance(m, nn.ReLU) for m in ready.modules())
    x = torch.randn(1, 8, 18, 18) * 5
    torch.testing.assert_close(ready(x), plain(x), rtol=1e-4, atol=1e-4)


class Backwards(nn.Sequential):
    """A sequence that runs another way than it stands."""

    def forward(self, x: Tensor) -> Tensor:
        for part in reversed(self):
            x = part(x)
        return x


def test_chains() -> None:
    """Sequences within sequences become one, without what was taken in; one with a way of its own keeps it."""
    inner = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Identity(), nn.ReLU())
    own = Backwards(nn.AvgPool2d(2), nn.Conv2d(3, 3, 3))
    plain = nn.Sequential(nn.Sequential(inner, nn.Conv2d(3, 3, 1), nn.MaxPool2d(2)), own).requires_grad_(False)
    ready = nn.Sequential(copy.deepcopy(plain))
    pack(ready)
    assert [type(part).__name__ for part in ready[0]] == ["PackedConv", "PackedConv", "MaxPool2d", "Backwards"]
    x = torch.randn(2, 3, 20, 20)
    torch.testing.assert_close(ready(x), plain(x), rtol=1e-4, atol=1e-4)


def test_without_the_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they are missing, a network stays as it is."""
    monkeypatch.setattr(packed, "_available", lambda: False)
    network = Guided()
    pack(network)
    assert not any(isinstance(m, PackedConv) for m in network.modules())
