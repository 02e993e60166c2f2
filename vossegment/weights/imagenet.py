"""ImageNet trunks: from a safetensors file, or the authors' own weights where there is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.hub import load_state_dict_from_url

from vossegment.errors import WeightsError
from vossegment.networks.mobilenet import MaskedMobileNetV2, MobileNetV2
from vossegment.networks.mobileone import MaskedMobileOneS0
from vossegment.networks.resnet import ResNet
from vossegment.networks.trunk import DEVIATION, MEAN, Trunk

_NORM = ("weight", "bias", "running_mean", "running_var")
_EPS = 1e-5
_MOBILEONE_URL = "https://docs-assets.developer.apple.com/ml-research/datasets/mobileone/mobileone_s0.pth.tar"
"""MobileOne-S0 of github.com/apple/ml-mobileone, its branches summed."""

_MEAN, _STD = (torch.tensor(values).view(1, 3, 1, 1) / 255 for values in (MEAN, DEVIATION))


def load_imagenet(trunk: Trunk, source: Path | None) -> str:
    """Fills ``trunk`` with ImageNet weights and says whence.

    ``source`` is a safetensors file with torchvision's key names, batch norm folded or not, or Apple's for MobileOne,
    branches summed; None downloads theirs. Raises WeightsError if they cannot be had, or lack a tensor.
    """
    authors = _authors(trunk)
    if source is None:
        tensors, origin = _downloaded(authors), authors.name
    else:
        try:
            tensors, origin = load_file(source), source.name
        except (OSError, SafetensorError) as error:
            raise WeightsError(f"{source}: not a readable safetensors file ({error})") from None
    try:
        trunk.load_state_dict(authors.state(tensors, trunk))
    except (KeyError, RuntimeError) as error:
        raise WeightsError(f"{origin}: not ImageNet weights of this trunk ({str(error).splitlines()[0]})") from None
    return origin


class _Authors(NamedTuple):
    """Whose a kind of trunk's ImageNet weights are, how they are had, and how they become the trunk's own tensors."""

    name: str
    download: Callable[[], Mapping[str, Tensor]]
    state: Callable[[Mapping[str, Tensor], Any], dict[str, Tensor]]


def _authors(trunk: Trunk) -> _Authors:
    """Raises WeightsError for a trunk that nobody trained."""
    if isinstance(trunk, MaskedMobileOneS0):
        return _Authors("Apple's MobileOne-S0", _apples, _mobileone)
    if isinstance(trunk, (MobileNetV2, MaskedMobileNetV2)):
        name = "mobilenet_v2"
        return _Authors(_theirs(name), lambda: renormalised(_torchvisions(name)), _mobilenet)
    if isinstance(trunk, ResNet):
        name = "resnet50" if trunk.channels[3] == 1024 else "resnet18"
        return _Authors(_theirs(name), lambda: _torchvisions(name), _resnet)
    raise WeightsError(f"no ImageNet weights are known for {type(trunk).__name__}")


def _theirs(name: str) -> str:
    return f"torchvision's {name}, IMAGENET1K_V1"


def _apples() -> Mapping[str, Tensor]:
    tensors: Mapping[str, Tensor] = load_state_dict_from_url(_MOBILEONE_URL, map_location="cpu", weights_only=True)
    return tensors


def _torchvisions(name: str) -> Mapping[str, Tensor]:
    import torchvision.models as zoo

    return dict(getattr(zoo, name)(weights="IMAGENET1K_V1").state_dict())


def _downloaded(authors: _Authors) -> Mapping[str, Tensor]:
    try:
        return authors.download()
    # urllib's errors are OSErrors; a file that is no weights, or a part of them, gives one of the others.
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"{authors.name}: ImageNet weights not downloaded, or damaged ({why}); give --trunk FILE"
        ) from None


def renormalised(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's MobileNetV2 with its mean and deviation folded into the stem: our trunk feeds -1..1.

    (x / 255 - mean) / std = u / (2 std) + (0.5 - mean) / std for u = x / 127.5 - 1.
    """
    weight, bias = _folded(tensors, "features.0.0", "features.0.1")
    return {
        **tensors,
        "features.0.0.weight": weight / (2 * _STD),
        "features.0.0.bias": bias + (weight * ((0.5 - _MEAN) / _STD)).sum((1, 2, 3)),
    }


