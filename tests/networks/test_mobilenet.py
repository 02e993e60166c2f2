"""MobileNetV2's parts: depth-wise convolutions by detours, and the trunk that also sees a mask."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vossegment.networks.mobilenet import DepthwiseConv, MaskedMobileNetV2


def direct(conv: DepthwiseConv, x: Tensor) -> Tensor:
    """The convolution said in one line: at stride 2 padded right and bottom only, else all round."""
    if conv.stride == (2, 2):
        return F.conv2d(F.pad(x, (0, 1, 0, 1)), conv.weight, conv.bias, stride=2, groups=x.shape[1])
    d = conv.dilation[0]
    return F.conv2d(x, conv.weight, conv.bias, padding=d, dilation=d, groups=x.shape[1])


@pytest.mark.parametrize(
    ("stride", "dilation", "height", "width"),
    [
        *((1, d, h, w) for d in (1, 2) for h, w in ((1, 1), (2, 2), (5, 5), (6, 6), (6, 9), (15, 4))),
        *((2, 1, h, w) for h, w in ((2, 2), (3, 3), (5, 5), (6, 6), (6, 9), (15, 4))),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_depthwise_is_the_direct_convolution(
    stride: int, dilation: int, height: int, width: int, training: bool
) -> None:
    """Detours taken in training give the direct convolution's values and gradients, at odd and even sizes."""
    conv = DepthwiseConv(5, stride=stride, dilation=dilation).double().train(training)
    assert conv.bias is not None
    x = torch.randn(2, 5, height, width, dtype=torch.float64, requires_grad=True)
    found, expected = conv(x), direct(conv, x)
    torch.testing.assert_close(found, expected)
    towards, leaves = torch.randn_like(expected), (x, conv.weight, conv.bias)
    for got, wanted in zip(
        torch.autograd.grad(found, leaves, towards), torch.autograd.grad(expected, leaves, towards), strict=True
    ):
        torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("size", [64, 192, 256])
def test_masked_levels(size: int) -> None:
    """Five levels of the declared channels, each at half the one before."""
    with torch.device("meta"):
        trunk = MaskedMobileNetV2()
        levels = trunk(torch.empty(2, 3, size, size), torch.empty(2, 1, size, size))
    assert [tuple(level.shape) for level in levels] == [
        (2, channels, size >> i, size >> i) for i, channels in enumerate(trunk.channels, 1)
    ]


def test_mask_is_added_before_the_stems_relu() -> None:
    """The mask shifts the stem's answer where it lies; all 0 it adds the bias of its own convolution alone."""
    trunk = MaskedMobileNetV2().eval()
    seen: list[Tensor] = []
    trunk.blocks[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    images, masks = torch.rand(1, 3, 64, 64) * 255, torch.zeros(2, 1, 1, 64, 64)
    masks[1, :, :, 32:, :20] = 0.7
    with torch.no_grad():
        for mask in masks:
            trunk(images, mask)
        plain = trunk.stem(images / 127.5 - 1)
        for found, mask in zip(seen, masks, strict=True):
            expected = (plain + trunk.mask_stem(mask)).clamp(0, 6)
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert (seen[1] - seen[0])[:, :, 16:, :10].abs().max() > 0.01
    assert torch.equal(seen[1][:, :, :15], seen[0][:, :, :15])


def test_masked_freezes_in_stages() -> None:
    """The mask's own convolution belongs to no stage: it trains when the whole trunk is frozen."""
    trunk = MaskedMobileNetV2()
    trunk.freeze(len(trunk.stage_modules()))
    assert {k for k, p in trunk.named_parameters() if p.requires_grad} == {"mask_stem.weight", "mask_stem.bias"}


def test_fused_stems() -> None:
    """One convolution of four channels gives what the two gave together, others' masks below 0 among them."""
    torch.manual_seed(0)
    trunk = MaskedMobileNetV2().eval().requires_grad_(False)
    images, masks = torch.rand(2, 3, 64, 64) * 255, torch.rand(2, 1, 64, 64) * 2 - 1
    apart = trunk(images, masks)
    trunk.fuse()
    seen: list[Tensor] = []
    trunk.stem.register_forward_hook(lambda *_: seen.append(images))
    for found, expected in zip(trunk(images, masks), apart, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert not seen
