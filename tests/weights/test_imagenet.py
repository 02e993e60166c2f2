"""ImageNet weights for the trunks: folded or not, the same network comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from pickle import UnpicklingError
from urllib.error import URLError

import pytest
import torch
import torch.nn.functional as F
import torchvision.models as zoo
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vossegment.errors import WeightsError
from vossegment.networks.mobilenet import MaskedMobileNetV2, MobileNetV2
from vossegment.networks.mobileone import MaskedMobileOneS0
from vossegment.networks.resnet import resnet18, resnet50
from vossegment.networks.trunk import MaskedTrunk, Trunk
from vossegment.weights import imagenet
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
    masks = (torch.zeros_like(crop[:, :1]),) if isinstance(trunk, MaskedTrunk) else ()
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


@pytest.mark.parametrize(
    "error",
    [URLError("no network"), RuntimeError("not a zip archive\nfar down"), EOFError(), UnpicklingError("no weights")],
)
def test_download_fails(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, a page in place of the file, half of it: one line says whose weights, why, and what to give."""

    def download(*arguments: object, **options: object) -> dict[str, Tensor]:
        raise error

    monkeypatch.setattr(imagenet, "load_state_dict_from_url", download)
    monkeypatch.setattr(zoo, "mobilenet_v2", download)
    trunks = {"Apple's MobileOne-S0": MaskedMobileOneS0(), "torchvision's mobilenet_v2": MaskedMobileNetV2()}
    for whose, trunk in trunks.items():
        with pytest.raises(WeightsError, match=rf"^{whose}.*: .*; give --trunk FILE$") as caught:
            load_imagenet(trunk, None)
        assert "\n" not in str(caught.value)


def test_torchvisions_are_renormalised(monkeypatch: pytest.MonkeyPatch) -> None:
    """torchvision's MobileNetV2 takes colours by mean and deviation, the trunk from -1 to 1: the same stem's answer."""
    network = made("mobilenet_v2")
    monkeypatch.setattr(zoo, "mobilenet_v2", lambda weights: network)
    trunk = MaskedMobileNetV2().eval()
    assert load_imagenet(trunk, None) == "torchvision's mobilenet_v2, IMAGENET1K_V1"
    crop = torch.rand(1, 3, 32, 32)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        convolution, norm, _ = network.get_submodule("features.0").children()
        expected = norm(convolution((crop - mean.view(3, 1, 1)) / std.view(3, 1, 1)))
        found = trunk.stem(crop * 2 - 1)
    inner = (slice(None), slice(None), slice(1, -1), slice(1, -1))  # beyond the edge, zero is another colour
    torch.testing.assert_close(found[inner], expected[inner], rtol=1e-3, atol=1e-3)


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


class Stranger(Trunk):
    channels = (1, 1, 1, 1)


@pytest.mark.parametrize("given", [True, False])
def test_unknown_trunk(given: bool, tmp_path: Path) -> None:
    """A trunk of another kind is told that none are known for it, before any is read or downloaded."""
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"^no ImageNet weights are known for Stranger$"):
        load_imagenet(Stranger(), tmp_path / "w.safetensors" if given else None)


@pytest.mark.skipif(not FILES.is_dir(), reason="needs the ImageNet files of shared/weights")
@pytest.mark.parametrize(
    ("file", "build"),
    [
        ("mobilenet_v2_imagenet", MobileNetV2),
        ("mobilenet_v2_imagenet", MaskedMobileNetV2),
        ("mobileone_s0_imagenet", MaskedMobileOneS0),
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
