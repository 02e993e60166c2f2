"""What was found, as JSON: ``track.json`` for the whole run, ``frames.jsonl`` a line a frame."""

from __future__ import annotations

import errno
import json
import os
from io import FileIO
from pathlib import Path
from typing import Any

from vossegment import __version__
from vossegment.tracking.types import Box, ObjectRecord, TrackedFrame
from vossegment.whole_files import disk_errors, make_folder, written_whole
from vossegment.writers.types import Outputs, RunInfo

SCHEMA = 1


def frame_object(frame: TrackedFrame) -> dict[str, Any]:
    """One frame as it stands in ``track.json``: times to 1 us, pixels to 1/100, scores to 1/10000."""
    objects = [_object(record) for record in frame.objects]
    return {"frame": frame.index, "time": round(frame.time, 6), "objects": objects}


def frame_line(frame: TrackedFrame) -> str:
    """``frame_object`` as one line of JSON, without its line break."""
    return json.dumps(frame_object(frame), ensure_ascii=False, allow_nan=False)


class TrackJsonWriter(Outputs):
    """``track.json``, written whole when closed, at an interruption too.

    Frames are held as text, about 150 bytes an object, so a long video costs little memory.
    """

    def __init__(self, path: Path, run: RunInfo) -> None:
        super().__init__()
        self._path = path
        self._run = run
        self._lines: list[bytes] = []

    def write(self, frame: TrackedFrame) -> None:
        self._lines.append(frame_line(frame).encode())

    def close(self, complete: bool) -> None:
        make_folder(self._path.parent)
        with written_whole(self._path) as part, part.open("wb") as file:
            head = json.dumps(_head(self._run), ensure_ascii=False, indent=1)
            # The frames go in as they are, a line each: the file can be read by eye and searched by line.
            # A file name that is no Unicode text (Linux has such) is written in JSON's own escapes.
            file.write(head.removesuffix("\n}").encode(errors="backslashreplace") + b',\n "frames": [')
            for number, line in enumerate(self._lines):
                file.write((b",\n  " if number else b"\n  ") + line)
            file.write(b"\n ]\n}\n")
        self.outputs.append(self._path)


class JsonLinesWriter(Outputs):
    """``frames.jsonl``: each frame's line is in the file before the next frame is taken."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._file: FileIO | None = None
        self._size = 0

    def write(self, frame: TrackedFrame) -> None:
        with disk_errors(self._path):
            if self._file is None:
                make_folder(self._path.parent)
                self._file = self._path.open("wb", buffering=0)
                self.outputs.append(self._path)
            line = (frame_line(frame) + "\n").encode()
            self._append(self._file, line)

    def _append(self, file: FileIO, line: bytes) -> None:
        try:
            if file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            file.truncate(self._size)  # no half line: every line that stands there can be read
            raise
        self._size += len(line)

    def close(self, complete: bool) -> None:
        if self._file is not None:
            with disk_errors(self._path):
                self._file.close()
            self._file = None


def _head(run: RunInfo) -> dict[str, Any]:
    prompts: dict[int, dict[str, Any]] = {}
    for prompt in run.prompts:
        # An object prompted again keeps its first prompt here; the later ones are `prompted` in the frames.
        said: dict[str, Any] = {"frame": prompt.frame, "box": _box(prompt.box)}
        if prompt.mask is not None:
            said["mask"] = prompt.mask
        prompts.setdefault(prompt.id, said)
    return {
        "schema": SCHEMA,
        "program": f"vossegment {__version__}",
        "source": dict(run.source),
        "model": dict(run.model),
        "objects": [{"id": number, "prompt": prompt} for number, prompt in prompts.items()],
    }


def _object(record: ObjectRecord) -> dict[str, Any]:
    written: dict[str, Any] = {
        "id": record.id,
        "box": _box(record.box),
        "score": round(float(record.score), 4),
        "area": int(record.area),
        "status": record.status,
    }
    if record.window_box is not None:
        written["window_box"] = _box(record.window_box)
    if record.rotated is not None:
        written["rotated_box"] = [[round(x, 2), round(y, 2)] for x, y in record.rotated]
    return written


def _box(box: Box | None) -> list[float] | None:
    return None if box is None else [round(float(side), 2) for side in box]
