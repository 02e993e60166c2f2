"""Official checkpoints come in whole and go out as they came; anything else is refused in one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from official_recipe import official_state
from safetensors.torch import save_file
from torch import Tensor

from vossegment.errors import WeightsError
from vossegment.models import MODELS
from vossegment.networks.siammask import SiamMask
from vossegment.weights.load import save_weights
from vossegment.weights.official import fill, is_checkpoint, load_any, ours, read_official, variant, write_official


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return official_state(SiamMask(masks=False))


def saved(path: Path, state: dict[str, Tensor], **besides: Any) -> Path:
    torch.save({"state_dict": state, "epoch": 20, "arch": "Custom", **besides}, path)
    return path


def refusal(path: Path) -> str:
    """What is said of a file that does not fill SiamRPN."""
    with pytest.raises(WeightsError) as caught:
        fill(SiamMask(masks=False), read_official(path), path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("prefix", ["", "module."])
def test_round_trip(tmp_path: Path, state: dict[str, Tensor], prefix: str) -> None:
    """In, with or without the prefix of parallel training, and out again: the same names in the same order, and
    every tensor equal."""
    path = saved(tmp_path / "a.pth", {prefix + k: v for k, v in state.items()}, anchor_cfg={"stride": 8})
    network = SiamMask(masks=False)
    fill(network, read_official(path), path)
    assert torch.equal(network.trunk.conv1.weight, state["features.features.conv1.weight"].flip(1))
    write_official(network, tmp_path / "b.pth")
    back = torch.load(tmp_path / "b.pth", weights_only=True)["state_dict"]
    assert list(back) == list(state)
    assert all(torch.equal(back[k], state[k]) and back[k].dtype == state[k].dtype for k in state)


def test_tensors_alone(tmp_path: Path, state: dict[str, Tensor]) -> None:
    """A file of nothing but the tensors is read as well."""
    torch.save(state, tmp_path / "a.pth")
    assert len(read_official(tmp_path / "a.pth")) == len(state)


def test_pysots_names(tmp_path: Path, state: dict[str, Tensor]) -> None:
    """pysot has the same tensors under names of its own."""
    theirs = {"features.features.": "backbone.", "features.downsample.": "neck.", "rpn_model.": "rpn_head."}
    state = {next(t + k.removeprefix(o) for o, t in theirs.items() if k.startswith(o)): v for k, v in state.items()}
    found = read_official(saved(tmp_path / "a.pth", state))
    fill(SiamMask(masks=False), found, tmp_path / "a.pth")
    assert variant(found) == "siamrpn"
    heads = [
        "mask_head.conv_kernel.0.weight",
        "mask_head.head.3.bias",
        "refine_head.v2.0.weight",
        "refine_head.post2.bias",
    ]
    assert [ours(name) for name in heads] == [
        "mask.kernel.0.weight",
        "mask.head.3.bias",
        "refine.v2.0.weight",
        "refine.post2.bias",
    ]


@pytest.mark.parametrize(
    ("name", "branches"),
    [
        ("siammask", ("score", "box", "mask", "refine")),
        ("siammask_base", ("score", "box", "mask")),
        ("siammask_2b", ("score", "mask", "refine")),
        ("siammask_2b_base", ("score", "mask")),
        ("siamrpn", ("score", "box")),
        ("siamfc", ("score",)),
    ],
)
def test_variants(name: str, branches: tuple[str, ...]) -> None:
    """Told by the branches; each is a model in the table, and has just these."""
    assert variant(f"{branch}.head.3.bias" for branch in branches) == name
    with torch.device("meta"):
        own = MODELS[name].build().state_dict()
    assert {key.split(".")[0] for key in own} == {"trunk", "adjust", *branches}


class Code:
    """Would run something where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("ran"),))


