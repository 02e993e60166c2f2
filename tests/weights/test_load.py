"""Weights files: what is written is read back, and nothing else is let in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vossegment.errors import InputError, WeightsError
from vossegment.models import MODELS, load, weights_path
from vossegment.networks.e3sn import E3SN
from vossegment.weights.load import load_weights, save_weights, shipped_folder

Build = Callable[..., E3SN]


class Small(nn.Module):
    """A convolution and a batch norm."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, channels, 3)
        self.norm = nn.BatchNorm2d(channels)


def header(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return dict(file.metadata() or {})


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A good file of a network that calls itself 'small'."""
    path = tmp_path / "good.safetensors"
    save_weights(Small(), path, name="small", about={"recipe": "none", "J": 0.5})
    return path


def rewritten(path: Path, change: Callable[[dict[str, Tensor]], object], **more: str) -> Path:
    """The file with changed tensors and header entries."""
    tensors, head = load_file(path), header(path)
    change(tensors)
    changed = path.with_name("changed.safetensors")
    save_file(tensors, changed, {**head, **more})
    return changed


def refused(path: Path, says: str | None, name: str = "small") -> str:
    """The one-line message with which the file is refused, which names it; the network keeps its weights."""
    network = Small()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    with pytest.raises(WeightsError, match=says) as caught:
        load_weights(network, path, name=name)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    return str(caught.value)


def test_round_trip(tiny_e3sn: Build, tmp_path: Path) -> None:
    """A network filled from its file answers as the one that was saved, to float16."""
    path = tmp_path / "net.safetensors"
    network = tiny_e3sn()
    for p in network.parameters():
        nn.init.normal_(p, std=0.2)
    save_weights(network, path, name="net", about={})
    other = tiny_e3sn()
    load_weights(other, path, name="net")
    for key, value in other.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            assert value.dtype == torch.float32
            assert torch.equal(value, network.state_dict()[key].half().float()), key


def test_file(good: Path) -> None:
    """Floats are float16, batch norm's counters stay away, the header says what it is; nothing is left beside."""
    tensors = load_file(good)
    kinds = {name: tensor.dtype for name, tensor in tensors.items()}
    assert all(kind == (torch.float32 if ".running_" in name else torch.float16) for name, kind in kinds.items())
    assert not [k for k in tensors if "num_batches" in k]
    assert header(good)["network"] == "small"
    assert json.loads(header(good)["about"]) == {"recipe": "none", "J": 0.5}
    assert [p.name for p in good.parent.iterdir()] == [good.name]


def test_what_is_told(good: Path) -> None:
    """Loading tells name, network, checksum and what the header says besides."""
    found = load_weights(Small(), good, name="small")
    assert (found.path, found.name, found.network) == (good, "good", "small")
    assert found.about == {"recipe": "none", "J": 0.5}
    assert found.sha256 == hashlib.sha256(good.read_bytes()).hexdigest()


def test_channels_last_is_saved_too(tmp_path: Path) -> None:
    """The memory's layout does not matter."""
    network = Small().to(memory_format=torch.channels_last)
    save_weights(network, tmp_path / "a.safetensors", name="small", about={})
    other = Small()
    load_weights(other, tmp_path / "a.safetensors", name="small")
    assert torch.equal(other.conv.weight, network.conv.weight.half().float())


def test_missing(tmp_path: Path) -> None:
    """A file that is not there, and a folder."""
    refused(tmp_path / "absent.safetensors", "no such weights file")
    refused(tmp_path, "no such weights file")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a pickle", b"\xff" * 64, b"\x08" + b"\0" * 7 + b'{"a": 1}'])
def test_not_safetensors(tmp_path: Path, content: bytes) -> None:
    """Empty, of another format, with an absurd header."""
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    refused(path, "not a readable safetensors file")


@pytest.mark.parametrize("kept", [0.2, 0.9, 0.999])
def test_truncated(good: Path, kept: float) -> None:
    """A download that broke off."""
    data = good.read_bytes()
    good.write_bytes(data[: int(len(data) * kept)])
    refused(good, "truncated")


def test_not_ours(tmp_path: Path) -> None:
    """Plain safetensors without our mark."""
    path = tmp_path / "plain.safetensors"
    for head in (None, {"format": "pt"}):
        save_file({"conv.weight": torch.zeros(1)}, path, head)
        refused(path, "not a weights file of vossegment")


def test_other_version(good: Path) -> None:
    """A file of a later format is not guessed at."""
    refused(rewritten(good, lambda t: t, vossegment="2"), "not a weights file")


def test_another_network(good: Path) -> None:
    """The error tells which network the weights are of, and which was wanted."""
    refused(good, "weights of 'small', not of 'large'", name="large")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: t.pop("conv.bias"), "1 tensors are missing: conv.bias"),
        (lambda t: t.update(stranger=torch.zeros(1)), "stranger"),
        (lambda t: t.update({"conv.weight": torch.zeros(3, 2, 3, 4).half()}), "conv.weight"),
        (lambda t: t.update({"norm.bias": torch.zeros(1).half()}), "norm.bias"),
        (lambda t: t.clear(), "6 tensors"),
    ],
)
def test_tensors_must_fit(good: Path, change: Callable[[dict[str, Tensor]], object], named: str) -> None:
    """A tensor that is missing, unknown or of another shape is named."""
    refused(rewritten(good, change), named)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_not_finite(good: Path, value: float) -> None:
    """One number that is not finite is enough."""
    refused(rewritten(good, lambda t: t["norm.running_var"].__setitem__(1, value)), "not finite")


