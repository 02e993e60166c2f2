"""Apple's ImageNet weights of MobileOne-S0, which torchvision does not have."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from made_up import folded, made, maps_of
from safetensors.torch import save_file
from torch import Tensor, nn

from vossegment.errors import WeightsError
from vossegment.networks.mobileone import MaskedMobileOneS0
from vossegment.weights import imagenet
from vossegment.weights.imagenet import load_imagenet


def apples(trunk: MaskedMobileOneS0) -> dict[str, Tensor]:
    """Made-up tensors under the names of Apple's file, the classifier among them."""
    tensors = {"linear.weight": torch.rand(10, 1024), "linear.bias": torch.rand(10)}
    blocks = ["stage0", *(f"stage{s}.{i}" for s, n in ((1, 4), (2, 16), (3, 20), (4, 2)) for i in range(n))]
    convolutions = [m for m in trunk.modules() if isinstance(m, nn.Conv2d) and m is not trunk.mask_stem]
    for name, convolution in zip(blocks, convolutions, strict=True):
        tensors[f"{name}.reparam_conv.weight"] = torch.rand_like(convolution.weight) - 0.5
        tensors[f"{name}.reparam_conv.bias"] = torch.rand(convolution.out_channels)
    return tensors


def test_mobileone_is_the_chain_of_its_file(tmp_path: Path) -> None:
    """Apple's names and order: what its convolutions give one by one is what the trunk computes; the mask's stays."""
    trunk = MaskedMobileOneS0().eval()
    tensors = apples(trunk)
    save_file(tensors, tmp_path / "w.safetensors")
    before = trunk.mask_stem.weight.clone()
    nn.init.zeros_(trunk.mask_stem.bias)  # type: ignore[arg-type]
    load_imagenet(trunk, tmp_path / "w.safetensors")
    assert torch.equal(trunk.mask_stem.weight, before)
    crop = torch.rand(1, 3, 64, 64) * 255
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    x = (crop - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    levels, stage = [], "stage0"
    for name in dict.fromkeys(key.split(".reparam")[0] for key in tensors if "reparam" in key):
        weight, bias = tensors[f"{name}.reparam_conv.weight"], tensors[f"{name}.reparam_conv.bias"]
        if name.split(".")[0] != stage:
            levels.append(x)
        first = name.split(".")[0] != stage or name == "stage0"
        stage = name.split(".")[0]
        groups = x.shape[1] // weight.shape[1]
        x = F.relu(F.conv2d(x, weight, bias, 2 if first else 1, weight.shape[2] // 2, groups=groups))
    for found, expected in zip(maps_of(trunk, crop), [*levels, x], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_mobileone_from_its_authors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file, Apple's is downloaded."""
    trunk = MaskedMobileOneS0()
    tensors = apples(trunk)

    def download(url: str, **options: object) -> dict[str, Tensor]:
        assert "mobileone_s0" in url
        assert options["weights_only"] is True
        return tensors

    monkeypatch.setattr(imagenet, "load_state_dict_from_url", download)
    assert load_imagenet(trunk, None) == "Apple's MobileOne-S0"
    assert torch.equal(trunk.stem.weight, tensors["stage0.reparam_conv.weight"])


def test_not_mobileones_file(tmp_path: Path) -> None:
    """A tensor missing, one of another shape, another trunk's file: refused in one line."""
    tensors = apples(MaskedMobileOneS0())
    for bad in (
        {k: v for k, v in tensors.items() if "stage3.7" not in k},
        {**tensors, "stage0.reparam_conv.weight": torch.zeros(48, 1, 3, 3)},
        folded(made("mobilenet_v2")),
    ):
        save_file(bad, tmp_path / "w.safetensors")
        with pytest.raises(WeightsError, match="not ImageNet weights of this trunk") as caught:
            load_imagenet(MaskedMobileOneS0(), tmp_path / "w.safetensors")
        assert "\n" not in str(caught.value)
