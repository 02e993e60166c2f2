"""From answers to files: a source followed to its end, every answer handed to the writers.

Decoding and writing have a thread each, with bounded queues between; the tracker runs in the caller's. No frame is
kept: memory does not grow with the length of the video, but for a line of text a frame in ``track.json``.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vossegment.interrupt import Deferred
from vossegment.media.ahead import ahead
from vossegment.media.source import Source
from vossegment.pipeline import Stages, follow
from vossegment.tracking.prompts import MaskPrompt, Prompt
from vossegment.tracking.types import Frame, Lost, Rotated, TrackedFrame, Tracker
from vossegment.writers.types import PromptRecord, RunInfo, Writer


@dataclass
class Timed(Iterator[Frame]):
    """Frames of an iterable, with the time their making took added to ``stages.decode``."""

    frames: Iterable[Frame]
    stages: Stages
    _inner: Iterator[Frame] = field(init=False)

    def __post_init__(self) -> None:
        self._inner = iter(self.frames)

    def close(self) -> None:
        """Ends the frames, if they can be ended (``ahead`` calls this in its thread)."""
        end = getattr(self._inner, "close", None)
        if end is not None:
            end()

    def __next__(self) -> Frame:
        began = time.perf_counter()
        try:
            return next(self._inner)
        finally:
            self.stages.decode += time.perf_counter() - began


@dataclass
class Written:
    """What ``track_to_files`` did: files, counts, seconds by stage, and what the user should be told."""

    outputs: list[Path]
    stages: Stages
    wall: float
    """Seconds from the beginning of decoding to the end of writing."""
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


def run_info(source: Source, model: Mapping[str, Any], prompts: Sequence[Prompt]) -> RunInfo:
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
        prompts=tuple(_record(p) for p in prompts),
        rate=source.rate,
        source_path=file if file.is_file() else None,
    )


def _record(prompt: Prompt) -> PromptRecord:
    if isinstance(prompt, MaskPrompt):
        return PromptRecord(prompt.id, prompt.frame, prompt.box, True if prompt.file is None else prompt.file)
    return PromptRecord(prompt.id, prompt.frame, prompt.box)


def track_to_files(
    source: Source,
    tracker: Tracker,
    prompts: Sequence[Prompt],
    writers: Sequence[Writer],
    on_frame: Callable[[], None] = lambda: None,
    *,
    lost: Lost = "empty",
    rotated: Rotated | None = None,
) -> Written:
    """Follows checked ``prompts`` through ``source`` and hands every answer to ``writers``, on a thread of theirs.

    ``lost`` and ``rotated``: as ``follow`` has them.
    Ctrl-C ends after the frame in hand; the files are closed and whole. Errors of any thread are raised here.
    """
    stages = Stages()
    interrupted = False
    began = time.perf_counter()
    output = _Output(writers, stages)
    try:
        with ahead(Timed(source, stages)) as frames:
            for answer in follow(frames, tracker, prompts, stages, lost=lost, rotated=rotated):
                output.put(answer)
                on_frame()
    except KeyboardInterrupt:
        interrupted = True
    except BaseException:
        output.close(complete=False, raising=False)
        raise
    with Deferred() as second:  # an impatient second Ctrl-C must not leave half a file
        output.close(complete=not interrupted)
    interrupted = interrupted or second.asked
    wall = time.perf_counter() - began
    outputs = [path for writer in writers for path in writer.outputs]
    warnings = [] if interrupted else _never_reached(prompts, stages.frames)
    warnings += [*source.warnings, *(text for writer in writers for text in writer.warnings)]
    return Written(outputs, stages, wall, interrupted, warnings)


def _never_reached(prompts: Sequence[Prompt], frames: int) -> list[str]:
    late = [p for p in prompts if p.frame >= frames]
    return [f"object {p.id} was to begin in frame {p.frame}, but the source ended after {frames}" for p in late]


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
