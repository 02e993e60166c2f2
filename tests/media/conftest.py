from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from vossegment.tracking.types import Image

MakeClip = Callable[..., Path]


def frame_color(index: int) -> tuple[int, int, int]:
    """A colour of its own for each frame, far enough apart to survive coding."""
    return 20 * index % 256, 100, 255 - 20 * index % 256


def flat(index: int, width: int, height: int) -> Image:
    return np.full((height, width, 3), frame_color(index), dtype=np.uint8)


@pytest.fixture
def make_clip(tmp_path: Path) -> MakeClip:
    """Writes a small MPEG-4 or H.264 clip of flat frames and gives its path."""

    def make(
        name: str = "clip.mp4",
        pts: Sequence[int] = tuple(range(12)),
        rate: int = 10,
        size: tuple[int, int] = (64, 48),
        images: Sequence[Image] = (),
        codec: str = "libx264",
        options: dict[str, str] | None = None,
        rotation: int = 0,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w", options=options or {}) as container:
            stream: Any = container.add_stream(codec, rate=rate)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = Fraction(1, rate)
            if rotation:
                stream.set_display_rotation(-rotation)  # PyAV counts counter-clockwise
            for index, stamp in enumerate(pts):
                picture = images[index] if images else flat(index, *size)
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                frame.pts = stamp
                frame.time_base = Fraction(1, rate)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make
