"""ImageNet weights for the trunks: folded or not, the same network comes out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import torchvision.models as zoo
from safetensors.torch import save_file
from torch import Tensor, nn

from vossegment.errors import WeightsError
from vossegment.networks.mobilenet import MobileNetV2
from vossegment.networks.resnet import resnet18, resnet50
from vossegment.networks.trunk import Trunk
from vossegment.weights.imagenet import load_imagenet

FILES = Path(__file__).parents[2].parent / "shared" / "weights"
MADE: dict[str, tuple[Callable[[], nn.Module], Callable[[], Trunk]]] = {
    "mobilenet_v2": (lambda: zoo.mobilenet_v2(weights=None), MobileNetV2),
    "resnet18": (lambda: zoo.resnet18(weights=None), resnet18),
    "resnet50": (lambda: zoo.resnet50(weights=None), resnet50),
}


def made(name: str) -> nn.Module:
    """torchvision's network with made-up weights and statistics."""
    network = MADE[name][0]().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight, 0.5, 1.0),
                (module.bias, -0.2, 0.2),
                (module.running_mean, -0.2, 0.2),
                (module.running_var, 0.5, 1.5),
            ):
                assert isinstance(tensor, Tensor)
                nn.init.uniform_(tensor, low, high)
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


@pytest.mark.parametrize("name", MADE)
def test_folded_is_unfolded(name: str, tmp_path: Path) -> None:
    """A file with batch norms and one with them folded fill the trunk to the same answers."""
    network = made(name)
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, tmp_path / "plain.safetensors")
    save_file(folded(network), tmp_path / "folded.safetensors")
    crop = torch.rand(1, 3, 127, 127) * 255
    answers = []
    for file in ("plain", "folded"):
        trunk = MADE[name][1]().eval()
        assert load_imagenet(trunk, tmp_path / f"{file}.safetensors") == f"{file}.safetensors"
        with torch.no_grad():
            answers.append(trunk(crop))
    for plain, other in zip(*answers, strict=True):
        assert plain.std() > 0
        torch.testing.assert_close(other, plain, rtol=1e-3, atol=1e-4 * float(plain.abs().max()))


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_torchvisions_maps(name: str, tmp_path: Path) -> None:
    """With torchvision's tensors the trunk gives torchvision's maps, where both take the same padding: to conv2."""
    network = made(name)
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, tmp_path / "w.safetensors")
    trunk = MADE[name][1]().eval()
    load_imagenet(trunk, tmp_path / "w.safetensors")
    network.conv1.padding = (0, 0)  # type: ignore[union-attr,assignment]
    crop = torch.rand(1, 3, 127, 127) * 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        x = (crop / 255 - mean[:, None, None]) / std[:, None, None]
        c1 = F.relu(network.bn1(network.conv1(x)))  # type: ignore[operator]
        c2 = network.layer1(network.maxpool(c1))  # type: ignore[operator]
        maps = trunk(crop)
    torch.testing.assert_close(maps.c1, c1, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(maps.c2, c2, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", MADE)
def test_bad_files(name: str, tmp_path: Path) -> None:
    """No file, no safetensors, a tensor missing, a wrong shape: a WeightsError of one line that names the file."""
    path = tmp_path / "w.safetensors"
    trunk = MADE[name][1]()

    def refuse() -> None:
        with pytest.raises(WeightsError, match=r"w\.safetensors") as caught:
            load_imagenet(trunk, path)
        assert "\n" not in str(caught.value)

    refuse()
    path.write_bytes(b"nothing of the kind")
    refuse()
    good = folded(made(name))
    first = next(iter(good))
    save_file({k: v for k, v in good.items() if k != first}, path)
    refuse()
    save_file({**good, first: torch.zeros(1, 2, 3, 3)}, path)
    refuse()


def test_another_trunks_file(tmp_path: Path) -> None:
    """One network's weights do not go into another's trunk."""
    save_file(folded(made("resnet18")), tmp_path / "w.safetensors")
    for trunk in (MobileNetV2(), resnet50()):
        with pytest.raises(WeightsError, match="not ImageNet weights of this trunk"):
            load_imagenet(trunk, tmp_path / "w.safetensors")


class Stranger(Trunk):
    channels = (1, 1, 1, 1)


def test_unknown_trunk(tmp_path: Path) -> None:
    """A trunk of another kind is told that none are known for it."""
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="Stranger"):
        load_imagenet(Stranger(), tmp_path / "w.safetensors")


@pytest.mark.skipif(not FILES.is_dir(), reason="needs the ImageNet files of shared/weights")
@pytest.mark.parametrize(
    ("file", "build"),
    [
        ("mobilenet_v2_imagenet", MobileNetV2),
        ("resnet18_imagenet_conv1-layer3", resnet18),
        ("resnet50_imagenet_conv1-layer3", lambda: resnet50(stride_on="1x1")),
    ],
)
def test_real_files(file: str, build: Callable[[], Trunk]) -> None:
    """The real files fit, and a trained trunk's maps are alive: finite, and telling an edge from a plain."""
    trunk = build().eval()
    load_imagenet(trunk, FILES / f"{file}.safetensors")
    crops = torch.full((2, 3, 127, 127), 110.0)
    crops[1, :, :, 63:] = 220
    with torch.no_grad():
        maps = trunk(crops)
    for level in maps:
        assert torch.isfinite(level).all()
        assert level.abs().max() < 1e3
        assert (level[0] - level[1]).abs().max() > 0.1
