"""The line from frames to answers, with a tracker that knows where the object is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from vossegment.data.sequence import ArraySequence
from vossegment.delivery import track_to_files
from vossegment.demo import SequenceSource
from vossegment.errors import DataError, InputError, OutputError
from vossegment.media.source import Source
from vossegment.pipeline import Stages, first_boxes, follow, track
from vossegment.tracking.geometry import square_windows
from vossegment.tracking.prompts import BoxPrompt
from vossegment.tracking.types import Frame, Prompts, Result, TrackedFrame
from vossegment.writers.types import Outputs


class Still:
    """A tracker for things that never move: the state is the boxes, the answer fills them."""

    device = torch.device("cpu")
    mask_threshold = 0.5

    def start(self, frame: torch.Tensor, prompts: Prompts) -> torch.Tensor:
        return prompts.boxes

    def step(self, state: torch.Tensor, frame: torch.Tensor) -> tuple[torch.Tensor, Result]:
        n = len(state)
        middle, side = (state[:, :2] + state[:, 2:]) / 2, (state[:, 2:] - state[:, :2]).amax(1)
        windows = square_windows(middle, side, 8)
        lost = frame.float().mean() < 1  # a black frame hides everything
        masks = torch.ones(n, 8, 8) * (~lost)
        return state, Result(state, torch.full((n,), 0.5), masks, windows, lost.expand(n))


class JoinableStill(Still):
    """The same with states that join, as the protocol wants."""

    def start(self, frame: torch.Tensor, prompts: Prompts) -> Boxes:  # type: ignore[override]
        return Boxes(prompts.boxes)

    def step(self, state: Boxes, frame: torch.Tensor) -> tuple[Boxes, Result]:  # type: ignore[override]
        return state, super().step(state.boxes, frame)[1]


class Boxes:
    def __init__(self, boxes: torch.Tensor) -> None:
        self.boxes = boxes

    def join(self, other: Boxes) -> Boxes:
        return Boxes(torch.cat([self.boxes, other.boxes]))

    def __getitem__(self, keep: list[int]) -> Boxes:
        return Boxes(self.boxes[keep])


def frames(count: int, dark: tuple[int, ...] = ()) -> list[Frame]:
    light = np.full((40, 60, 3), 200, np.uint8)
    return [Frame(i, i / 10, np.zeros_like(light) if i in dark else light) for i in range(count)]


def test_no_frames_give_no_answers() -> None:
    """Nothing in, nothing out."""
    assert list(follow([], JoinableStill(), [BoxPrompt(1, (1, 1, 8, 8))])) == []


def test_one_object_is_prompted_then_tracked() -> None:
    """Label map, tight box, area and status of a square that stays."""
    answers = list(follow(frames(3), JoinableStill(), [BoxPrompt(4, (10, 12, 8, 8))]))
    assert [a.objects[0].status for a in answers] == ["prompted", "tracked", "tracked"]
    last = answers[-1]
    assert last.objects[0].box == (10, 12, 8, 8)
    assert last.objects[0].area == 64 == np.count_nonzero(last.labels == 4)
    assert last.time == pytest.approx(0.2)


def test_an_object_joins_later() -> None:
    """Before its frame it has neither pixels nor a record."""
    prompts = [BoxPrompt(2, (30, 10, 8, 8), frame=2), BoxPrompt(1, (5, 5, 8, 8))]
    answers = list(follow(frames(4), JoinableStill(), prompts))
    assert [[r.id for r in a.objects] for a in answers] == [[1], [1], [1, 2], [1, 2]]
    assert [r.status for r in answers[2].objects] == ["tracked", "prompted"]
    assert not (answers[1].labels == 2).any()
    assert (answers[3].labels == 2).sum() == 64


def test_all_objects_late() -> None:
    """Frames before any prompt have empty maps."""
    answers = list(follow(frames(3), JoinableStill(), [BoxPrompt(1, (5, 5, 8, 8), frame=1)]))
    assert answers[0].objects == ()
    assert not answers[0].labels.any()
    assert answers[1].labels.any()


def test_a_second_prompt_starts_the_object_anew() -> None:
    """One record, at the new place."""
    prompts = [BoxPrompt(1, (5, 5, 8, 8)), BoxPrompt(1, (40, 20, 8, 8), frame=2)]
    answers = list(follow(frames(4), JoinableStill(), prompts))
    assert answers[1].objects[0].box == (5, 5, 8, 8)
    assert [r.box for r in answers[3].objects] == [(40, 20, 8, 8)]


def test_a_lost_object_has_an_empty_mask_and_no_box() -> None:
    """Status lost, area 0, box None; it is back with the light."""
    answers = list(follow(frames(3, dark=(1,)), JoinableStill(), [BoxPrompt(1, (5, 5, 8, 8))]))
    record = answers[1].objects[0]
    assert (record.status, record.area, record.box) == ("lost", 0, None)
    assert answers[2].objects[0].status == "tracked"


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


def test_writers_get_every_frame_in_order_on_a_thread_of_their_own() -> None:
    """And are closed as complete."""
    kept = Kept()
    done = track_to_files(source(20), JoinableStill(), PROMPTS, [kept])
    assert kept.frames == list(range(20))
    assert kept.closed is True
    assert kept.thread == "writers"
    assert done.stages.frames == 20
    assert not done.interrupted


def test_an_error_of_the_source_reaches_the_caller() -> None:
    """After the frames before it were written; the writers are closed."""
    kept = Kept()
    with pytest.raises(InputError, match="rotten"):
        track_to_files(Broken("b", "b", 60, 40), JoinableStill(), PROMPTS, [kept])
    assert kept.frames == [0, 1]
    assert kept.closed is False


@pytest.mark.parametrize("fail_at", [0, 3, 29])
def test_an_error_of_a_writer_reaches_the_caller(fail_at: int) -> None:
    """Nothing hangs on the full queue, and the other writers are closed."""
    good, bad = Kept(), Kept(fail_at)
    with pytest.raises(OutputError, match="disk full"):
        track_to_files(source(30), JoinableStill(), PROMPTS, [bad, good])
    assert good.closed is False


def test_an_interruption_closes_what_is_done() -> None:
    """Ctrl-C at the fifth frame: five frames, whole files, no exception."""
    kept, seen = Kept(), []

    def stop() -> None:
        seen.append(1)
        if len(seen) == 5:
            raise KeyboardInterrupt

    done = track_to_files(source(30), JoinableStill(), PROMPTS, [kept], stop)
    assert done.interrupted
    assert kept.frames == [0, 1, 2, 3, 4]
    assert kept.closed is False


def test_stages_are_counted() -> None:
    """Every frame is in the tally."""
    stages = Stages()
    list(follow(frames(3), JoinableStill(), PROMPTS, stages))
    assert stages.frames == 3
    assert stages.step > 0


def test_track_checks_its_box_before_the_first_frame(tmp_path: Path) -> None:
    """Errors come from the call, not from the first next()."""
    import cv2

    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((40, 60, 3), np.uint8))
    with pytest.raises(InputError, match="wholly outside"):
        track(tmp_path, JoinableStill(), boxes=[(100, 0, 5, 5)])
    assert [a.index for a in track(tmp_path, JoinableStill(), boxes=[(1, 1, 9, 9)])] == [0]


def test_first_boxes_are_tight() -> None:
    """x, y, w, h of each object's first mask; an empty one is an error of the data."""
    labels = np.zeros((40, 60), np.uint8)
    labels[3:9, 20:25] = 7
    image = np.zeros((40, 60, 3), np.uint8)
    sequence = ArraySequence("s", (image, image), (None, labels), {7: 1})
    assert first_boxes(sequence) == [BoxPrompt(7, (20, 3, 5, 6), 1)]
    with pytest.raises(DataError, match="object 7"):
        first_boxes(ArraySequence("s", (image,), (None,), {7: 0}))
