"""``vossegment eval`` for VOT: what is run, written, printed and refused."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from vossegment.cli.evaluate_vot import ModelCall, run_vot
from vossegment.errors import DataError, InputError, OutputError
from vossegment.evaluation.compare import comparison, read_report

E3SN = ModelCall("e3sn", device="cpu", precision="float32", threads=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sequences of 14 frames: a bright box turns and drifts over a dark mottled ground."""
    root = tmp_path_factory.mktemp("vot")
    rng = np.random.default_rng(0)
    ground = cv2.resize(rng.integers(20, 90, (12, 16, 3), dtype=np.uint8), (200, 150), interpolation=cv2.INTER_CUBIC)
    for name, step in (("one", 2), ("two", 3)):
        folder = root / name
        folder.mkdir()
        lines = []
        for index in range(14):
            corners = cv2.boxPoints(((60 + step * index, 70), (50, 26), 10 + 2 * index))
            picture = ground.copy()
            cv2.fillConvexPoly(picture, np.round(corners).astype(np.int32), (60, 180, 250))
            cv2.imwrite(str(folder / f"{index + 1:08d}.jpg"), picture)
            lines.append(",".join(f"{v:.2f}" for v in corners.ravel()))
        (folder / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    (root / "list.txt").write_text("one\ntwo\n")
    (root / "spare").mkdir()
    return root


def test_run_and_score_again(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run writes a report and result files; these score the same by themselves; a spare folder is told."""
    report, page, results = run_vot("vot2018", data, E3SN, out=tmp_path / "out")
    assert page.name == "report.html"
    shown = capsys.readouterr()
    assert "global" in shown.out
    assert "folders of no sequence, ignored: spare" in shown.err
    assert "frames/s" in shown.err
    content = json.loads(report.read_text())
    assert (report, results) == (tmp_path / "out" / "report.json", tmp_path / "out" / "results")
    assert content["model"]["name"] == "e3sn"
    assert (content["model"]["preset"], content["model"]["rotated"]) == (None, "mbr")
    assert list(content["sequences"]) == ["one", "two"]
    assert content["counts"]["failures"] == 0
    assert content["global"]["A"] > 0.5
    assert content["global"]["EAO"] is None  # no sequence is 100 frames long
    assert content["speed"]["end_to_end_fps"] > 0

    again, _ = run_vot("vot2018", data, E3SN, results=results, out=tmp_path / "again", quiet=True)
    assert capsys.readouterr().out == ""
    scored = json.loads(again.read_text())
    assert (scored["model"], scored["speed"], scored["results"]) == (None, None, str(results))
    assert scored["global"]["A"] == pytest.approx(content["global"]["A"], abs=1e-3)


def test_representation(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The oracles' rows and the model's; the same from the same seed."""
    (report,) = run_vot("vot2016", data, E3SN, representation=True, out=tmp_path / "a", seed=3)
    assert "min-max oracle" in capsys.readouterr().out
    content = json.loads(report.read_text())
    assert list(content["rows"]) == [
        "fixed-ratio oracle",
        "min-max oracle",
        "MBR oracle",
        "box",
        "minmax",
        "mbr",
        "opt",
    ]
    (same,) = run_vot("vot2016", data, E3SN, representation=True, out=tmp_path / "b", seed=3, quiet=True)
    assert json.loads(same.read_text()) == content


def test_refused(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written for a wrong call."""
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    with pytest.raises(InputError, match="unknown benchmark 'vot1999'; known: vot2016, vot2018"):
        run_vot("vot1999", data, E3SN, out=out)
    with pytest.raises(InputError, match="exclude each other"):
        run_vot("vot2018", data, E3SN, out=out, results=tmp_path, representation=True)
    with pytest.raises(InputError, match="unknown model 'none'"):
        run_vot("vot2018", data, ModelCall("none"), out=out)
    with pytest.raises(InputError, match="preset 'vot2018' is SiamMask's"):
        run_vot("vot2018", data, ModelCall("e3sn", preset="vot2018"), out=out)
    with pytest.raises(InputError, match="no search window"):
        run_vot("vot2018", data, ModelCall("guided", device="cpu"), out=out, representation=True)
    with pytest.raises(InputError, match="no such folder of results"):
        run_vot("vot2018", data, E3SN, out=out, results=tmp_path / "none")
    with pytest.raises(DataError, match=r"list\.txt: no such file"):
        run_vot("vot2018", tmp_path, E3SN, out=out)
    assert list(tmp_path.iterdir()) == []
    (out / "report.json").parent.mkdir()
    (out / "report.json").write_text("{}")
    with pytest.raises(OutputError, match="holds a report already"):
        run_vot("vot2018", data, E3SN, out=out)


def test_some(data: Path, tmp_path: Path) -> None:
    """Only the sequences that are asked for; the report stands beside the papers' rows."""
    report, _, _ = run_vot("vot2018", data, E3SN, out=tmp_path, only=["tw*"], quiet=True)
    assert list(json.loads(report.read_text())["sequences"]) == ["two"]
    found = comparison([read_report(report)], ["ours"])
    assert sorted(found.runs[0].scores) == ["A", "R"]  # too short for an EAO
    assert found.papers


def test_spare_results(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Results of sequences that are not in the list are told and ignored."""
    for name in ("one", "two", "three"):
        folder = tmp_path / "baseline" / name
        folder.mkdir(parents=True)
        (folder / f"{name}_001.txt").write_text("1\n2\n0\n0\n0\n0\n1\n" + "10,10,50,50\n" * 7)
    report, _ = run_vot("vot2018", data, E3SN, results=tmp_path, out=tmp_path / "out", quiet=True)
    assert "ignored: three" in capsys.readouterr().err
    assert json.loads(report.read_text())["counts"]["failures"] == 2


def test_siammask_is_set_for_the_benchmark(data: Path, tmp_path: Path) -> None:
    """Models of SiamMask's kind track by the benchmark's own settings, unless others are named."""
    import torch

    from vossegment.models import find
    from vossegment.weights.load import save_weights

    torch.manual_seed(0)
    weights = tmp_path / "fresh.safetensors"
    save_weights(find("siammask_small_base").build(), weights, name="siammask_small_base", about={})
    (data / "list.txt").write_text("one\n")
    try:
        for preset, expected in ((None, "vot2016"), ("davis", "davis")):
            call = ModelCall("siammask_small_base", weights, preset, "minmax", device="cpu", precision="float32")
            report, _, _ = run_vot("vot2016", data, call, out=tmp_path / expected, quiet=True)
            about = json.loads(report.read_text())["model"]
            assert (about["preset"], about["rotated"]) == (expected, "minmax")
    finally:
        (data / "list.txt").write_text("one\ntwo\n")
