"""Every example runs as it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from vossegment.data.synthetic import synthetic_clip
from vossegment.demo import write_clip
from vossegment.writers.types import RunInfo

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name: str, *arguments: object) -> str:
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    sequence = synthetic_clip(frames=4, height=240, width=320)
    write_clip(sequence, tmp_path / "pond.mp4", RunInfo({}, {}))
    (tmp_path / "frames").mkdir()
    for i in range(len(sequence)):
        cv2.imwrite(str(tmp_path / f"frames/{i:05d}.png"), sequence.image(i)[..., ::-1])
    return tmp_path


def test_track_box(clip: Path) -> None:
    """A line a frame."""
    lines = example("track_box.py", clip / "pond.mp4", 80, 60, 80, 60).splitlines()
    assert len(lines) == 4
    assert "prompted" in lines[0]


def test_two_objects(clip: Path) -> None:
    """A label map a frame."""
    out = clip / "out"
    example("two_objects.py", clip / "frames", out)
    assert sorted(p.name for p in out.iterdir()) == [f"{i:05d}.png" for i in range(4)]


def test_strip(clip: Path) -> None:
    """Two columns and two rows in one picture."""
    example("strip.py", clip / "pond.mp4", clip / "strip.png", 2, 2)
    assert cv2.imread(str(clip / "strip.png")).shape == (480, 640, 3)


def test_every_example_has_a_test() -> None:
    """No example without a run here."""
    tested = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{path.name}"' in tested for path in EXAMPLES.glob("*.py"))
