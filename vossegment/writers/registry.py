"""The one table of writers, and the checks before any of them writes."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from vossegment.errors import InputError, OutputError, one_of
from vossegment.whole_files import PART, disk_errors
from vossegment.writers.types import RunInfo, Writer

_MASK_NAME = re.compile(r"\d{5,}\.png(\.part)?")


class Entry(NamedTuple):
    """How a writer is made for an output folder, what ``--help`` says of it, and what it leaves there."""

    make: Callable[[Path, RunInfo], Writer]
    help: str
    leaves: str


# The writers are imported when made: the table is read for `--help`, which must not wait for PyAV and OpenCV.
def _masks(out: Path, run: RunInfo) -> Writer:
    from vossegment.writers.masks import MaskWriter

    return MaskWriter(out / "masks")


def _overlay(out: Path, run: RunInfo) -> Writer:
    from vossegment.writers.overlay import OverlayWriter

    return OverlayWriter(out / "overlay.mp4", run)


def _json(out: Path, run: RunInfo) -> Writer:
    from vossegment.writers.records import TrackJsonWriter

    return TrackJsonWriter(out / "track.json", run)


def _jsonl(out: Path, run: RunInfo) -> Writer:
    from vossegment.writers.records import JsonLinesWriter

    return JsonLinesWriter(out / "frames.jsonl")


WRITERS: dict[str, Entry] = {
    "masks": Entry(_masks, "masks/00000.png ...: indexed PNGs, pixel = object id", "masks"),
    "overlay": Entry(_overlay, "overlay.mp4: the video with tint, outline, box and id drawn", "overlay.mp4"),
    "json": Entry(_json, "track.json: boxes, scores and areas of the whole run", "track.json"),
    "jsonl": Entry(_jsonl, "frames.jsonl: the same, a line a frame as it comes", "frames.jsonl"),
}


def check_names(names: Sequence[str]) -> None:
    """Raise InputError for a name that is no writer, listing those that are."""
    for name in names:
        if name not in WRITERS:
            raise InputError(one_of("writer", name, WRITERS))


def open_writers(names: Sequence[str], out: Path, run: RunInfo) -> list[Writer]:
    """The writers called ``names``, in that order, a repeated one once, writing into ``out``.

    Results of an earlier run in ``out`` are removed, and nothing else: call ``check_output`` first, which
    refuses them unless they may go. Raises InputError for an unknown name, OutputError if removal fails.
    """
    check_names(names)
    for old in earlier_results(out):
        with disk_errors(old):
            old.unlink()
    return [WRITERS[name].make(out, run) for name in dict.fromkeys(names)]


def check_output(out: Path, names: Sequence[str], overwrite: bool) -> None:
    """Raise OutputError where ``out`` cannot take the results of ``names``; write nothing.

    It cannot where it is a file, may not be created or written, or holds earlier results (of any writer) and
    ``overwrite`` is False.
    """
    check_names(names)
    if not names:
        raise InputError(f"nothing to save; choose among {', '.join(WRITERS)}")
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: a file; choose a folder with --out")
    for name in names:
        target = out / WRITERS[name].leaves
        if target.exists() and target.is_dir() != (name == "masks"):
            raise OutputError(f"{target}: in the way of a result; move it or choose another --out")
    ground = out
    while not ground.exists():
        ground = ground.parent
    if not ground.is_dir():
        raise OutputError(f"{out}: cannot be created, {ground} is a file; choose another --out")
    if not os.access(ground, os.W_OK | os.X_OK):
        raise OutputError(f"{out}: {ground} is not writable; change its permissions or choose another --out")
    old = earlier_results(out)
    if old and not overwrite:
        found = old[0].relative_to(out).parts[0]
        raise OutputError(f"{out}: holds earlier results ({found}); use --overwrite or choose another --out")


def check_source(source: Path, out: Path) -> None:
    """Raise InputError where ``source`` (a glob too) is, or holds, what ``open_writers`` would remove from ``out``."""
    old = {path.resolve() for path in earlier_results(out)}
    named = [source] if source.exists() else [Path(match) for match in glob.glob(str(source))]  # noqa: PTH207 (absolute patterns too)
    files = [file for path in named for file in (path.iterdir() if path.is_dir() else [path])]
    if any(file.resolve() in old for file in files):
        raise InputError(f"{source}: among the earlier results in {out}, which would be replaced; choose another --out")


def earlier_results(out: Path) -> list[Path]:
    """Files in ``out`` that these writers made in an earlier run, broken-off ones too."""
    if not out.is_dir():
        return []
    single = [entry.leaves for entry in WRITERS.values() if entry.leaves != "masks"]
    files = [out / (name + ending) for name in single for ending in ("", PART)]
    masks = out / "masks"
    numbered = sorted(masks.iterdir()) if masks.is_dir() else []
    files += [path for path in numbered if _MASK_NAME.fullmatch(path.name)]
    return [path for path in files if path.is_file()]
