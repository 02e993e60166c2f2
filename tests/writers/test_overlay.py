from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from vossegment.errors import OutputError
from vossegment.media.video import VideoSource
from vossegment.writers.draw import draw
from vossegment.writers.overlay import OverlayWriter, to_yuv420
from vossegment.writers.types import RunInfo


def make_film(path: Path, codec: str, seconds: float = 2.0) -> Path:
    """A film of ``seconds`` at 10 pictures a second with a tone in ``codec``."""
    with av.open(str(path), "w") as container:
        picture: Any = container.add_stream("libx264", rate=10)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound: Any = container.add_stream(codec, rate=16000)
        sound.layout = "mono"
        for index in range(int(seconds * 10)):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(picture.encode(frame))
        tone = np.sin(np.arange(int(seconds * 16000)) / 8).astype(np.float32)[None] * 0.5
        for start in range(0, tone.shape[1], 1600):
            block = av.AudioFrame.from_ndarray(tone[:, start : start + 1600].copy(), format="fltp", layout="mono")
            block.sample_rate, block.pts, block.time_base = 16000, start, Fraction(1, 16000)
            container.mux(sound.encode(block))
        container.mux(picture.encode(None))
        container.mux(sound.encode(None))
    return path


def sound_span(path: Path) -> tuple[float, float] | None:
    """Start of the first and of the last sound packet in seconds."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        times = [float(p.pts * p.time_base) for p in container.demux(container.streams.audio[0]) if p.size]
        return times[0], times[-1]


def test_no_frame_leaves_nothing(tmp_path: Path, run: RunInfo) -> None:
    writer = OverlayWriter(tmp_path / "overlay.mp4", run)
    writer.close(True)
    assert writer.outputs == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("complete", [True, False])
def test_the_overlay_decodes_to_the_same_times_and_near_colours(
    tmp_path: Path, run: RunInfo, make_frame: Any, complete: bool
) -> None:
    path = tmp_path / "out" / "overlay.mp4"
    writer = OverlayWriter(path, run)
    times = [0.0, 0.1, 0.15, 0.5, 0.5333, 1.7]  # not evenly spaced
    frames = [make_frame(index, time) for index, time in enumerate(times)]
    for frame in frames:
        writer.write(frame)
    assert not path.exists()
    writer.close(complete)
    assert writer.outputs == list(path.parent.iterdir()) == [path]
    source = VideoSource(path)
    decoded = list(source)
    assert [frame.time for frame in decoded] == pytest.approx(times, abs=1e-4)
    assert source.warnings == []
    for got, frame in zip(decoded, frames, strict=True):
        assert np.abs(got.image.astype(int) - draw(frame)).mean() < 6
        np.testing.assert_allclose(got.image[40:, 45:].mean(axis=(0, 1)), (90, 110, 130), atol=4)


def test_it_says_how_its_colours_are_coded(tmp_path: Path, run: RunInfo, make_frame: Any) -> None:
    writer = OverlayWriter(tmp_path / "overlay.mp4", run)
    writer.write(make_frame())
    writer.close(True)
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        context: Any = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.color_range, context.colorspace) == (1, 6)


def test_times_that_stand_still_are_made_to_increase(tmp_path: Path, run: RunInfo, make_frame: Any) -> None:
    writer = OverlayWriter(tmp_path / "overlay.mp4", run)
    for index in range(4):
        writer.write(make_frame(index, 0.25))
    writer.close(True)
    times = [frame.time for frame in VideoSource(tmp_path / "overlay.mp4")]
    assert len(times) == 4
    assert times == sorted(set(times))


def test_odd_sides_are_padded(tmp_path: Path, run: RunInfo, make_frame: Any) -> None:
    writer = OverlayWriter(tmp_path / "overlay.mp4", run)
    writer.write(make_frame(size=(63, 47)))
    writer.close(True)
    source = VideoSource(tmp_path / "overlay.mp4")
    assert (source.width, source.height) == (64, 48)
    image = next(iter(source)).image
    np.testing.assert_allclose(image[-1, -1], (90, 110, 130), atol=6)


def test_sound_is_copied_from_where_the_frames_begin(tmp_path: Path, run: RunInfo, make_frame: Any) -> None:
    run = replace(run, source_path=make_film(tmp_path / "film.mp4", "aac"))
    writer = OverlayWriter(tmp_path / "overlay.mp4", run)
    for index in range(10):
        writer.write(make_frame(index, 0.5 + index / 10))
    writer.close(True)
    span = sound_span(tmp_path / "overlay.mp4")
    assert span is not None
    assert span == pytest.approx((0, 1.0), abs=0.13)
    assert writer.warnings == []


@pytest.mark.parametrize(("name", "codec"), [("film.mkv", "pcm_s16le")])
def test_sound_that_mp4_does_not_take_is_left_out_and_told(
    tmp_path: Path, run: RunInfo, make_frame: Any, name: str, codec: str
) -> None:
    run = replace(run, source_path=make_film(tmp_path / name, codec))
    writer = OverlayWriter(tmp_path / "overlay.mp4", run)
    writer.write(make_frame())
    writer.close(True)
    assert sound_span(tmp_path / "overlay.mp4") is None
    assert writer.warnings == [f"{name}: its sound ({codec}) does not go into mp4; the overlay is silent"]


def test_a_source_without_sound_gives_a_silent_overlay(tmp_path: Path, run: RunInfo, make_frame: Any) -> None:
    text = tmp_path / "film.mp4"
    text.write_text("no film")
    writer = OverlayWriter(tmp_path / "overlay.mp4", replace(run, source_path=text))
    writer.write(make_frame())
    writer.close(True)
    assert sound_span(tmp_path / "overlay.mp4") is None
    assert len(writer.warnings) == 1
    assert "film.mp4: its sound cannot be copied" in writer.warnings[0]


def test_what_cannot_be_written_is_told_and_leaves_no_part(tmp_path: Path, run: RunInfo, make_frame: Any) -> None:
    (tmp_path / "overlay.mp4.part").mkdir()
    writer = OverlayWriter(tmp_path / "overlay.mp4", run)
    with pytest.raises(OutputError, match=r"overlay\.mp4: cannot be written"):
        writer.write(make_frame())
    writer.close(False)
    assert writer.outputs == []


def test_a_disk_that_fills_up_is_told_and_leaves_no_part(
    tmp_path: Path, run: RunInfo, make_frame: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace_(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    writer = OverlayWriter(tmp_path / "overlay.mp4", run)
    writer.write(make_frame())
    monkeypatch.setattr(Path, "replace", replace_)
    with pytest.raises(OutputError, match=r"cannot be written \(no space left on device\)"):
        writer.close(True)
    assert list(tmp_path.iterdir()) == []


def test_conversion_agrees_with_libswscale() -> None:
    # Smooth colours: the two differ in how they filter chroma across an edge.
    noise = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    image = cv2.resize(noise, (64, 48), interpolation=cv2.INTER_CUBIC)
    reference = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="yuv420p").to_ndarray()
    assert np.abs(to_yuv420(image).astype(int) - reference).mean() < 1
    assert to_yuv420(image[:47, :63]).shape == (72, 64)
