"""The process that VOT's toolkit speaks to, its client made by code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from vossegment.cli import trax_process
from vossegment.data.vot import Region, VotSequence
from vossegment.errors import DataError, InputError
from vossegment.evaluation.vot.tracker import beginning
from vossegment.tracking.siamese import SiameseSettings, SiameseTracker

TRUTH = np.array([[30.0, 20], [60, 25], [55, 50], [25, 45]])


class Picture:
    def __init__(self, path: Path) -> None:
        self._path = path

    def path(self) -> str:
        return str(self._path)


class TruePolygon:
    def size(self) -> int:
        return len(TRUTH)

    def get(self, index: int) -> tuple[float, float]:
        return tuple(TRUTH[index])


class Client:
    """Asks what it was given, then quits, and keeps the answers."""

    def __init__(self, *asked: tuple[str, Path, list[Any] | None]) -> None:
        self._asked = list(asked)
        self.told: list[Region] = []

    def wait(self) -> Any:
        if not self._asked:
            return SimpleNamespace(type="quit")
        kind, path, objects = self._asked.pop(0)
        return SimpleNamespace(type=kind, image={"color": Picture(path)}, objects=objects)

    def status(self, objects: list[tuple[Region, dict[str, str]]]) -> None:
        ((region, _),) = objects
        self.told.append(region)


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{number:08d}.png" for number in range(1, 5)]
    for path in paths:
        cv2.imwrite(str(path), rng.integers(0, 255, (80, 100, 3), dtype=np.uint8))
    return paths


@pytest.fixture
def tracker(tiny_e3sn: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> SiameseTracker:
    monkeypatch.setattr(trax_process, "polygon", lambda region: region)
    return SiameseTracker(tiny_e3sn().eval(), SiameseSettings(), device=torch.device("cpu"))


def test_answers(pictures: list[Path], tracker: SiameseTracker) -> None:
    """An answer a request, those of our own run; begun anew it forgets what was."""
    begun = [("initialize", pictures[0], [(TruePolygon(), {})])]
    later: list[tuple[str, Path, list[Any] | None]] = [("frame", path, None) for path in pictures[1:]]
    client = Client(*begun, *later, *begun, *later)
    trax_process.serve(client, tracker, "box")
    assert len(client.told) == 8
    sequence = VotSequence("a", tuple(pictures), np.stack([TRUTH] * 4))
    own = list(beginning(tracker, "box")(sequence, 0))
    np.testing.assert_array_equal(client.told[1:4], own)
    np.testing.assert_array_equal(client.told[:4], client.told[4:])


def test_quits_at_once(tracker: SiameseTracker) -> None:
    """A client that asks nothing gets nothing."""
    client = Client()
    trax_process.serve(client, tracker, "box")
    assert client.told == []


def test_wrong_requests(pictures: list[Path], tracker: SiameseTracker) -> None:
    """A frame before its object, two objects, no picture."""
    with pytest.raises(InputError, match="a frame before any region"):
        trax_process.serve(Client(("frame", pictures[0], None)), tracker, "box")
    two = [(TruePolygon(), {})] * 2
    with pytest.raises(InputError, match="2 objects at once"):
        trax_process.serve(Client(("initialize", pictures[0], two)), tracker, "box")
    with pytest.raises(DataError, match="not a readable image"):
        trax_process.serve(Client(("initialize", pictures[0].with_name("none"), two[:1])), tracker, "box")


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [(["--rotated", "round"], 2, "unknown kind of box 'round'; known: box, mbr, minmax, opt")],
)
def test_wrong_call(options: list[str], code: int, told: str) -> None:
    """One line on stderr, and nothing on the stream that the protocol speaks on."""
    done = subprocess.run(
        [sys.executable, "-m", "vossegment.cli.trax_process", *options], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
