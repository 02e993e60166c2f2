"""``vossegment eval`` of every benchmark on small data, run and scored; DAVIS-2016 itself is in test_commands."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calls import said
from PIL import Image
from small_sets import jumpcut, segtrack, square, write_image, write_mask, youtube


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def davis(root: Path, *, hidden: bool) -> Path:
    """One sequence of five frames in the layout of DAVIS-2017."""
    for i in range(5):
        write_image(root / f"JPEGImages/480p/slide/{i:05d}.jpg", square(9 + i))
        if not hidden or i == 0:
            write_mask(root / f"Annotations/480p/slide/{i:05d}.png", square(9 + i))
    (root / "ImageSets/2017").mkdir(parents=True)
    (root / "ImageSets/2017/test-dev.txt").write_text("slide\n")
    return root


def test_hidden_davis_is_packed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A model runs, and its masks lie in the file as the server wants them; with --results they are packed as well."""
    data = davis(tmp_path / "d", hidden=True)
    asked = ("eval", "davis2017", "--data", data, "--split", "test-dev")
    code, out, err = said(capsys, *asked, "--out", tmp_path / "o", "--quiet")
    assert (code, err) == (0, "")
    assert out.split() == [str(tmp_path / "o/submission.zip")]
    with zipfile.ZipFile(tmp_path / "o/submission.zip") as packed:
        assert packed.namelist() == [f"slide/{i:05d}.png" for i in range(5)]
    assert said(capsys, *asked, "--out", tmp_path / "o", "--quiet")[0] == 5
    (tmp_path / "o/masks/slide/00003.png").unlink()
    (tmp_path / "o/masks/slide/00004.png").write_bytes((tmp_path / "o/masks/slide/00002.png").read_bytes())
    assert said(capsys, *asked, "--out", tmp_path / "o", "--resume", "--quiet")[0] == 0
    code, _, err = said(capsys, *asked, "--results", tmp_path / "o/masks", "--out", tmp_path / "p")
    assert code == 0
    assert "packed for the benchmark's server" in err
    assert (tmp_path / "p/submission.zip").read_bytes()[:2] == b"PK"


