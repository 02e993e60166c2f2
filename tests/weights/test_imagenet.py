"""ImageNet weights for the trunks: folded or not, the same network comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import torchvision.models as zoo
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vossegment.errors import WeightsError
from vossegment.networks.mobilenet import MaskedMobileNetV2, MobileNetV2
from vossegment.networks.resnet import resnet18, resnet50
from vossegment.networks.trunk import Trunk
from vossegment.weights.imagenet import load_imagenet

FILES = Path(__file__).parents[2].parent / "shared" / "weights"
MADE: dict[str, tuple[Callable[[], nn.Module], Callable[[], Trunk]]] = {
    "mobilenet_v2": (lambda: zoo.mobilenet_v2(weights=None), MobileNetV2),
    "masked_mobilenet_v2": (lambda: zoo.mobilenet_v2(weights=None), MaskedMobileNetV2),
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


def maps_of(trunk: Trunk, crop: Tensor) -> Sequence[Tensor]:
    """The trunk's levels; where it asks for a mask, of none."""
    masks = (torch.zeros_like(crop[:, :1]),) if isinstance(trunk, MaskedMobileNetV2) else ()
    with torch.no_grad():
        maps: Sequence[Tensor] = trunk(crop, *masks)
    return maps


@pytest.mark.parametrize("name", MADE)
def test_folded_is_unfolded(name: str, tmp_path: Path) -> None:
    """A file with batch norms and one with them folded fill the trunk to the same answers."""
    network = made(name)
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, tmp_path / "plain.safetensors")
    save_file(folded(network), tmp_path / "folded.safetensors")
    crop = torch.rand(1, 3, 127, 127) * 255
    answers = []
    for file in ("plain", "folded"):
        torch.manual_seed(2)
        trunk = MADE[name][1]().eval()
        assert load_imagenet(trunk, tmp_path / f"{file}.safetensors") == f"{file}.safetensors"
        answers.append(maps_of(trunk, crop))
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
    network.conv1.padding = (0, 0)  # type: ignore[union-attr]
    crop = torch.rand(1, 3, 127, 127) * 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        x = (crop / 255 - mean[:, None, None]) / std[:, None, None]
        c1 = F.relu(network.bn1(network.conv1(x)))  # type: ignore[operator]
        c2 = network.layer1(network.maxpool(c1))  # type: ignore[operator]
        maps = trunk(crop)
    torch.testing.assert_close(maps.c1, c1, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(maps.c2, c2, rtol=1e-3, atol=1e-3)


def torchvisions_levels(network: nn.Module, crop: Tensor) -> list[Tensor]:
    """torchvision's MobileNetV2, colours from -1 to 1, taken where the five strides end."""
    x, levels = crop / 127.5 - 1, []
    with torch.no_grad():
        for i, layer in enumerate(network.features[:18]):  # type: ignore[index]
            x = layer(x)
            if i in (1, 3, 6, 13, 17):
                levels.append(x)
    return levels


def check_unmasked(trunk: MaskedMobileNetV2, network: nn.Module) -> None:
    """Without a mask, and with its convolution at zero, the trunk gives torchvision's levels."""
    for p in trunk.mask_stem.parameters():
        nn.init.zeros_(p)
    crop = torch.rand(1, 3, 64, 64) * 255
    for found, expected in zip(maps_of(trunk, crop), torchvisions_levels(network, crop), strict=True):
        assert expected.std() > 0
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_masked_is_torchvisions(tmp_path: Path) -> None:
    """All seventeen bottlenecks are where torchvision has them."""
    network = made("mobilenet_v2")
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, tmp_path / "w.safetensors")
    trunk = MaskedMobileNetV2().eval()
    load_imagenet(trunk, tmp_path / "w.safetensors")
    check_unmasked(trunk, network)


def test_the_masks_convolution_stays(tmp_path: Path) -> None:
    """ImageNet knows no masks: what was drawn for them is left as it is, all else is filled."""
    save_file(folded(made("mobilenet_v2")), tmp_path / "w.safetensors")
    trunk = MaskedMobileNetV2()
    before = {k: v.clone() for k, v in trunk.state_dict().items()}
    load_imagenet(trunk, tmp_path / "w.safetensors")
    same = {k for k, v in trunk.state_dict().items() if torch.equal(v, before[k])}
    assert same == {"mask_stem.weight", "mask_stem.bias"}


@pytest.mark.skipif(not FILES.is_dir(), reason="needs the ImageNet files of shared/weights")
def test_the_real_file_unmasked() -> None:
    """The real file fills the masked trunk to the plain network's levels."""
    path = FILES / "mobilenet_v2_imagenet.safetensors"
    trunk = MaskedMobileNetV2().eval()
    load_imagenet(trunk, path)
    tensors, network = load_file(path), zoo.mobilenet_v2(weights=None).eval()
    for name, module in list(network.named_modules()):
        for place, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, place, nn.Identity())
            elif isinstance(child, nn.Conv2d):
                key = f"{name}.{place}"
                child.weight = nn.Parameter(tensors[f"{key}.weight"].float())
                child.bias = nn.Parameter(tensors[f"{key}.bias"].float())
    check_unmasked(trunk, network)


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
        ("mobilenet_v2_imagenet", MaskedMobileNetV2),
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
    for level in maps_of(trunk, crops):
        assert torch.isfinite(level).all()
        assert level.abs().max() < 1e3
        assert (level[0] - level[1]).abs().max() > 0.1


def test_siammasks_trunk_is_the_plain_one(tmp_path: Path) -> None:
    """Colours as they are and 3x3 shortcuts: filled from the same file, the same maps as with normalised colours and
    1x1 shortcuts."""
    save_file({k: v.contiguous() for k, v in made("resnet50").state_dict().items()}, tmp_path / "w.safetensors")
    plain, other = resnet50().eval(), resnet50(shortcut=3, raw=True).eval()
    crop = torch.rand(1, 3, 127, 127) * 255
    for trunk in (plain, other):
        load_imagenet(trunk, tmp_path / "w.safetensors")
    for expected, found in zip(maps_of(plain, crop), maps_of(other, crop), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
