from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vossegment.errors import OutputError
from vossegment.tracking.types import ObjectRecord, TrackedFrame
from vossegment.writers.records import JsonLinesWriter, TrackJsonWriter, frame_line
from vossegment.writers.types import PromptRecord, RunInfo


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("complete", [True, False])
def test_no_frame_gives_an_empty_list(tmp_path: Path, run: RunInfo, complete: bool) -> None:
    writer = TrackJsonWriter(tmp_path / "out" / "track.json", run)
    writer.close(complete)
    assert writer.outputs == [tmp_path / "out" / "track.json"]
    assert read(writer.outputs[0])["frames"] == []


def test_track_json(tmp_path: Path, run: RunInfo, make_frame: Any) -> None:
    path = tmp_path / "track.json"
    writer = TrackJsonWriter(path, run)
    writer.write(make_frame(0, status="prompted"))
    lost = ObjectRecord(1, None, 0.0, 0, "lost", window_box=(1.006, 2.0, 3.0, 4.0))
    writer.write(replace(make_frame(1, time=1 / 3), objects=(lost,)))
    assert not path.exists()
    writer.close(False)
    assert list(tmp_path.iterdir()) == [path]
    track = read(path)
    assert list(track) == ["schema", "program", "source", "model", "objects", "frames"]
    assert track["schema"] == 1
    assert track["program"].startswith("vossegment ")
    assert track["source"] == dict(run.source)
    assert track["model"] == dict(run.model)
    assert track["objects"] == [{"id": 1, "prompt": {"frame": 0, "box": [8, 10, 20, 20]}}]
    first = {"id": 1, "box": [8, 10, 20, 20], "score": 0.9877, "area": 400, "status": "prompted"}
    second = {"id": 1, "box": None, "score": 0, "area": 0, "status": "lost", "window_box": [1.01, 2, 3, 4]}
    assert track["frames"] == [
        {"frame": 0, "time": 0, "objects": [first]},
        {"frame": 1, "time": 0.333333, "objects": [second]},
    ]


def test_prompts_by_mask(tmp_path: Path, run: RunInfo) -> None:
    """With the tight box, and the file's name where there is one; the first prompt of an object counts."""
    prompts = (
        PromptRecord(2, 0, (1.0, 2.0, 3.0, 4.0), "masks/m.png"),
        PromptRecord(2, 5, (1.0, 2.0, 3.0, 4.0)),
        PromptRecord(1, 3, (5.0, 6.0, 7.0, 8.0), True),
    )
    writer = TrackJsonWriter(tmp_path / "track.json", replace(run, prompts=prompts))
    writer.close(True)
    assert read(tmp_path / "track.json")["objects"] == [
        {"id": 2, "prompt": {"frame": 0, "box": [1, 2, 3, 4], "mask": "masks/m.png"}},
        {"id": 1, "prompt": {"frame": 3, "box": [5, 6, 7, 8], "mask": True}},
    ]


def test_a_file_name_that_is_no_text(tmp_path: Path, run: RunInfo) -> None:
    """Bytes that are not UTF-8, as Python has them in names: written so that they are read back."""
    name = "caf\udce9.png"
    prompts = (PromptRecord(1, 0, (1.0, 2.0, 3.0, 4.0), name),)
    TrackJsonWriter(tmp_path / "track.json", replace(run, prompts=prompts)).close(True)
    assert read(tmp_path / "track.json")["objects"][0]["prompt"]["mask"] == name


def test_numpy_numbers_are_written_too(make_frame: Any) -> None:
    box = tuple(np.float32([1.23456, 2, 3, 4]))
    record = ObjectRecord(1, box, np.float32(0.5), np.int64(7), "tracked")  # type: ignore[arg-type]
    (written,) = json.loads(frame_line(replace(make_frame(), objects=(record,))))["objects"]
    assert written == {"id": 1, "box": [1.23, 2, 3, 4], "score": 0.5, "area": 7, "status": "tracked"}


def test_a_long_video_costs_little_memory(tmp_path: Path, run: RunInfo, make_frame: Any) -> None:
    writer = TrackJsonWriter(tmp_path / "track.json", run)
    frame = make_frame()
    tracemalloc.start()
    for index in range(3000):
        writer.write(TrackedFrame(index, index / 25, frame.image, frame.labels, frame.objects * 2))
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 3e6


def test_track_json_that_cannot_be_written_is_told(tmp_path: Path, run: RunInfo) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match=r"cannot be written \(file exists\)"):
        TrackJsonWriter(tmp_path / "out" / "track.json", run).close(True)


def test_json_lines_without_frames_leave_nothing(tmp_path: Path) -> None:
    writer = JsonLinesWriter(tmp_path / "frames.jsonl")
    writer.close(True)
    assert writer.outputs == []
    assert list(tmp_path.iterdir()) == []


def test_json_lines_are_in_the_file_at_once(tmp_path: Path, make_frame: Any) -> None:
    path = tmp_path / "out" / "frames.jsonl"
    writer = JsonLinesWriter(path)
    for index in range(3):
        writer.write(make_frame(index))
        lines = path.read_text().splitlines()
        assert [json.loads(line)["frame"] for line in lines] == list(range(index + 1))
    writer.close(False)
    writer.close(False)
    assert writer.outputs == [path]


def test_json_lines_on_a_full_disk_stay_whole(tmp_path: Path, make_frame: Any) -> None:
    """A write that the disk takes only in part."""

    class Full(FileIO):
        def write(self, line: Any) -> int:
            return super().write(line[:10])

    writer = JsonLinesWriter(tmp_path / "frames.jsonl")
    writer.write(make_frame())
    whole = (tmp_path / "frames.jsonl").read_bytes()
    assert writer._file is not None
    writer._file.close()
    writer._file = Full(tmp_path / "frames.jsonl", "a")
    with pytest.raises(OutputError, match="no space left on device"):
        writer.write(make_frame(1))
    writer.close(False)
    assert (tmp_path / "frames.jsonl").read_bytes() == whole


def test_json_lines_that_cannot_be_written_are_told(tmp_path: Path, make_frame: Any) -> None:
    (tmp_path / "frames.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"frames\.jsonl: cannot be written \(is a directory\)"):
        JsonLinesWriter(tmp_path / "frames.jsonl").write(make_frame())
