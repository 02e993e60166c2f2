"""The trunks that see a mask besides the picture: their levels, where the mask enters, and one stem made of two."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from vossegment.networks.mobilenet import MaskedMobileNetV2
from vossegment.networks.mobileone import MaskedMobileOneS0
from vossegment.networks.trunk import MaskedTrunk

TRUNKS = [MaskedMobileNetV2, MaskedMobileOneS0]
MEAN, STD = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
NORMALISED: dict[type[MaskedTrunk], Callable[[Tensor], Tensor]] = {
    MaskedMobileNetV2: lambda x: x / 127.5 - 1,
    MaskedMobileOneS0: lambda x: (x - MEAN[:, None, None]) / STD[:, None, None],
}
MOST = {MaskedMobileNetV2: 6.0, MaskedMobileOneS0: float("inf")}
every_trunk = pytest.mark.parametrize("kind", TRUNKS)


def after_the_stem(trunk: MaskedTrunk) -> nn.Module:
    first: nn.Module = trunk.stage_modules()[1]
    return first


@every_trunk
@pytest.mark.parametrize("size", [64, 192, 256])
def test_levels(kind: type[MaskedTrunk], size: int) -> None:
    """Five levels of the declared channels, each at half the one before."""
    with torch.device("meta"):
        trunk = kind()
        levels = trunk(torch.empty(2, 3, size, size), torch.empty(2, 1, size, size))
    assert [tuple(level.shape) for level in levels] == [
        (2, channels, size >> i, size >> i) for i, channels in enumerate(trunk.channels, 1)
    ]


@every_trunk
def test_mask_is_added_before_the_stems_activation(kind: type[MaskedTrunk]) -> None:
    """The mask shifts the stem's answer where it lies; all 0 it adds the bias of its own convolution alone."""
    trunk = kind().eval()
    seen: list[Tensor] = []
    after_the_stem(trunk).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    images, masks = torch.rand(1, 3, 64, 64) * 255, torch.zeros(2, 1, 1, 64, 64)
    masks[1, :, :, 32:, :20] = 0.7
    with torch.no_grad():
        for mask in masks:
            trunk(images, mask)
        plain = trunk.stem(NORMALISED[kind](images))
        for found, mask in zip(seen, masks, strict=True):
            expected = (plain + trunk.mask_stem(mask)).clamp(0, MOST[kind])
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert (seen[1] - seen[0])[:, :, 16:, :10].abs().max() > 0.01
    assert torch.equal(seen[1][:, :, :15], seen[0][:, :, :15])


@every_trunk
def test_freezes_in_stages(kind: type[MaskedTrunk]) -> None:
    """The mask's own convolution belongs to no stage: it trains when the whole trunk is frozen."""
    trunk = kind()
    trunk.freeze(len(trunk.stage_modules()))
    assert {k for k, p in trunk.named_parameters() if p.requires_grad} == {"mask_stem.weight", "mask_stem.bias"}


@every_trunk
def test_fused_stems(kind: type[MaskedTrunk]) -> None:
    """One convolution gives what the colours' normalisation and the two stems gave together, at the picture's edge as
    within, others' masks below 0 among them."""
    torch.manual_seed(0)
    trunk = kind().eval().requires_grad_(False)
    images, masks = torch.rand(2, 3, 64, 64) * 255, torch.rand(2, 1, 64, 64) * 2 - 1
    apart = trunk(images, masks)
    trunk.fuse()
    seen: list[Tensor] = []
    trunk.stem.register_forward_hook(lambda *_: seen.append(images))
    for found, expected in zip(trunk(images, masks), apart, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert not seen


def test_mobileone_is_a_plain_chain() -> None:
    """Twenty-one blocks, each of which halves the map where its stage begins; all answers pass a ReLU."""
    trunk = MaskedMobileOneS0().eval()
    assert len(trunk.stage_modules()) == 1 + 2 + 8 + 10 + 1
    strides = [block.depthwise.stride[0] for block in trunk.stage_modules()[1:]]
    assert [i for i, stride in enumerate(strides) if stride == 2] == [0, 2, 10, 20]
    with torch.no_grad():
        levels = trunk(torch.rand(1, 3, 64, 64) * 255, torch.zeros(1, 1, 64, 64))
    assert all((level >= 0).all() for level in levels)
    assert sum(p.numel() for p in trunk.parameters()) == 1_053_984
