"""The toolkit's workspace, its analysis, and, where it is installed, all of it end to end."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from vossegment.data.vot import VotSequence, vot_sequences
from vossegment.errors import InputError, OutputError, VossegmentError
from vossegment.evaluation.vot.toolkit import (
    ToolkitScores,
    check_installed,
    environment,
    evaluate,
    make_workspace,
    read_analysis,
)

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "vot"
COMMAND = ["/a folder/python", "-m", "tracker", "--share", "50%"]


def installed() -> bool:
    try:
        check_installed()
    except VossegmentError:
        return False
    return True


needs_toolkit = pytest.mark.skipif(not installed(), reason="needs VOT's toolkit: pip install 'vossegment[vot]'")


@pytest.fixture
def ball(tmp_path: Path) -> VotSequence:
    """Two frames, reached by a link, as data sets often are."""
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in (1, 2):
        cv2.imwrite(str(frames / f"{number:08d}.jpg"), np.zeros((48, 64, 3), np.uint8))
    (tmp_path / "linked").symlink_to(frames)
    region = np.array([[10.5, 20], [50, 20], [50, 40.25], [10.5, 40.25]])
    paths = tuple(tmp_path / "linked" / f"{number:08d}.jpg" for number in (1, 2))
    return VotSequence("ball", paths, np.stack([region, region + 1]), {"occlusion": (False, True)})


def test_workspace(ball: VotSequence, tmp_path: Path) -> None:
    """Frames are linked, nothing is written beside them, and no data set is named that could be downloaded."""
    make_workspace([ball], "vot2016", COMMAND, tmp_path / "work")
    work = tmp_path / "work"
    assert (work / "sequences" / "list.txt").read_text() == "ball\n"
    folder = work / "sequences" / "ball"
    assert sorted(p.name for p in folder.iterdir()) == ["color", "groundtruth.txt", "occlusion.tag", "sequence"]
    assert (folder / "color").resolve() == tmp_path / "frames"
    assert (folder / "groundtruth.txt").read_text().splitlines()[0] == "10.5,20,50,20,50,40.25,10.5,40.25"
    assert (folder / "occlusion.tag").read_text() == "0\n1\n"
    stack = (work / "stack.yaml").read_text()
    assert "dataset" not in stack
    assert "low: 108\n      high: 371" in stack
    assert "command = '/a folder/python' -m tracker --share 50%%" in (work / "trackers.ini").read_text()
    assert len(list((tmp_path / "frames").iterdir())) == 2


def test_gone_on_with(ball: VotSequence, tmp_path: Path) -> None:
    """The same call keeps what was run, another one needs --overwrite, which drops it in any case."""
    kept = tmp_path / "results" / "vossegment"
    make_workspace([ball], "vot2016", COMMAND, tmp_path)
    kept.mkdir(parents=True)
    make_workspace([ball], "vot2016", COMMAND, tmp_path)
    assert kept.is_dir()
    with pytest.raises(OutputError, match="results of another run; use --overwrite"):
        make_workspace([ball], "vot2016", [*COMMAND, "--threads", "1"], tmp_path)
    for benchmark in ("vot2018", "vot2018"):
        make_workspace([ball], benchmark, COMMAND, tmp_path, overwrite=True)
        assert not kept.exists()
        kept.mkdir(parents=True)


def analysis(ranked: object, expected: object) -> str:
    return json.dumps({"toolkit": "0.7.4", "results": {"baseline": {"results": [[ranked], [expected]]}}})


def test_read_analysis(tmp_path: Path) -> None:
    """The file as the toolkit writes it, and files that are none."""
    path = tmp_path / "analysis.json"
    path.write_text(analysis([0.9, 1.5, [1.0, 0.9], 196.0], [0.25]))
    assert read_analysis(path, tmp_path) == ToolkitScores("0.7.4", 0.9, 1.5, 0.25, tmp_path)
    for none in ([float("nan")], [None]):
        path.write_text(analysis([0.9, 1.5, [1.0, 0.9], 196.0], none))
        assert read_analysis(path, tmp_path).eao is None
    for wrong in ("{", "{}", "[]", analysis([], []), analysis(["a", "b"], [1])):
        path.write_text(wrong)
        with pytest.raises(InputError, match=r"analysis\.json: not an analysis"):
            read_analysis(path, tmp_path)


def test_missing_or_unfit(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that tells what to install; versions that cannot do it are told as well."""

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(InputError, match=r"not installed; pip install 'vossegment\[vot\]'"):
        check_installed()
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.9.0")
    with pytest.raises(InputError, match=r"vot-toolkit 0\.9\.0 cannot run"):
        check_installed()
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.7.4")
    check_installed()


def test_environment() -> None:
    """Ours found from any folder, relative ones made absolute, and no way out."""
    made = environment({"PYTHONPATH": os.pathsep.join(["here", "", "/there"]), "HOME": "/home"})
    first, second, third = made["PYTHONPATH"].split(os.pathsep)
    assert (Path(first) / "vossegment" / "evaluation").is_dir()
    assert (second, third) == (str(Path.cwd() / "here"), "/there")
    assert made["HOME"] == "/home"
    assert made["https_proxy"] == made["HTTPS_PROXY"] == "http://127.0.0.1:9"


def test_the_core_never_imports_it() -> None:
    """Neither the toolkit nor TraX is loaded by the modules that drive them."""
    code = (
        "import sys; from vossegment.evaluation.vot import toolkit; from vossegment.cli import trax_process\n"
        "sys.exit('vot' in sys.modules or 'trax' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@needs_toolkit
def test_tracker_that_breaks(ball: VotSequence, tmp_path: Path) -> None:
    """A tracker's process that ends at once is told with the toolkit's words."""
    with pytest.raises(InputError, match="VOT's toolkit has no result for ball; it said: "):
        evaluate([ball], "vot2018", [sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "work")


@needs_toolkit
@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no VOT sequence in {SHARED}")
def test_end_to_end(tmp_path: Path) -> None:
    """The toolkit runs our process as our own run does: the same regions, its measures close to ours."""
    from vossegment.evaluation.vot.measures import INTERVALS, VotScores
    from vossegment.evaluation.vot.results import score_results
    from vossegment.evaluation.vot.supervised import scored, supervised
    from vossegment.evaluation.vot.tracker import beginning
    from vossegment.models import load

    (whole,) = vot_sequences(SHARED)
    frames = tmp_path / "bag"
    frames.mkdir()
    for path in whole.image_paths[:130]:
        (frames / path.name).symlink_to(path)
    bag = VotSequence("bag", tuple(frames / path.name for path in whole.image_paths[:130]), whole.regions[:130])
    options = ["--model", "e3sn", "--device", "cpu", "--precision", "float32", "--threads", "1"]
    command = [sys.executable, "-m", "vossegment.cli.trax_process", *options]
    found = evaluate([bag], "vot2018", command, tmp_path / "work")
    tracker = load("e3sn", device="cpu", precision="float32", threads=1)
    own = scored(bag, supervised(bag, beginning(tracker, "mbr")))
    (theirs,) = score_results([bag], found.results)
    assert theirs.codes == own.codes
    assert theirs.overlaps == pytest.approx(own.overlaps, abs=1e-3)
    assert found.robustness == own.failures == 0
    assert found.accuracy == pytest.approx(own.accuracy, abs=0.005)
    assert found.eao == pytest.approx(VotScores((own,), INTERVALS["vot2018"]).eao, abs=0.01)
