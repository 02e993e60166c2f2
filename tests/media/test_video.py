from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from vossegment.errors import InputError
from vossegment.media.video import VideoSource, _Clock

ODD = Path(__file__).parents[2].parent / "shared" / "data" / "clips" / "odd"


def odd(name: str) -> Path:
    path = ODD / name
    if not path.is_file():
        pytest.skip(f"{name}: not on this machine")
    return path


def make_song(path: Path) -> Path:
    """A WAV file of a tenth of a second of silence."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "empty.mp4", "not a video, or cut off before its index; check the file"),
        (b"dear diary\n" * 50, "diary.mp4", "not a video, or cut off before its index; check the file"),
        (b"dear diary\n" * 50, "diary.txt", "not a video"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes, name: str, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        VideoSource(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.mp4: no such file; check the path"):
        VideoSource(tmp_path / "none.mp4")
    with pytest.raises(InputError, match="a folder, wanted a video file"):
        VideoSource(tmp_path)


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no video stream, only audio"):
        VideoSource(make_song(tmp_path / "song.wav"))


def test_a_video_that_gives_no_frame_is_refused(make_clip: Any) -> None:
    path = make_clip(options={"movflags": "faststart"})
    data = path.read_bytes()
    start = data.index(b"mdat") + 4
    path.write_bytes(data[:start] + bytes(len(data) - start))
    with pytest.raises(InputError, match="no frame of it can be decoded; the file is empty or damaged"):
        VideoSource(path)


def test_an_mp4_cut_before_its_index_is_refused(make_clip: Any) -> None:
    path = make_clip()  # without faststart the index stands at the end
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])
    with pytest.raises(InputError, match="cut off before its index"):
        VideoSource(path)


def test_facts_and_frames(make_clip: Any) -> None:
    with VideoSource(make_clip()) as source:
        assert (source.name, source.width, source.height, source.frames) == ("clip", 64, 48, 12)
        assert source.rate == 10
        assert source.rotation == 0
        assert source.duration == pytest.approx(1.2)
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.time for frame in frames] == pytest.approx([index / 10 for index in range(12)])
    assert source.warnings == []
    for frame in frames:
        assert frame.image.shape == (48, 64, 3)
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous
        wanted = (20 * frame.index % 256, 100, 255 - 20 * frame.index % 256)
        assert np.abs(frame.image.mean(axis=(0, 1)) - wanted).max() < 6


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_no_frame_is_lost_in_the_threads_and_a_second_pass_is_the_same(make_clip: Any, threads: int) -> None:
    source = VideoSource(make_clip(), threads=threads)
    first, second = ([frame.image for frame in source] for _ in range(2))
    assert len(first) == 12
    assert all(np.array_equal(one, two) for one, two in zip(first, second, strict=True))


def test_closing_ends_an_iteration(make_clip: Any) -> None:
    source = VideoSource(make_clip())
    frames = iter(source)
    next(frames)
    source.close()
    source.close()
    assert list(frames) == []


def test_variable_timestamps_are_kept(make_clip: Any) -> None:
    stamps = [0, 1, 2, 10, 11, 30]
    times = [frame.time for frame in VideoSource(make_clip(pts=stamps))]
    assert times == pytest.approx([stamp / 10 for stamp in stamps])


def test_time_counts_from_the_first_frame(make_clip: Any) -> None:
    times = [frame.time for frame in VideoSource(make_clip("late.mkv", pts=[50, 51, 53]))]
    assert times == pytest.approx([0, 0.1, 0.3])


@pytest.mark.parametrize(
    ("stamps", "times"),
    [
        ([], []),
        ([None, None, None], [0, 0.1, 0.2]),
        ([7, None, 9], [0, 0.1, 0.2]),
        ([None, 5, 7], [0, 0.1, 0.3]),
        ([0, 2, 1, 3], [0, 0.2, 0.3, 0.4]),
    ],
)
def test_missing_and_backward_stamps_are_one_frame_later(stamps: list[int | None], times: list[float]) -> None:
    clock = _Clock(Fraction(1, 10), Fraction(10))
    assert [clock.seconds(stamp) for stamp in stamps] == pytest.approx(times)


def test_a_truncated_file_ends_with_a_warning(make_clip: Any) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), dtype=np.uint8)
    path = make_clip("dog.mp4", range(60), images=list(noise), options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    source = VideoSource(path)
    count = sum(1 for _ in source)
    assert 0 < count < 60
    assert source.warnings == [f"dog.mp4: ended after {count} of 60 promised frames; results cover those"]


def test_frames_hidden_by_an_edit_list_are_no_damage(make_clip: Any) -> None:
    source = VideoSource(make_clip("trimmed.mp4", pts=range(-3, 9)))
    assert 0 < sum(1 for _ in source) <= 12
    assert source.warnings == []


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_is_undone(make_clip: Any, rotation: int) -> None:
    if not hasattr(av.VideoStream if hasattr(av, "VideoStream") else av.video.VideoStream, "set_display_rotation"):
        pytest.skip("this PyAV cannot write a display matrix")
    stored = np.zeros((48, 64, 3), np.uint8)
    stored[:24, :32] = 255, 0, 0  # the quarter at the top left, as stored
    source = VideoSource(make_clip(images=[stored] * 3, pts=range(3), rotation=rotation))
    assert source.rotation == rotation
    image = next(iter(source)).image
    upright = np.rot90(stored, -rotation // 90)
    assert (source.height, source.width) == upright.shape[:2] == image.shape[:2]
    assert np.abs(image.astype(int) - upright).mean() < 8


@pytest.mark.parametrize(
    ("name", "rotation"), [("video_0.mov", 0), ("video_90.mov", 90), ("video_180.mov", 180), ("video_270.mov", 270)]
)
def test_phone_clips_stand_upright(name: str, rotation: int) -> None:
    source = VideoSource(odd(name))
    assert source.rotation == rotation
    assert (source.width, source.height) == ((568, 320), (320, 568))[rotation in (90, 270)]
    frames = list(source)
    assert len(frames) == 3
    assert frames[0].image.shape == (source.height, source.width, 3)


@pytest.mark.parametrize(
    ("name", "count"), [("h264_10bits.mp4", 30), ("h265_10bits.mp4", 30), ("unordered.mov", 4), ("walk.mkv", 89)]
)
def test_odd_clips_decode_whole_in_order_and_in_silence(
    name: str, count: int, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):  # HEVC used to hang now and then, while its threads were logging
        source = VideoSource(odd(name))
        times = [frame.time for frame in source]
        assert len(times) == count
        assert times == sorted(set(times))
    assert source.warnings == []
    assert capfd.readouterr() == ("", "")


def test_damage_in_the_middle_costs_frames_and_leaves_a_warning(capfd: pytest.CaptureFixture[str]) -> None:
    source = VideoSource(odd("corrupted.mp4"))
    count = sum(1 for _ in source)
    assert 28 <= count < 50
    assert source.warnings == [
        f"corrupted.mp4: damaged in places, {count} of 50 promised frames decoded; results cover those"
    ]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("space", "yuv"), [(1, (63, 102, 240)), (6, (82, 90, 240)), (2, (82, 90, 240))])
def test_colours_follow_the_matrix_that_the_file_names(tmp_path: Path, space: int, yuv: tuple[int, ...]) -> None:
    path = tmp_path / "red.mp4"
    planes = np.repeat(np.array(yuv, np.uint8), [48 * 64, 24 * 32, 24 * 32]).reshape(72, 64)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace = space
        container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, "yuv420p")))
        container.mux(stream.encode(None))
    image = next(iter(VideoSource(path))).image
    assert np.abs(image.mean(axis=(0, 1)) - (255, 0, 0)).max() < 5
