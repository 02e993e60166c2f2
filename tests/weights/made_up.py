"""Made-up ImageNet weights under their authors' names, with batch norms and without, and what a trunk makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torchvision.models as zoo
from norms import stir
from torch import Tensor, nn

from vossegment.networks.mobilenet import MaskedMobileNetV2, MobileNetV2
from vossegment.networks.resnet import resnet18, resnet50
from vossegment.networks.trunk import MaskedTrunk, Trunk

MADE: dict[str, tuple[Callable[[], nn.Module], Callable[[], Trunk]]] = {
    "mobilenet_v2": (lambda: zoo.mobilenet_v2(weights=None), MobileNetV2),
    "masked_mobilenet_v2": (lambda: zoo.mobilenet_v2(weights=None), MaskedMobileNetV2),
    "resnet18": (lambda: zoo.resnet18(weights=None), resnet18),
    "resnet50": (lambda: zoo.resnet50(weights=None), resnet50),
}


def made(name: str) -> nn.Module:
    """torchvision's network with made-up weights and statistics."""
    network = MADE[name][0]().eval()
    stir(network, most=1.0, shift=0.2)
    return network


def folded(network: nn.Module) -> dict[str, Tensor]:
    """The network's tensors with each batch norm folded into the convolution before it."""
    tensors: dict[str, Tensor] = {}
    convolution: tuple[str, nn.Conv2d] | None = None
    order: list[tuple[str, nn.Module]] = list(network.named_modules())
    # torchvision's residual blocks list all convolutions beside their norms: conv1 bn1 conv2 bn2; so this order holds.
    pairs: list[tuple[str, nn.Conv2d, nn.BatchNorm2d]] = []
    waiting: dict[str, tuple[str, nn.Conv2d]] = {}
    for name, module in order:
        if isinstance(module, nn.Conv2d):
            convolution = (name, module)
            waiting[name] = convolution
        elif isinstance(module, nn.BatchNorm2d):
            assert convolution is not None
            pairs.append((*waiting.pop(convolution[0]), module))
    assert not waiting
    for name, conv, norm in pairs:
        assert norm.running_var is not None
        assert norm.running_mean is not None
        factor = norm.weight / (norm.running_var + norm.eps).sqrt()
        tensors[f"{name}.weight"] = (conv.weight * factor[:, None, None, None]).detach().contiguous()
        tensors[f"{name}.bias"] = (norm.bias - norm.running_mean * factor).detach().contiguous()
    return tensors


def maps_of(trunk: Trunk, crop: Tensor) -> Sequence[Tensor]:
    """The trunk's levels; where it asks for a mask, of none."""
    masks = (torch.zeros_like(crop[:, :1]),) if isinstance(trunk, MaskedTrunk) else ()
    with torch.no_grad():
        maps: Sequence[Tensor] = trunk(crop, *masks)
    return maps