def _folded(tensors: Mapping[str, Tensor], conv: str, norm: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution with its batch norm folded in, wherever the file folded it already."""
    weight = tensors[f"{conv}.weight"].float()
    if f"{conv}.bias" in tensors:
        return weight, tensors[f"{conv}.bias"].float()
    gain, bias, mean, variance = (tensors[f"{norm}.{k}"].float() for k in _NORM)
    factor = gain / (variance + _EPS).sqrt()
    return weight * factor[:, None, None, None], bias - mean * factor


def _mobilenet(tensors: Mapping[str, Tensor], trunk: MobileNetV2 | MaskedMobileNetV2) -> dict[str, Tensor]:
    state = _mask_stem_of(trunk)

    def put(name: str, conv: str, norm: str) -> None:
        state[f"{name}.weight"], state[f"{name}.bias"] = _folded(tensors, conv, norm)

    put("stem", "features.0.0", "features.0.1")
    for i, block in enumerate(trunk.blocks):
        there, here, layer = f"features.{i + 1}.conv", f"blocks.{i}", 0
        if getattr(block, "expand", None) is not None:
            put(f"{here}.expand", f"{there}.0.0", f"{there}.0.1")
            layer = 1
        put(f"{here}.depthwise", f"{there}.{layer}.0", f"{there}.{layer}.1")
        put(f"{here}.project", f"{there}.{layer + 1}", f"{there}.{layer + 2}")
    return state


def _mobileone(tensors: Mapping[str, Tensor], trunk: MaskedMobileOneS0) -> dict[str, Tensor]:
    state = _mask_stem_of(trunk)

    def put(name: str, there: str) -> None:
        for field in ("weight", "bias"):
            state[f"{name}.{field}"] = tensors[f"{there}.reparam_conv.{field}"].float()

    put("stem", "stage0")
    for i, stage in enumerate(trunk.stages):
        for j in range(len(cast(nn.Sequential, stage))):
            put(f"stages.{i}.{j}.depthwise", f"stage{i + 1}.{2 * j}")
            put(f"stages.{i}.{j}.pointwise", f"stage{i + 1}.{2 * j + 1}")
    return state


def _mask_stem_of(trunk: Trunk) -> dict[str, Tensor]:
    """The mask's convolution as it was drawn: ImageNet knows nothing of masks."""
    return {k: v for k, v in trunk.state_dict().items() if k.startswith("mask_stem.")}


def _resnet(tensors: Mapping[str, Tensor], trunk: ResNet) -> dict[str, Tensor]:
    """The trunk keeps its batch norms; a folded file fills them so that they only add the bias."""
    state: dict[str, Tensor] = {}
    for key, own in trunk.state_dict().items():
        if key.endswith("num_batches_tracked"):
            state[key] = own
        elif key in tensors:
            state[key] = tensors[key].float()
        else:
            field = key.rsplit(".", 1)[1]
            conv = re.sub(r"bn(\d)\.\w+$", r"conv\1", re.sub(r"downsample\.1\.\w+$", "downsample.0", key))
            neutral = {"running_mean": torch.zeros_like(own), "running_var": torch.full_like(own, 1 - _EPS)}
            state[key] = (
                neutral[field]
                if field in neutral
                else (tensors[f"{conv}.bias"].float() if field == "bias" else torch.ones_like(own))
            )
            if f"{conv}.bias" not in tensors:
                raise KeyError(key)
        if key.endswith("downsample.0.weight") and own.shape[2:] == (3, 3) and state[key].shape[2:] == (1, 1):
            # A 1x1 is a 3x3 that looks at its middle alone.
            state[key] = F.pad(state[key], (1, 1, 1, 1))
    return _raw(state) if trunk.raw else state


def _raw(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A trunk for colours of 0..255 as they are: mean and deviation go into the stem, which has no padding.

    w (x / 255 - mean) / std = (w / 255 std) x - sum of w mean / std, which the norm's running mean takes.
    """
    weight = state["conv1.weight"]
    shift = (weight * (_MEAN / _STD)).sum((1, 2, 3))
    return {
        **state,
        "conv1.weight": weight / (255 * _STD),
        "bn1.running_mean": state["bn1.running_mean"] + shift,
    }