@pytest.mark.parametrize("dtype", ["int8", "complex64"])
def test_other_kinds_of_numbers(good: Path, dtype: str) -> None:
    """Weights are floating point numbers: whole (quantised) and complex ones are refused, not converted in silence."""
    kind = getattr(torch, dtype)
    refused(rewritten(good, lambda t: t.update({"conv.bias": torch.ones(3).to(kind)})), None)


@pytest.mark.parametrize("about", ["", "{", "[]", "3", '"text"'])
def test_damaged_header(good: Path, about: str) -> None:
    """What the header tells must be an object of JSON, and is checked before the network is filled."""
    refused(rewritten(good, lambda t: t, about=about), "header is damaged")


def test_written_weights_can_be_read(tmp_path: Path) -> None:
    """Numbers too large for float16 are refused when written, not when a user reads them."""
    network = Small()
    with torch.no_grad():
        network.norm.running_var.fill_(1e5)  # type: ignore[union-attr]
    path = tmp_path / "large.safetensors"
    try:
        save_weights(network, path, name="small", about={})
    except WeightsError:
        return
    load_weights(Small(), path, name="small")


def test_no_weights_known() -> None:
    """A model for which none ship says so, and what to do; an unknown model lists the known."""
    without = [n for n, m in MODELS.items() if m.weights is None]
    for name in without:
        with pytest.raises(WeightsError, match=f"no weights ship for '{name}'; give --weights"):
            weights_path(name, None)
    with pytest.raises(InputError, match="known: " + ", ".join(sorted(MODELS))):
        load("no such model")


def test_own_weights_path() -> None:
    """The default file lies in the shipped folder, one's own where it was named."""
    for name, row in MODELS.items():
        if row.weights is not None:
            assert weights_path(name, None) == shipped_folder() / f"{row.weights}.safetensors"
        assert weights_path(name, Path("own.safetensors")) == Path("own.safetensors")


def test_load_by_name(tmp_path: Path) -> None:
    """A saved network comes back as a tracker that tells where it is from."""
    path = tmp_path / "mine.safetensors"
    save_weights(MODELS["e3sn"].build(), path, name="e3sn", about={"steps": 1})
    loaded = load("e3sn", weights=path, device="cpu", precision="float32", box_from="mask")
    assert loaded.describe() == {
        "name": "e3sn",
        "weights": "mine",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "device": "cpu",
        "precision": "float32",
    }
    assert loaded.tracker.settings.box_from == "mask"  # type: ignore[attr-defined]
