"""Runs a tracker over a benchmark's sequences, keeps its masks where asked, and scores them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from collections.abc import Sequence as ListOf
from dataclasses import dataclass
from pathlib import Path

from vossegment.data.sequence import Sequence
from vossegment.evaluation.baselines import BASELINES
from vossegment.evaluation.benchmarks import (
    Benchmark,
    Scores,
    SequenceScores,
    TrackSequence,
    check_sequence,
    frame_name,
    score,
    score_sequence,
)
from vossegment.tracking.types import LabelMap
from vossegment.whole_files import make_folder
from vossegment.writers.masks import write_labels


@dataclass(frozen=True)
class Evaluation:
    """A run's scores, and the time it took to decode and segment its frames, without scoring and saving."""

    scores: Scores
    frames: int
    seconds: float

    @property
    def end_to_end_fps(self) -> float:
        """Frames a second from decoding to mask, first frames included."""
        return self.frames / self.seconds


def evaluate(
    sequences: ListOf[Sequence],
    track_sequence: TrackSequence,
    benchmark: Benchmark,
    *,
    save_to: Path | None = None,
    on_sequence: Callable[[SequenceScores], None] | None = None,
) -> Evaluation:
    """Tracks each sequence, writes ``save_to/<sequence>/<frame>.png`` where asked, and scores it.

    ``track_sequence`` gives a sequence's label maps, ``(H, W)`` uint8, one a frame from frame 0 on; none may
    be written over later. ``on_sequence`` is called after each sequence. Raises DataError where the truth is
    incomplete, before anything is tracked, or where the maps do not fit it; OutputError where they cannot be
    written.
    """
    for sequence in sequences:
        check_sequence(sequence, benchmark)
    scored: list[SequenceScores] = []
    frames, seconds = 0, 0.0
    for sequence in sequences:
        # A sequence is tracked whole before it is scored: work that a tracker does ahead, in threads or on a
        # GPU, would otherwise hide behind the scoring and flatter the speed.
        began = time.perf_counter()
        labels = list(track_sequence(sequence))
        seconds += time.perf_counter() - began
        frames += len(labels)
        scored.append(score_sequence(sequence, labels, benchmark))
        if save_to is not None:
            _save(sequence, labels, save_to / sequence.name)
        if on_sequence is not None:
            on_sequence(scored[-1])
    return Evaluation(Scores(benchmark, tuple(scored)), frames, seconds)


def score_baselines(sequences: ListOf[Sequence], benchmark: Benchmark, *, jobs: int | None = None) -> dict[str, Scores]:
    """Scores of the first box and the first mask held still, by name.

    ``jobs`` processes share the sequences, one a core by default.
    """
    jobs = jobs or os.cpu_count() or 1
    return {name: score(sequences, held, benchmark, jobs=jobs) for name, held in BASELINES.items()}


def _save(sequence: Sequence, labels: ListOf[LabelMap], folder: Path) -> None:
    make_folder(folder)
    for index, label_map in enumerate(labels):
        write_labels(folder / f"{frame_name(sequence, index)}.png", label_map)
