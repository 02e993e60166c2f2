"""Track a video: source -> tracker -> label maps and records -> writers.

Decoding and writing have a thread each, with bounded queues between; the tracker runs in the caller's. Memory does
not grow with the length of the video.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from vossegment.data.sequence import Sequence as LabelledSequence
from vossegment.errors import DataError
from vossegment.media.ahead import ahead
from vossegment.media.open import open_source
from vossegment.media.source import Source
from vossegment.tracking.merge import label_map
from vossegment.tracking.prompts import BoxPrompt, check
from vossegment.tracking.types import (
    Box,
    Frame,
    LabelMap,
    ObjectRecord,
    Prompts,
    Result,
    Status,
    TrackedFrame,
    Tracker,
)
from vossegment.writers.types import PromptRecord, RunInfo, Writer


@dataclass
class Stages:
    """Seconds spent in each stage so far; decoding and writing run beside the rest."""

    decode: float = 0.0
    step: float = 0.0
    merge: float = 0.0
    write: float = 0.0
    frames: int = 0


def follow(
    frames: Iterable[Frame], tracker: Tracker, prompts: Sequence[BoxPrompt], stages: Stages | None = None
) -> Iterator[TrackedFrame]:
    """The objects of ``prompts`` through ``frames``, one answer a frame.

    An object joins at its prompt's frame; a later prompt of the same id starts it anew there.
    """
    spent = stages if stages is not None else Stages()
    state: Any = None
    ids: tuple[int, ...] = ()
    for frame in frames:
        began = time.perf_counter()
        height, width = frame.image.shape[:2]
        picture = torch.from_numpy(frame.image).to(tracker.device)
        new = [p for p in prompts if p.frame == frame.index]
        results: list[Result] = []
        if new:
            going = {p.id for p in new}
            keep = [i for i, number in enumerate(ids) if number not in going]
            state = state[keep] if state is not None and keep else None
            ids = tuple(ids[i] for i in keep)
        if state is not None:
            state, result = tracker.step(state, picture)
            results.append(result)
        if new:
            added = tracker.start(picture, _prompts(new))
            results.append(tracker.step(added, picture)[1])  # the mask in the prompt's own frame
            state = added if state is None else state.join(added)
            ids = (*ids, *(p.id for p in new))
        result_of_all = _joined(results)
        stepped = time.perf_counter()
        labels, records = _records(result_of_all, ids, {p.id for p in new}, height, width)
        spent.step += stepped - began
        spent.merge += time.perf_counter() - stepped
        spent.frames += 1
        yield TrackedFrame(frame.index, frame.time, frame.image, labels, records)


def _prompts(new: Sequence[BoxPrompt]) -> Prompts:
    edges = [(x, y, x + w, y + h) for x, y, w, h in (p.box for p in new)]
    return Prompts(tuple(p.id for p in new), torch.tensor(edges, dtype=torch.float32))


def _joined(results: Sequence[Result]) -> Result | None:
    if len(results) < 2:
        return results[0] if results else None
    first, second = results
    return Result(
        torch.cat([first.boxes, second.boxes]),
        torch.cat([first.scores, second.scores]),
        torch.cat([first.masks, second.masks]),
        torch.cat([first.windows, second.windows]),
        torch.cat([first.lost, second.lost]),
    )


def _records(
    result: Result | None, ids: Sequence[int], prompted: set[int], height: int, width: int
) -> tuple[LabelMap, tuple[ObjectRecord, ...]]:
    """The label map, and a record for each object, ordered by id."""
    if result is None:
        return np.zeros((height, width), np.uint8), ()
    labels = label_map(result, ids, height, width)
    boxes, scores, lost = result.boxes.tolist(), result.scores.tolist(), result.lost.tolist()
    records = []
    for i, number in enumerate(ids):
        mask = (labels == number).view(np.uint8)
        x, y, w, h = cv2.boundingRect(mask)
        area = int(np.count_nonzero(mask[y : y + h, x : x + w]))
        status: Status = "lost" if lost[i] or not area else "prompted" if number in prompted else "tracked"
        x0, y0, x1, y1 = boxes[i]
        tight: Box | None = (float(x), float(y), float(w), float(h)) if area else None
        records.append(ObjectRecord(number, tight, scores[i], area, status, (x0, y0, x1 - x0, y1 - y0)))
    return labels, tuple(sorted(records, key=lambda r: r.id))


@dataclass
class Timed(Iterator[Frame]):
    """Frames of an iterable, with the time their making took added to ``stages.decode``."""

    frames: Iterable[Frame]
    stages: Stages
    _inner: Iterator[Frame] = field(init=False)

    def __post_init__(self) -> None:
        self._inner = iter(self.frames)

    def __next__(self) -> Frame:
        began = time.perf_counter()
        try:
            return next(self._inner)
        finally:
            self.stages.decode += time.perf_counter() - began


def first_boxes(sequence: LabelledSequence) -> list[BoxPrompt]:
    """The tight box of each object's first mask: what a benchmark gives a tracker that starts from boxes.

    Raises DataError where that mask is not known or empty.
    """
    prompts = []
    for number, index in sequence.objects.items():
        labels = sequence.labels(index)
        mask = None if labels is None else np.equal(labels, number).view(np.uint8)
        x, y, w, h = (0, 0, 0, 0) if mask is None else cv2.boundingRect(mask)
        if not w:
            raise DataError(f"{sequence.name}: no mask of object {number} in frame {index}")
        prompts.append(BoxPrompt(number, (float(x), float(y), float(w), float(h)), index))
    return prompts


def segment(sequence: LabelledSequence, tracker: Tracker) -> Iterator[LabelMap]:
    """Label maps of a data set's sequence, each object started from its first box; reading runs ahead."""
    frames = (Frame(i, float(i), sequence.image(i)) for i in range(len(sequence)))
    with ahead(frames) as decoded:
        for answer in follow(decoded, tracker, first_boxes(sequence)):
            yield answer.labels


