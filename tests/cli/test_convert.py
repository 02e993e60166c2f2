"""`vossegment convert`, and official checkpoints given to other commands."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from calls import said
from official_recipe import official_state
from torch import Tensor

from vossegment.networks.siammask import SiamMask


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SiamRPN as SiamMask's program writes it, with counters of batches."""
    state = official_state(SiamMask(masks=False))
    state |= {k: torch.tensor(700) for k in state if k.endswith("num_batches_tracked")}
    path = tmp_path_factory.mktemp("official") / "siamrpn.pth"
    torch.save({"state_dict": state, "epoch": 20}, path)
    return path


def tensors(path: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return found


def test_there_and_back(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every tensor equal, counters too; nothing is replaced unasked."""
    ours, back = tmp_path / "ours.safetensors", tmp_path / "back.pth"
    code, out, err = said(capsys, "convert", "siammask", checkpoint, ours)
    assert (code, out.strip()) == (0, str(ours))
    assert err.startswith("siamrpn:")
    assert said(capsys, "convert", "siammask", ours, back, "--to-official")[0] == 0
    before, after = tensors(checkpoint), tensors(back)
    assert list(before) == list(after)
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert said(capsys, "convert", "siammask", checkpoint, ours)[0] == 5
    assert said(capsys, "convert", "siammask", checkpoint, checkpoint, "--overwrite")[0] == 5
    assert said(capsys, "convert", "siammask", checkpoint, ours, "--overwrite", "--quiet")[0] == 0


def test_refusals(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, exit 4 for the file and 2 for the call; nothing is written."""
    target = tmp_path / "out"
    code, _, err = said(capsys, "convert", "rgmp", checkpoint, target)
    assert code == 2
    assert "known: siammask" in err
    code, _, err = said(capsys, "convert", "siammask", tmp_path / "none.pth", target)
    assert (code, err.count("\n")) == (4, 1)
    code, _, err = said(capsys, "convert", "siammask", checkpoint, target, "--to-official")
    assert code == 4
    assert not target.exists()
