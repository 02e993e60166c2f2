"""The first thing to run: a clip made by code with exact masks, tracked from its first box and scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from vossegment.data.sequence import Sequence
from vossegment.data.synthetic import synthetic_clip
from vossegment.delivery import Written, run_info, track_to_files
from vossegment.evaluation.benchmarks import find_benchmark
from vossegment.evaluation.scores import SequenceScores
from vossegment.evaluation.scoring import score_sequence
from vossegment.media.source import Source
from vossegment.models import LoadedModel
from vossegment.pipeline import first_boxes
from vossegment.tracking.types import Frame, LabelMap, TrackedFrame
from vossegment.writers.overlay import OverlayWriter
from vossegment.writers.registry import open_writers
from vossegment.writers.types import Outputs, RunInfo

RATE = Fraction(24)
CLIP = "clip.mp4"


@dataclass
class SequenceSource(Source):
    """A sequence in memory as a source of frames, ``rate`` of them a second."""

    sequence: Sequence = field(kw_only=True)

    def __iter__(self) -> Iterator[Frame]:
        for i in range(len(self.sequence)):
            yield Frame(i, float(i / RATE), self.sequence.image(i))


class _Collected(Outputs):
    """A writer that keeps the label maps, for scoring."""

    def __init__(self) -> None:
        super().__init__()
        self.labels: list[LabelMap] = []

    def write(self, frame: TrackedFrame) -> None:
        self.labels.append(frame.labels)

    def close(self, complete: bool) -> None:
        pass


@dataclass(frozen=True)
class DemoResult:
    """What was written, and the scores against the exact masks (None where interrupted)."""

    written: Written
    scores: SequenceScores | None


def write_clip(sequence: Sequence, path: Path, run: RunInfo) -> None:
    """The bare clip as a video, so that it can be tracked again from the command line."""
    writer = OverlayWriter(path, run)
    for i in range(len(sequence)):
        image = sequence.image(i)
        writer.write(TrackedFrame(i, float(i / RATE), image, np.zeros(image.shape[:2], np.uint8), ()))
    writer.close(True)


def make_and_track(
    model: LoadedModel, folder: Path, *, seed: int = 0, on_frame: Callable[[], None] = lambda: None
) -> DemoResult:
    """Makes the clip, writes it with all results into ``folder``, and scores them (DAVIS-2016 rule).

    Raises OutputError where ``folder`` cannot be written.
    """
    sequence = synthetic_clip(seed=seed)
    height, width = sequence.image(0).shape[:2]
    source = SequenceSource(
        str(folder / CLIP), "demo", width, height, len(sequence), float(len(sequence) / RATE), RATE, sequence=sequence
    )
    prompts = first_boxes(sequence)
    run = replace(run_info(source, model.describe(), prompts), source_path=None)  # the made clip has no sound
    collected = _Collected()
    writers = open_writers(("masks", "overlay", "json"), folder, run)
    write_clip(sequence, folder / CLIP, run)
    written = track_to_files(source, model, prompts, [*writers, collected], on_frame)
    if written.interrupted:
        return DemoResult(written, None)
    return DemoResult(written, score_sequence(sequence, collected.labels, find_benchmark("davis2016")))
