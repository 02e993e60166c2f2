"""From answers to files: the writers' thread, what goes wrong before and in it, and what they are told of a run."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from still import Still, frames, mask

from vossegment.data.sequence import ArraySequence
from vossegment.delivery import run_info, track_to_files
from vossegment.demo import SequenceSource
from vossegment.errors import InputError, OutputError
from vossegment.media.source import Source
from vossegment.tracking.prompts import BoxPrompt, MaskPrompt
from vossegment.tracking.types import Frame, TrackedFrame
from vossegment.writers.types import Outputs, PromptRecord


class Broken(Source):
    """A source that fails while it is read."""

    def __iter__(self) -> Iterator[Frame]:
        yield from frames(2)
        raise InputError("the third frame is rotten")


class Kept(Outputs):
    def __init__(self, fail_at: int | None = None) -> None:
        super().__init__()
        self.frames: list[int] = []
        self.closed: bool | None = None
        self.fail_at = fail_at
        self.thread = ""

    def write(self, frame: TrackedFrame) -> None:
        if frame.index == self.fail_at:
            raise OutputError("disk full")
        self.thread = threading.current_thread().name
        self.frames.append(frame.index)

    def close(self, complete: bool) -> None:
        self.closed = complete


def source(count: int) -> SequenceSource:
    images = tuple(f.image for f in frames(count))
    sequence = ArraySequence("s", images, (None,) * count)
    return SequenceSource("s", "s", 60, 40, count, sequence=sequence)


PROMPTS = [BoxPrompt(1, (5, 5, 8, 8))]


def test_what_a_lost_object_shows_is_passed_on() -> None:
    """From the call to the writers."""

    class Areas(Kept):
        def write(self, frame: TrackedFrame) -> None:
            self.frames.append(frame.objects[0].area)

    images = tuple(f.image for f in frames(2, dark=(1,)))
    black = SequenceSource("s", "s", 60, 40, 2, sequence=ArraySequence("s", images, (None, None)))
    empty, keep = Areas(), Areas()
    track_to_files(black, Still(), PROMPTS, [empty])
    track_to_files(black, Still(), PROMPTS, [keep], lost="keep")
    assert (empty.frames, keep.frames) == ([64, 0], [64, 64])


def test_the_records_tell_how_an_object_was_given() -> None:
    """A box alone, a mask by its file's name, or a mask from nowhere; with the tight box."""
    prompts = [BoxPrompt(1, (5, 5, 8, 8)), MaskPrompt(2, mask(1, 2, 3, 4), 1, "m.png"), MaskPrompt(3, mask(1, 2, 3, 4))]
    assert run_info(source(2), {}, prompts).prompts == (
        PromptRecord(1, 0, (5, 5, 8, 8)),
        PromptRecord(2, 1, (1, 2, 3, 4), "m.png"),
        PromptRecord(3, 0, (1, 2, 3, 4), True),
    )


def test_writers_get_every_frame_in_order_on_a_thread_of_their_own() -> None:
    """And are closed as complete."""
    kept = Kept()
    done = track_to_files(source(20), Still(), PROMPTS, [kept])
    assert kept.frames == list(range(20))
    assert kept.closed is True
    assert kept.thread == "writers"
    assert done.stages.frames == 20
    assert not done.interrupted


def test_an_error_of_the_source_reaches_the_caller() -> None:
    """After the frames before it were written; the writers are closed."""
    kept = Kept()
    with pytest.raises(InputError, match="rotten"):
        track_to_files(Broken("b", "b", 60, 40), Still(), PROMPTS, [kept])
    assert kept.frames == [0, 1]
    assert kept.closed is False


@pytest.mark.parametrize("fail_at", [0, 3, 29])
def test_an_error_of_a_writer_reaches_the_caller(fail_at: int) -> None:
    """Nothing hangs on the full queue, and the other writers are closed."""
    good, bad = Kept(), Kept(fail_at)
    with pytest.raises(OutputError, match="disk full"):
        track_to_files(source(30), Still(), PROMPTS, [bad, good])
    assert good.closed is False


def test_an_interruption_closes_what_is_done() -> None:
    """Ctrl-C at the fifth frame: five frames, whole files, no exception."""
    kept, seen = Kept(), []

    def stop() -> None:
        seen.append(1)
        if len(seen) == 5:
            raise KeyboardInterrupt

    done = track_to_files(source(30), Still(), PROMPTS, [kept], stop)
    assert done.interrupted
    assert kept.frames == [0, 1, 2, 3, 4]
    assert kept.closed is False