def test_youtube(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A hidden split is packed, a local one scored by category; --submission does both."""
    youtube(tmp_path / "d")
    assert said(capsys, "eval", "youtubevos", "--data", tmp_path / "d", "--out", tmp_path / "a", "--quiet")[0] == 0
    with zipfile.ZipFile(tmp_path / "a/submission.zip") as packed:
        assert len(packed.namelist()) == 12
        with packed.open("Annotations/late/00005.png") as file, Image.open(file) as picture:
            assert 2 not in np.array(picture)  # it has not entered yet
    youtube(tmp_path / "d", "train", hidden=False)
    asked = ("eval", "youtubevos", "--data", tmp_path / "d", "--split", "train", "--sequences", "late")
    code, out, _ = said(capsys, *asked, "--start", "mask", "--submission", "--out", tmp_path / "b")
    assert code == 0
    assert "J_U" in out
    found = report(tmp_path / "b")
    assert set(found["summary"]) == {"J_S", "F_S", "J_U", "F_U", "O"}
    assert found["sequences"]["late"]["objects"]["2"]["group"] == "unseen"
    assert found["settings"].pop("follows").startswith("ours")
    assert found["settings"] == {"split": "train", "sequences": 1, "left out": "first"}
    assert found["model"]["start"] == "mask"
    assert (tmp_path / "b/submission.zip").is_file()


def test_segtrack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Results of any program; what belongs to no sequence is told and ignored."""
    truth = segtrack(tmp_path / "d")
    for name, stem in (("one", "one_{:03d}"), ("two", "{:05d}")):
        for i, labels in enumerate(truth[name]):
            write_mask(tmp_path / "r" / name / f"{stem.format(i + (name == 'one'))}.png", labels)
    (tmp_path / "r/three").mkdir()
    asked = ("eval", "segtrackv2", "--data", tmp_path / "d", "--results", tmp_path / "r", "--threads", 1)
    code, out, err = said(capsys, *asked, "--out", tmp_path / "o")
    assert code == 0
    assert "warning: folders of no sequence, ignored: three" in err
    assert "J over sequences" in out
    found = report(tmp_path / "o")
    assert found["global"]["J"]["mean"] == 1
    assert found["sequences"]["one"]["objects"]["1"]["indices"] == [1, 2, 3]
    assert said(capsys, *asked, "--out", tmp_path / "p", "--all-frames", "--quiet")[0] == 0
    assert report(tmp_path / "p")["sequences"]["one"]["objects"]["1"]["indices"] == [0, 1, 2, 3]
    assert said(capsys, *asked, "--out", tmp_path / "q", "--skip", "first,last", "--quiet")[0] == 0
    assert report(tmp_path / "q")["rule"] == "every object for itself; first and last frame left out"
    write_mask(tmp_path / "r/two/00002.png", square(5, label=3))
    code, _, err = said(capsys, *asked, "--out", tmp_path / "n")
    assert code == 3
    assert "00002.png: holds object 3" in err


def test_jumpcut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run, and its saved masks by themselves, give the same errors."""
    jumpcut(tmp_path / "d", frames=26)
    asked = ("eval", "jumpcut", "--data", tmp_path / "d")
    code, out, _ = said(capsys, *asked, "--start", "mask", "--save-masks", "--out", tmp_path / "a")
    assert code == 0
    assert "error@16" in out
    ran = report(tmp_path / "a")
    assert ran["speed"]["end_to_end_fps"] > 0
    assert said(capsys, *asked, "--results", tmp_path / "a/masks", "--out", tmp_path / "b", "--quiet")[0] == 0
    assert report(tmp_path / "b")["global"] == ran["global"]
    assert set(ran["global"]) == {"error@8", "error@16"}


def test_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Reports by themselves, or beside a run; other benchmarks' and other files are refused."""
    truth = segtrack(tmp_path / "d")
    for name, stem in (("one", "one_{:03d}"), ("two", "{:05d}")):
        for i, labels in enumerate(truth[name]):
            write_mask(tmp_path / "r" / name / f"{stem.format(i + (name == 'one'))}.png", labels)
    asked = ("eval", "segtrackv2", "--data", tmp_path / "d", "--results", tmp_path / "r")
    assert said(capsys, *asked, "--out", tmp_path / "first", "--quiet")[0] == 0
    code, out, _ = said(capsys, *asked, "--out", tmp_path / "second", "--compare", tmp_path / "first")
    assert code == 0
    assert all(word in out for word in ("first", "second", "RGMP", "papers over all"))
    assert (tmp_path / "second/comparison.json").is_file()
    reports = [tmp_path / name / "report.json" for name in ("first", "second")]
    code, out, _ = said(capsys, "eval", "segtrackv2", "--compare", *reports)
    assert code == 0
    assert out.count("100.0") >= 6
    code, _, err = said(capsys, "eval", "davis2016", "--compare", *reports)
    assert (code, "a report of segtrackv2, not of davis2016" in err) == (2, True)
    assert said(capsys, "eval", "segtrackv2", "--compare", tmp_path / "r/one/one_001.png")[0] == 2
    code, _, err = said(capsys, "eval", "segtrackv2", reports[0])
    assert (code, "by --compare alone" in err) == (2, True)
    code, _, err = said(capsys, "eval", "segtrackv2")
    assert (code, "--data DIR is missing" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["davis1999"], 2, "known: davis2016, davis2017, jumpcut, segtrackv2, vot2016, vot2018, youtubevos"),
        (["segtrackv2", "--skip", "middle"], 2, "unknown frame to skip 'middle'"),
        (["segtrackv2", "--skip", "last", "--all-frames"], 2, "exclude each other"),
        (["segtrackv2", "--sequences", "four"], 2, "'four' is not in the data"),
        (["segtrackv2", "--split", "val"], 3, "only 'all'"),
        (["segtrackv2", "--results", "nowhere"], 2, "nowhere: no such folder of results"),
        (["segtrackv2", "--submission"], 2, "no server that takes submissions"),
        (["davis2017", "--zip-folder", "a/b"], 2, "wanted a plain name"),
        (["segtrackv2", "--compare", "nowhere.json"], 2, "nowhere.json: cannot be read"),
        (["jumpcut", "--skip", "first"], 2, "--skip is not for jumpcut"),
        (["vot2018", "--resume"], 2, "--resume is not for vot2018"),
        (["vot2018", "--representation", "--compare", "x"], 2, "leave --compare out"),
        (["jumpcut", "--results", "nowhere"], 3, "list.txt: no such file"),
        (["segtrackv2", "--toolkit"], 2, "are for vot2016 and vot2018"),
        (["vot2018", "--rotated", "round"], 2, "known: box, mbr, minmax, opt"),
        (["vot2018", "--start", "mask"], 2, "begin from boxes"),
        (["vot2018", "--representation", "--toolkit"], 2, "exclude each other"),
        (["vot2018"], 3, "list.txt: no such file"),
        (["youtubevos"], 3, "valid: no such split"),
        (["jumpcut"], 3, "list.txt: no such file"),
    ],
)
def test_what_cannot_be_done(
    arguments: list[str], code: int, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told with its exit code, and nothing is written."""
    segtrack(tmp_path / "d")
    found, _, err = said(capsys, "eval", *arguments, "--data", tmp_path / "d", "--out", tmp_path / "o")
    assert found == code
    assert says in err
    assert not (tmp_path / "o").exists()
