from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vossegment.errors import InputError, OutputError
from vossegment.writers.registry import WRITERS, check_output, open_writers
from vossegment.writers.types import RunInfo

ALL = list(WRITERS)


def fill(out: Path) -> list[Path]:
    """Results of an earlier run; returns the files beside them that are none of ours."""
    (out / "masks").mkdir(parents=True)
    for name in ("masks/00000.png", "masks/123456.png", "overlay.mp4", "track.json", "frames.jsonl", "track.json.part"):
        (out / name).write_text("old")
    others = [out / "masks" / "mine.png", out / "notes.txt", out / "00000.png"]
    for path in others:
        path.write_text("mine")
    return others


def test_no_names_give_no_writers(tmp_path: Path, run: RunInfo) -> None:
    assert open_writers([], tmp_path, run) == []
    with pytest.raises(InputError, match="nothing to save"):  # a run that would leave nothing is a mistake
        check_output(tmp_path, [], overwrite=False)


def test_an_unknown_writer_is_refused_with_the_known(tmp_path: Path, run: RunInfo) -> None:
    message = "unknown writer 'gif'; known: json, jsonl, masks, overlay"
    with pytest.raises(InputError, match=message):
        open_writers(["masks", "gif"], tmp_path, run)
    with pytest.raises(InputError, match=message):
        check_output(tmp_path, ["gif"], overwrite=False)


@pytest.mark.parametrize("complete", [True, False])
def test_every_writer_writes_what_the_table_says(tmp_path: Path, run: RunInfo, make_frame: Any, complete: bool) -> None:
    out = tmp_path / "deep" / "dog_vos"
    check_output(out, ALL, overwrite=False)
    assert not out.parent.exists()
    writers = open_writers([*ALL, "masks"], out, run)
    assert len(writers) == len(ALL)
    for index in range(3):
        for writer in writers:
            writer.write(make_frame(index))
    for writer in writers:
        writer.close(complete)
    for name, writer in zip(ALL, writers, strict=True):
        assert writer.outputs == [out / WRITERS[name].leaves]
        assert writer.warnings == []
    assert sorted(path.name for path in out.iterdir()) == sorted(entry.leaves for entry in WRITERS.values())
    with pytest.raises(OutputError, match="holds earlier results"):
        check_output(out, ALL, overwrite=False)


def test_every_writer_says_what_it_is_in_a_line() -> None:
    for entry in WRITERS.values():
        assert entry.leaves in entry.help
        assert "\n" not in entry.help
        assert len(entry.help) < 80


@pytest.mark.parametrize(
    ("name", "found"), [("masks/00000.png", "masks"), ("overlay.mp4", "overlay.mp4"), ("track.json", "track.json")]
)
def test_earlier_results_are_refused(tmp_path: Path, name: str, found: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("old")
    with pytest.raises(OutputError) as caught:
        check_output(tmp_path, ["jsonl"], overwrite=False)
    message = f"{tmp_path}: holds earlier results ({found}); use --overwrite or choose another --out"
    assert str(caught.value) == message
    check_output(tmp_path, ["jsonl"], overwrite=True)
    assert path.read_text() == "old"


def test_other_files_are_no_hindrance_and_only_ours_are_removed(tmp_path: Path, run: RunInfo) -> None:
    others = fill(tmp_path)
    check_output(tmp_path, ALL, overwrite=True)
    open_writers(["json"], tmp_path, run)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(others)
    check_output(tmp_path, ALL, overwrite=False)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("a file")
    with pytest.raises(OutputError, match="out: a file; choose a folder with --out"):
        check_output(path, ALL, overwrite=True)
    with pytest.raises(OutputError, match=r"sub: cannot be created, .*out is a file; choose another --out"):
        check_output(path / "deep" / "sub", ALL, overwrite=True)


@pytest.mark.parametrize(("name", "folder"), [("masks", False), ("track.json", True)])
def test_what_stands_in_the_way_is_refused(tmp_path: Path, name: str, folder: bool) -> None:
    path = tmp_path / name
    path.mkdir() if folder else path.write_text("?")
    with pytest.raises(OutputError, match=f"{name}: in the way of a result; move it or choose another --out"):
        check_output(tmp_path, ALL, overwrite=True)


def test_a_folder_that_may_not_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # permissions do not bind root
    with pytest.raises(OutputError, match="is not writable; change its permissions or choose another --out"):
        check_output(tmp_path / "new", ALL, overwrite=False)


def test_the_table_is_read_without_torch_pyav_or_opencv() -> None:
    code = "import sys, vossegment.writers.registry; assert not {'torch', 'av', 'cv2'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_writers_do_not_import_torch() -> None:
    code = "import sys, vossegment.writers.overlay, vossegment.writers.records; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
