"""Folders of masks that a program wrote: ``<sequence>/<frame>.png``, checked and read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Sequence as ListOf
from pathlib import Path

from vossegment.data.folders import subfolders
from vossegment.data.sequence import FileSequence, Sequence, read_labels
from vossegment.errors import DataError, InputError
from vossegment.tracking.types import LabelMap
from vossegment.writers.palette import PALETTE


def frame_name(sequence: Sequence, index: int) -> str:
    """The name that a frame's result file bears: its image's own, or five digits where it has none."""
    if isinstance(sequence, FileSequence):
        return sequence.image_paths[index].stem
    return f"{index:05d}"


def result_path(folder: Path, sequence: Sequence, index: int) -> Path:
    """Where a frame's mask lies."""
    return folder / sequence.name / f"{frame_name(sequence, index)}.png"


def result_labels(path: Path, *, merged: bool = False) -> LabelMap:
    """A result's label map ``(H, W)`` uint8, indexed or one-channel, or in the colours of the DAVIS palette; of any
    colours where objects are ``merged``: what is not black is object 1.

    Raises DataError naming the file.
    """
    return read_labels(path, palette=PALETTE, merged=merged)


def check_results(sequences: Iterable[Sequence], folder: Path, counted: Mapping[str, ListOf[int]]) -> None:
    """Raises InputError where there is no folder, DataError naming the first missing sequence, or frame of those that
    are ``counted``, by sequence."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of results")
    wanted = list(sequences)
    missing = [sequence.name for sequence in wanted if not (folder / sequence.name).is_dir()]
    if missing:
        names = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise DataError(
            f"{folder / missing[0]}: no such folder; wanted {folder}/<sequence>/00001.png ... for each of "
            f"{len(wanted)} sequences (missing {len(missing)}: {names})"
        )
    for sequence in wanted:
        frames = counted[sequence.name]
        absent = [p for p in (result_path(folder, sequence, index) for index in frames) if not p.is_file()]
        if absent:
            share = f"{len(absent)} of {len(frames)} frames of {sequence.name}"
            raise DataError(f"{absent[0]}: no such file; {share} are missing")


def left_over(sequences: Iterable[Sequence], folder: Path) -> list[str]:
    """Folders of results that belong to no sequence."""
    known = {sequence.name for sequence in sequences}
    return [name for name in subfolders(folder) if name not in known]