def test_refusals(tmp_path: Path, state: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in one line that names the file and what is wrong."""
    monkeypatch.chdir(tmp_path)
    name = "rpn_model.cls.head.3.bias"
    assert refusal(tmp_path / "none.pth") == "no such checkpoint"
    (tmp_path / "text.pth").write_text("no checkpoint")
    assert "truncated" in refusal(tmp_path / "text.pth")
    whole = saved(tmp_path / "whole.pth", state).read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    assert "truncated" in refusal(tmp_path / "cut.pth")
    assert "code" in refusal(saved(tmp_path / "code.pth", state, optimizer=Code()))
    assert not (tmp_path / "ran").exists()
    less = {k: v for k, v in state.items() if k != name}
    assert refusal(saved(tmp_path / "less.pth", less)) == f"1 tensors are missing: {name}"
    more = {**state, "mask_model.mask.head.3.bias": torch.zeros(3969)}
    assert refusal(saved(tmp_path / "more.pth", more)) == "1 tensors are too many: mask_model.mask.head.3.bias"
    other = {**state, "classifier.weight": torch.zeros(1)}
    assert "none of SiamMask's: classifier.weight" in refusal(saved(tmp_path / "other.pth", other))
    shaped = {**state, name: torch.zeros(11)}
    assert refusal(saved(tmp_path / "shaped.pth", shaped)) == f"1 tensors have another shape: {name}"
    damaged = {**state, name: torch.full((10,), float("nan"))}
    assert refusal(saved(tmp_path / "damaged.pth", damaged)) == f"1 tensors hold numbers that are not finite: {name}"
    listed = refusal(saved(tmp_path / "many.pth", {k: v for k, v in state.items() if ".layer3." not in k}))
    assert re.search(r"tensors are missing: (\S+, ){9}\S+ and \d+ more$", listed)
    twice = {**state, f"module.{name}": torch.zeros(10)}
    assert refusal(saved(tmp_path / "twice.pth", twice)).startswith("2 names stand for the same tensors")
    vast = {**state, name: torch.zeros(1).expand(1 << 20, 1 << 20)}
    assert "claim over 2 GiB" in refusal(saved(tmp_path / "vast.pth", vast))
    odd = {**state, name: torch.zeros(10, dtype=torch.complex64)}
    assert refusal(saved(tmp_path / "odd.pth", odd)) == f"1 tensors are of no kind that networks have: {name}"
    torch.save({"state_dict": {1: torch.zeros(1)}}, tmp_path / "numbers.pth")
    assert "not a checkpoint of SiamMask" in refusal(tmp_path / "numbers.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    assert "not a checkpoint of SiamMask" in refusal(tmp_path / "list.pth")


def test_our_files_are_no_checkpoints(tmp_path: Path) -> None:
    """Whatever the length of its header, a file of ours is told from a pickle."""
    for extra in range(40):
        save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors", {"about": "x" * 8 * extra})
        assert not is_checkpoint(tmp_path / "a.safetensors")
    for new in (True, False):
        torch.save({"a": torch.zeros(1)}, tmp_path / "a.pth", _use_new_zipfile_serialization=new)
        assert is_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize("kind", ["official", "ours"])
@pytest.mark.parametrize(("whole", "part"), [("siammask_base", "siamrpn"), ("siammask_2b_base", "siamfc")])
def test_the_part_of_a_larger_model(tmp_path: Path, whole: str, part: str, kind: str) -> None:
    """The paper's "box" and "2B-score" rows: SiamMask's weights without its masks; of no other model."""
    larger, smaller, path = MODELS[whole].build(), MODELS[part].build(), tmp_path / "weights"
    if kind == "official":
        write_official(larger, path)
    else:
        save_weights(larger, path, name=whole, about={}, exact=True)
    load_any(smaller, path, name=part, takes=MODELS[part].takes)
    known = larger.state_dict()
    assert all(torch.equal(value, known[key]) for key, value in smaller.state_dict().items())
    with pytest.raises(WeightsError, match=f"'{whole}', not of '{part}'"):
        load_any(smaller, path, name=part)
