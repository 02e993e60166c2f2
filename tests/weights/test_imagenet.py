"""ImageNet weights for the trunks: folded or not, the same network comes out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from urllib.error import URLError

import pytest
import torch
import torch.nn.functional as F
import torchvision.models as zoo
from made_up import MADE, folded, made, maps_of
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vossegment.errors import WeightsError
from vossegment.networks.mobilenet import MaskedMobileNetV2, MobileNetV2
from vossegment.networks.mobileone import MaskedMobileOneS0
from vossegment.networks.resnet import resnet18, resnet50
from vossegment.networks.trunk import Trunk
from vossegment.weights import imagenet
from vossegment.weights.imagenet import load_imagenet

FILES = Path(__file__).parents[2].parent / "shared" / "weights"


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