@dataclass
class Written:
    """What ``track_to_files`` did: files, counts, seconds by stage, and what the user should be told."""

    outputs: list[Path]
    stages: Stages
    wall: float
    """Seconds from the first decoded frame to the last written one."""
    interrupted: bool = False
    warnings: list[str] = field(default_factory=list)

    def summary(self, start_up: float) -> str:
        """One or two lines for a person: frames, speed, where the time went, where the files are."""
        n, s = self.stages.frames, self.stages
        each = [
            f"{name} {1000 * value / max(n, 1):.1f}"
            for name, value in (
                ("decode", s.decode),
                ("step", s.step),
                ("merge", s.merge),
                ("write", s.write),
            )
        ]
        speed = f"{n} frames in {self.wall:.1f} s, {n / max(self.wall, 1e-9):.1f} frames/s"
        files = ", ".join(str(path) for path in self.outputs)
        return f"{speed} (start-up {start_up:.1f} s; ms a frame: {', '.join(each)})\n{files}"


def run_info(source: Source, model: Mapping[str, Any], prompts: Sequence[BoxPrompt]) -> RunInfo:
    """What the writers are told of a run; ``model`` as ``LoadedModel.describe`` gives it."""
    file = Path(source.path)
    return RunInfo(
        source={
            "path": source.path,
            "width": source.width,
            "height": source.height,
            "frames": source.frames,
            "duration": source.duration,
            "rotation": source.rotation,
        },
        model=model,
        prompts=tuple(PromptRecord(p.id, p.frame, p.box) for p in prompts),
        rate=source.rate,
        source_path=file if file.is_file() else None,
    )


def track_to_files(
    source: Source,
    tracker: Tracker,
    prompts: Sequence[BoxPrompt],
    writers: Sequence[Writer],
    on_frame: Callable[[], None] = lambda: None,
) -> Written:
    """Follows checked ``prompts`` through ``source`` and hands every answer to ``writers``, on a thread of theirs.

    Ctrl-C ends after the frame in hand; the files are closed and whole. Errors of any thread are raised here.
    """
    stages = Stages()
    interrupted = False
    began = time.perf_counter()
    output = _Output(writers, stages)
    try:
        with ahead(Timed(source, stages)) as frames:
            for answer in follow(frames, tracker, prompts, stages):
                output.put(answer)
                on_frame()
    except KeyboardInterrupt:
        interrupted = True
    except BaseException:
        output.close(complete=False, raising=False)
        raise
    output.close(complete=not interrupted)
    wall = time.perf_counter() - began
    outputs = [path for writer in writers for path in writer.outputs]
    warnings = [*source.warnings, *(text for writer in writers for text in writer.warnings)]
    return Written(outputs, stages, wall, interrupted, warnings)


class _Output:
    """The writers on their own thread, behind a bounded queue."""

    def __init__(self, writers: Sequence[Writer], stages: Stages, depth: int = 8) -> None:
        self._writers, self._stages = writers, stages
        self._queue: queue.Queue[TrackedFrame | None] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="writers", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (answer := self._queue.get()) is not None:
            if self._error is not None:
                continue  # keep emptying the queue, so that put never waits for ever
            began = time.perf_counter()
            try:
                for writer in self._writers:
                    writer.write(answer)
            except BaseException as error:
                self._error = error
            self._stages.write += time.perf_counter() - began

    def put(self, answer: TrackedFrame) -> None:
        if self._error is not None:
            raise self._error
        self._queue.put(answer)

    def close(self, *, complete: bool, raising: bool = True) -> None:
        """Waits for what is under way and closes every writer, whatever happened to the others."""
        self._queue.put(None)
        self._thread.join()
        for writer in self._writers:
            try:
                writer.close(complete and self._error is None)
            except Exception as error:
                self._error = self._error or error
        if raising and self._error is not None:
            raise self._error


def track(
    source: str | Path, tracker: Tracker, *, boxes: Sequence[Box], ids: Sequence[int] | None = None
) -> Iterator[TrackedFrame]:
    """Follows ``boxes`` (x, y, w, h in pixels of the first frame) through a video file or a folder of images.

    Yields a ``TrackedFrame`` a frame: ``index``, ``time`` in seconds, ``image``, ``labels`` ``(H, W)`` uint8 and
    ``objects``, a record each. Raises InputError for a source or a box that cannot be used.
    """
    numbers = range(1, len(boxes) + 1) if ids is None else ids
    opened = open_source(source)
    given = [BoxPrompt(n, b) for n, b in zip(numbers, boxes, strict=True)]
    prompts, _ = check(given, opened.width, opened.height, opened.frames)

    def run() -> Iterator[TrackedFrame]:
        with opened, ahead(opened) as frames:
            yield from follow(frames, tracker, prompts)

    return run()
