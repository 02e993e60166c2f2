"""Runs a tracker over a benchmark's sequences, keeps its masks where asked, and scores them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from collections.abc import Sequence as ListOf
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vossegment.data.sequence import Sequence
from vossegment.errors import DataError, OutputError
from vossegment.evaluation.baselines import BASELINES
from vossegment.evaluation.benchmarks import Benchmark, Scores
from vossegment.evaluation.report_file import as_text, write_files
from vossegment.evaluation.results import result_labels, result_path
from vossegment.evaluation.scores import SequenceScores
from vossegment.evaluation.scoring import TrackSequence, check_sequence, score_sequence_beside
from vossegment.tracking.types import LabelMap
from vossegment.whole_files import make_folder
from vossegment.writers.masks import write_labels

OURS = "ours"


@dataclass(frozen=True)
class Evaluation:
    """A run's scores, those of the baselines on the same frames, and the time it took to decode and segment its frames,
    without scoring and saving."""

    scores: Scores
    baselines: Mapping[str, Scores]
    frames: int
    seconds: float

    @property
    def end_to_end_fps(self) -> float:
        """Frames a second from decoding to mask, first frames included; 0 where all masks lay there already."""
        return self.frames / self.seconds if self.frames else 0.0


def evaluate(
    sequences: ListOf[Sequence],
    track_sequence: TrackSequence,
    benchmark: Benchmark,
    *,
    save_to: Path | None = None,
    resume: bool = False,
    on_sequence: Callable[[Sequence, SequenceScores, ListOf[LabelMap]], None] | None = None,
) -> Evaluation:
    """Tracks each sequence, writes ``save_to/<sequence>/<frame>.png`` where asked, and scores it.

    ``track_sequence`` gives a sequence's label maps, ``(H, W)`` uint8, one a frame from frame 0 on; none may be
    written over later. ``resume``: a sequence whose masks all lie in ``save_to`` is not tracked again. ``on_sequence``
    is called after each sequence. Raises DataError where the truth is incomplete, before anything is tracked, or where
    the maps do not fit it; OutputError where they cannot be written.
    """
    for sequence in sequences:
        check_sequence(sequence, benchmark)
    scored: dict[str, list[SequenceScores]] = {name: [] for name in (OURS, *BASELINES)}
    frames, seconds = 0, 0.0
    for sequence in sequences:
        labels = kept(sequence, save_to) if resume and save_to is not None else None
        if labels is None:
            labels, taken = tracked(sequence, track_sequence)
            seconds += taken
            frames += len(labels)
            if save_to is not None:
                save(sequence, labels, save_to)
        held = {name: hold(sequence) for name, hold in BASELINES.items()}
        parts = score_sequence_beside(sequence, {OURS: labels, **held}, benchmark)
        for name, part in parts.items():
            scored[name].append(part)
        if on_sequence is not None:
            on_sequence(sequence, parts[OURS], labels)
    scores = {name: Scores(benchmark, tuple(parts)) for name, parts in scored.items()}
    return Evaluation(scores.pop(OURS), scores, frames, seconds)


def tracked(sequence: Sequence, track_sequence: TrackSequence) -> tuple[list[LabelMap], float]:
    """A sequence's label maps, and the seconds they took.

    A sequence is tracked whole before anything else is done: work that a tracker does ahead, in threads or on a GPU,
    would otherwise hide behind the scoring and flatter the speed.
    """
    began = time.perf_counter()
    labels = list(track_sequence(sequence))
    return labels, time.perf_counter() - began


def begin(folder: Path, run: Mapping[str, Any], *, resume: bool = False, overwrite: bool = False) -> bool:
    """Notes in ``folder`` whose masks it takes, and says whether it holds some of the same run to go on with.

    Raises OutputError where it holds a run's masks that are neither to be resumed nor to be written over, or another's.
    """
    path = folder / "run.json"
    there = path.read_text(encoding="utf-8") if path.is_file() else None
    text = as_text(run)
    if there is not None and not overwrite:
        if not resume:
            raise OutputError(f"{folder}: holds a run's masks; use --resume to go on with it, or choose another --out")
        if there != text:
            raise OutputError(f"{folder}: holds the masks of another run; choose another --out")
    write_files(folder, {path.name: text})
    return resume and there == text


def kept(sequence: Sequence, folder: Path) -> list[LabelMap] | None:
    """The label maps that a run has left in ``folder``; None where one is missing or cannot be read."""
    try:
        return [result_labels(result_path(folder, sequence, index)) for index in range(len(sequence))]
    except DataError:
        return None


def save(sequence: Sequence, labels: ListOf[LabelMap], folder: Path) -> None:
    """Writes ``folder/<sequence>/<frame>.png``. Raises OutputError where it cannot."""
    make_folder(folder / sequence.name)
    for index, label_map in enumerate(labels):
        write_labels(result_path(folder, sequence, index), label_map)
