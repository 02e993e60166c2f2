"""SiamMask on the command line: official checkpoints as they are, presets, rotated boxes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from calls import said
from official_recipe import official_state
from small_sets import segtrack

from vossegment.networks.siammask import SiamMask

BOX = "40,30,36,24"


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three frames with a bright oblong that moves."""
    folder = tmp_path_factory.mktemp("frames")
    for i in range(3):
        image = np.full((96, 128, 3), 40, np.uint8)
        cv2.ellipse(image, (58 + 2 * i, 42), (18, 12), 20, 0, 360, (60, 180, 240), cv2.FILLED)
        cv2.imwrite(str(folder / f"{i:05d}.png"), image)
    return folder


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Official files of the variants, with made-up weights."""
    folder, files = tmp_path_factory.mktemp("official"), {}
    for name, options in (
        ("siammask", {}),
        ("siammask_2b_base", {"anchors": False, "refined": False}),
        ("siamrpn", {"masks": False}),
        ("siamfc", {"anchors": False, "masks": False}),
    ):
        files[name] = folder / f"{name}.pth"
        torch.save({"state_dict": official_state(SiamMask(**options))}, files[name])
    return files


def records(folder: Path) -> list[dict[str, Any]]:
    found = json.loads((folder / "track.json").read_text())
    return [frame["objects"][0] for frame in found["frames"]]


@pytest.mark.parametrize("name", ["siammask", "siammask_2b_base", "siamrpn", "siamfc"])
def test_track_takes_every_variant(
    name: str, frames: Path, checkpoints: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the official file to records, a mask and a box for every frame, or one line that says why not."""
    out = tmp_path / "o"
    code, _, err = said(
        capsys, "track", frames, "--box", BOX, "--model", name, "--weights", checkpoints[name],
        "--save", "masks,json", "--rotated", "mbr", "--out", out, "--precision", "float32",
    )  # fmt: skip
    assert code == 0, err
    found = records(out)
    assert len(found) == 3
    assert found[0]["status"] == "prompted"
    for record in found:
        assert (record["box"] is None) == (record["area"] == 0)
        assert len(record["rotated_box"]) == 4
    if name in ("siamrpn", "siamfc"):  # the box stands for the mask
        assert all(r["area"] == pytest.approx(r["box"][2] * r["box"][3]) for r in found)


def test_presets(
    frames: Path, checkpoints: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The size follows at the rate of the benchmark's settings."""
    sizes = {}
    for preset in ("davis", "vot2016"):
        out = tmp_path / preset
        arguments = ["--box", BOX, "--model", "siamrpn", "--weights", checkpoints["siamrpn"], "--save", "json"]
        assert said(capsys, "track", frames, *arguments, "--preset", preset, "--out", out)[0] == 0
        sizes[preset] = [r["window_box"][2:] for r in records(out)]
        assert all(("rotated_box" in r) == (preset == "vot2016") for r in records(out))
    assert sizes["davis"] != sizes["vot2016"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--preset", "otb", "--model", "siammask"], "known: davis, vot2016, vot2018"),
        (["--preset", "davis"], "--model siammask"),
        (["--rotated", "round"], "known: box, mbr, minmax, opt"),
    ],
)
def test_calls_that_cannot_be_used(
    arguments: list[str], part: str, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit 2, nothing written."""
    code, _, err = said(capsys, "track", frames, "--box", BOX, *arguments, "--out", tmp_path / "o")
    assert (code, err.count("\n")) == (2, 1)
    assert part in err
    assert not (tmp_path / "o").exists()


def test_a_checkpoint_of_another_variant(
    frames: Path, checkpoints: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 4, and the line says which it is."""
    arguments = ["--model", "siammask", "--weights", checkpoints["siamrpn"], "--out", tmp_path / "o"]
    code, _, err = said(capsys, "track", frames, "--box", BOX, *arguments)
    assert (code, err.count("\n")) == (4, 1)
    assert "a checkpoint of 'siamrpn', not of 'siammask'" in err


@pytest.mark.parametrize("name", ["siammask", "siamfc"])
def test_eval_takes_every_variant(
    name: str, checkpoints: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the official file to a report, with the settings of its program's benchmark where it has any."""
    segtrack(tmp_path / "d")
    preset = ["--preset", "davis"] if name == "siammask" else []
    code, _, err = said(
        capsys, "eval", "segtrackv2", "--data", tmp_path / "d", "--model", name, "--weights", checkpoints[name],
        "--out", tmp_path / "o", *preset,
    )  # fmt: skip
    assert code == 0, err
    report = json.loads((tmp_path / "o/report.json").read_text())
    assert report["model"]["name"] == name
    assert np.isfinite(report["global"]["J"]["mean"])
