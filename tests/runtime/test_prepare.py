"""Prepared networks answer as the plain ones; devices and precisions are chosen or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from norms import stir
from torch import Tensor, nn

from vossegment.errors import InputError
from vossegment.models import MODELS
from vossegment.networks.e3sn import E3SN
from vossegment.networks.siammask import SiamMask
from vossegment.runtime.prepare import choose_device, choose_precision, fold, prepare
from vossegment.tracking.siamese import SiameseSettings

CPU = torch.device("cpu")


def answer(network: E3SN | SiamMask, template: Tensor, search: Tensor) -> tuple[Tensor, ...]:
    """Those that the variant has."""
    cells = torch.tensor([[0, 12, 12], [0, 3, 20]])
    with torch.no_grad():
        response: Any = network.search(network.template(template), search)  # type: ignore[arg-type]
        masks = (network.masks(response, cells),) if network.masked else ()
    return tuple(x for x in (response.scores, response.boxes, *masks) if x.numel())


def test_nothing_to_fold() -> None:
    """A network without batch norm stays as it is."""
    network = nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU())
    before = network[0].weight.clone()
    fold(network.eval())
    assert torch.equal(network[0].weight, before)


def test_fold_leaves_no_batch_norm_in_a_sequence() -> None:
    """Each batch norm behind a convolution becomes nothing, also deep down; one behind something else stays."""
    network = nn.Sequential(
        nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU()), nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)
    ).eval()
    stir(network)
    x = torch.randn(1, 2, 6, 6)
    with torch.no_grad():
        before = network(x)
        fold(network)
        torch.testing.assert_close(network(x), before, rtol=1e-4, atol=1e-5)
    assert not [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    alone = nn.Sequential(nn.ReLU(), nn.BatchNorm2d(2)).eval()
    fold(alone)
    assert isinstance(alone[1], nn.BatchNorm2d)


SIAMESE = [name for name, row in MODELS.items() if isinstance(row.settings, SiameseSettings)]


@pytest.mark.parametrize("name", SIAMESE)
def test_prepared_is_plain(name: str) -> None:
    """Folding and layout change no answer of any registered Siamese model."""
    network: E3SN | SiamMask = MODELS[name].build().eval()  # type: ignore[assignment]
    stir(network)
    template, search = torch.rand(1, 3, 127, 127) * 255, torch.rand(1, 3, 255, 255) * 255
    before = answer(network, template, search)
    prepared: E3SN | SiamMask = prepare(network, CPU, torch.float32)  # type: ignore[assignment]
    for plain, ready in zip(before, answer(prepared, template, search), strict=True):
        torch.testing.assert_close(ready, plain, rtol=1e-3, atol=1e-4 * max(1.0, float(plain.abs().max())))


def test_prepared_does_not_train(tiny_e3sn: Callable[..., E3SN]) -> None:
    """A prepared network is in eval mode, and no parameter asks for a gradient."""
    prepared = prepare(tiny_e3sn(), CPU, torch.float32)
    assert not any(m.training for m in prepared.modules() if not isinstance(m, nn.Identity))
    assert not any(p.requires_grad for p in prepared.parameters())


@pytest.mark.parametrize("name", ["tiny", "e3sn"])
def test_bfloat16(tiny_e3sn: Callable[..., E3SN], name: str) -> None:
    """In bfloat16 all weights are, the crops come as float32 all the same, and the answers are near."""
    network: E3SN = tiny_e3sn().eval() if name == "tiny" else MODELS[name].build().eval()  # type: ignore[assignment]
    template, search = torch.rand(1, 3, 127, 127) * 255, torch.rand(1, 3, 255, 255) * 255
    before = answer(network, template, search)
    prepared: E3SN = prepare(network, CPU, torch.bfloat16)  # type: ignore[assignment]
    assert {p.dtype for p in prepared.parameters()} == {torch.bfloat16}
    for plain, ready in zip(before, answer(prepared, template, search), strict=True):
        assert float((ready.float() - plain).abs().mean()) < 0.1 * float(plain.abs().max()) + 0.02


def test_devices() -> None:
    """The processor is always there, and auto finds something."""
    assert choose_device("cpu") == CPU
    assert choose_device("auto").type in ("cpu", "cuda")


@pytest.mark.parametrize(
    "name", ["", "gpu", "tpu", "CPU", "cpu:x", "cpu:", "cuda:-1", "cuda:x", "cuda:", "cuda:²", "cuda:99", "cuda:1:2"]
)
def test_devices_refused(name: str) -> None:
    """What is no device, or not there, is refused by name."""
    with pytest.raises(InputError, match="device") as caught:
        choose_device(name)
    assert f"'{name}'" in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_no_cuda() -> None:
    """Where there is no CUDA device the error says so, and what else to use."""
    with pytest.raises(InputError, match="0 CUDA devices; try --device cpu"):
        choose_device("cuda")


@pytest.mark.parametrize(("name", "expected"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_precision_as_asked(name: str, expected: torch.dtype) -> None:
    """A named precision is taken anywhere."""
    assert choose_precision(name, CPU) is expected
    assert choose_precision(name, torch.device("cuda")) is expected


@pytest.mark.parametrize("native", [True, False])
def test_precision_auto(monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    """Auto is bfloat16 only where the processor multiplies it natively."""
    monkeypatch.setattr("vossegment.runtime.prepare._cpu_has_bfloat16", lambda: native)
    assert choose_precision("auto", CPU) is (torch.bfloat16 if native else torch.float32)


@pytest.mark.parametrize("name", ["", "half", "float16", "AUTO"])
def test_precisions_refused(name: str) -> None:
    """An unknown precision lists the known."""
    with pytest.raises(InputError, match="known: auto, float32, bfloat16"):
        choose_precision(name, CPU)
