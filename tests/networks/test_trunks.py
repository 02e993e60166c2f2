"""Every trunk has one geometry: sizes, centres and strides of ``networks.trunk``."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from vossegment.networks.mobilenet import MobileNetV2
from vossegment.networks.resnet import BasicBlock, resnet18, resnet50
from vossegment.networks.trunk import DEVIATION, MEAN, Normalise, Trunk

TRUNKS: dict[str, Callable[[], Trunk]] = {
    "mobilenet_v2": MobileNetV2,
    "resnet18": resnet18,
    "resnet50": resnet50,
    "resnet50_1x1": lambda: resnet50(stride_on="1x1"),
    "resnet50_siammask": lambda: resnet50(shortcut=3),
}
# Stride and first pixel of each level, and its cells in crops of 127 and 255 pixels.
LEVELS = {"c1": (2, 3, 61, 125), "c2": (4, 3, 31, 63), "c3": (8, 7, 15, 31), "c4": (8, 7, 15, 31)}
every_trunk = pytest.mark.parametrize("name", TRUNKS)


@pytest.mark.parametrize("last", [True, False])
def test_normalise(last: bool) -> None:
    """Each colour less its mean, by its deviation, whatever the layout and the proportions."""
    images = torch.rand(2, 3, 5, 7) * 255
    found = Normalise()(images.contiguous(memory_format=torch.channels_last) if last else images)
    assert found.is_contiguous(memory_format=torch.channels_last)
    for k in range(3):
        torch.testing.assert_close(found[:, k], (images[:, k] - MEAN[k]) / DEVIATION[k])


@every_trunk
@pytest.mark.parametrize(("crop", "place"), [(127, 2), (255, 3)])
def test_sizes(name: str, crop: int, place: int) -> None:
    """The maps have the table's sizes, and the channels that the trunk declares."""
    with torch.device("meta"):
        trunk = TRUNKS[name]()
        maps = trunk(torch.empty(1, 3, crop, crop))
    for level, channels, found in zip(LEVELS, trunk.channels, maps, strict=True):
        cells = LEVELS[level][place]
        assert found.shape == (1, channels, cells, cells), level


@every_trunk
def test_levels_lie_centred(name: str) -> None:
    """With mirrored kernels a mirrored crop gives mirrored maps: no level is off by a pixel, nor its padding."""
    trunk = TRUNKS[name]().eval().double()
    with torch.no_grad():
        for module in trunk.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.copy_(module.weight + module.weight.flip(3))
                module.weight.copy_((module.weight + module.weight.flip(2)) / 4)
        crop = torch.rand(1, 3, 127, 127, dtype=torch.float64) * 255
        for level, once, back in zip(LEVELS, trunk(crop), trunk(crop.flip(2, 3)), strict=True):
            assert once.std() > 0
            torch.testing.assert_close(
                back.flip(2, 3), once, rtol=1e-9, atol=1e-12 + 1e-9 * float(once.std()), msg=level
            )


@every_trunk
@pytest.mark.parametrize("level", ["c1", "c2", "c3"])
def test_cells_look_where_the_table_says(name: str, level: str) -> None:
    """What cell (i, j) sees of the crop is a square round pixel (d * i + first, d * j + first)."""
    stride, first, _, _ = LEVELS[level]
    i, j = {"c1": (20, 31), "c2": (14, 17), "c3": (6, 8)}[level]
    trunk = TRUNKS[name]().eval()
    crop = (torch.rand(1, 3, 127, 127) * 255).requires_grad_()
    cell = getattr(trunk(crop), level)[0, :, i, j]
    (cell * torch.rand_like(cell)).sum().backward()
    assert crop.grad is not None
    seen = crop.grad[0].abs().sum(0) > 0
    for index, along in ((i, seen.any(1)), (j, seen.any(0))):
        pixels = along.nonzero()[:, 0]
        assert 0 < int(pixels[0]) < int(pixels[-1]) < 126, "the field must lie inside the crop for this test"
        assert (int(pixels[0]) + int(pixels[-1])) / 2 == stride * index + first


@every_trunk
def test_levels_are_on_a_grid(name: str) -> None:
    """Moving a spot by one stride moves what the third level says of it by one cell."""
    trunk = TRUNKS[name]().eval()
    empty, here, there = (torch.full((1, 3, 255, 255), 90.0) for _ in range(3))
    spot = torch.rand(3, 9, 9) * 255
    here[0, :, 120:129, 112:121] = spot
    there[0, :, 120:129, 120:129] = spot
    with torch.no_grad():
        before, one, other = (trunk(x).c3 for x in (empty, here, there))
    torch.testing.assert_close((other - before)[..., 1:], (one - before)[..., :-1], rtol=1e-3, atol=1e-5)
    assert (one - before).abs().max() > 1e-4


@every_trunk
def test_levels_answer_where_the_spot_is(name: str) -> None:
    """With averaging kernels every level, the dilated one too, answers most in the cell over a bright spot."""
    trunk = TRUNKS[name]().eval().double()
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 0.3 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    y, x = 8 * 9 + 7, 8 * 5 + 7
    along = torch.arange(127, dtype=torch.float64)
    spot = torch.exp(-((along[:, None] - y) ** 2 + (along - x) ** 2) / 72)
    images = torch.full((2, 3, 127, 127), 200, dtype=torch.float64)
    images[1] += 50 * spot
    with torch.no_grad():
        maps = trunk(images)
    for level, (plain, spotted) in zip(LEVELS, maps, strict=True):
        stride, first, cells, _ = LEVELS[level]
        change = (spotted - plain).sum(0)
        assert divmod(int(change.argmax()), cells) == ((y - first) // stride, (x - first) // stride), level


@every_trunk
def test_frozen_stages(name: str) -> None:
    """Freezing stops the first stages and leaves the others; the stages together are the whole trunk."""
    trunk = TRUNKS[name]()
    stages = trunk.stage_modules()
    assert sum(p.numel() for s in stages for p in s.parameters()) == sum(p.numel() for p in trunk.parameters())
    trunk.freeze(0)
    assert all(p.requires_grad for p in trunk.parameters())
    trunk.freeze(2)
    assert not any(p.requires_grad for s in stages[:2] for p in s.parameters())
    assert all(p.requires_grad for s in stages[2:] for p in s.parameters())


def test_basic_block_takes_no_1x1_stride() -> None:
    """The block without a 1x1 convolution says that it cannot put the stride there."""
    with pytest.raises(ValueError, match="1x1"):
        BasicBlock(8, 8, stride=2, dilation=1, shortcut=1, stride_on="1x1")
