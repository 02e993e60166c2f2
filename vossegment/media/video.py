"""Video files as a source, decoded by PyAV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from vossegment.errors import InputError
from vossegment.media.orientation import Orientation, of_frame
from vossegment.media.source import Source
from vossegment.tracking.types import Frame, Image

# PyAV keeps libav silent unless av.logging.set_level is called, which must not happen here: with any level
# set, a decoder's thread that logs waits for the interpreter's lock while the thread that frees the decoder
# holds it and waits for the other.

_DECODE_ERRORS = (FFmpegError, OSError, ValueError)

# libav draws text files as pictures of a terminal; nobody means that.
_TEXT_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})

# PyAV 17 began to divide a picture's conversion among all cores, which costs more time than a core alone takes.
_ONE_THREAD = {"threads": 1} if int(av.__version__.partition(".")[0]) >= 17 else {}

_BT709, _UNSPECIFIED = 1, 2
_BT601 = frozenset({4, 5, 6})  # FCC, BT.470BG, SMPTE 170M: one matrix to 8 bits


class VideoSource(Source):
    """The first real video stream of a file.

    ``threads`` is the decoder's. Raises InputError where the file is missing, a folder, not a video, without
    a video stream, or gives no frame. Damage further on costs frames and leaves a warning instead.
    """

    def __init__(self, where: str | Path, threads: int = 2) -> None:
        path = Path(where)
        if path.is_dir():
            raise InputError(f"{where}: a folder, wanted a video file")
        if not path.is_file():
            raise InputError(f"{where}: no such file; check the path")
        self._file = str(path)
        self._threads = threads
        self._open = True
        container = _open(self._file)
        try:
            stream = _video_stream(container, self._file)
            first = next(_decode(container, stream, threads, _Tally()), None)
            if first is None:
                raise InputError(f"{where}: no frame of it can be decoded; the file is empty or damaged")
            self._orientation: Orientation = of_frame(first.side_data)
            self._size = (first.width, first.height)
            rate = stream.average_rate or stream.guessed_rate
            duration = _duration(container, stream)
        finally:
            container.close()
        width, height = self._size[::-1] if self._orientation.swaps_sides else self._size
        super().__init__(
            path=str(where),
            name=path.stem,
            width=width,
            height=height,
            frames=stream.frames or None,
            duration=duration,
            rate=Fraction(rate) if rate else None,
            rotation=self._orientation.rotation,
        )

    def __iter__(self) -> Iterator[Frame]:
        container = _open(self._file)
        try:
            stream = _video_stream(container, self._file)
            tally = _Tally()
            clock = _Clock(stream.time_base, self.rate)
            pixels = _Pixels(self._size)
            index = 0
            for picture in _decode(container, stream, self._threads, tally):
                if not self._open:
                    return
                image = self._orientation.upright(pixels.rgb(picture))
                yield Frame(index, clock.seconds(picture.pts), image)
                index += 1
            self._tell_of_damage(index, clock.end, tally)
        finally:
            container.close()

    def close(self) -> None:
        self._open = False

    def _tell_of_damage(self, decoded: int, end: float, tally: _Tally) -> None:
        promised = self.frames
        # An edit list hides frames that the header counts: fewer frames alone are no damage.
        short = self.duration is not None and end < 0.98 * self.duration - 0.1
        if promised is None and short and self.duration is not None and self.rate is not None:
            promised = round(self.duration * self.rate)  # Matroska counts seconds, not frames
        missing = promised is not None and tally.packets < promised
        if not tally.damaged and not (missing and short):
            return
        count = f"{decoded} of {promised} promised frames" if promised else f"{decoded} frames"
        what = f"ended after {count}" if missing else f"damaged in places, {count} decoded"
        warning = f"{Path(self.path).name}: {what}; results cover those"
        if warning not in self.warnings:
            self.warnings.append(warning)


class _Tally:
    """What a decoding met: packets read, and whether any was damaged."""

    def __init__(self) -> None:
        self.packets = 0
        self.damaged = False


class _Clock:
    """Seconds after the first frame, strictly increasing; a missing or backward stamp is one frame later."""

    def __init__(self, time_base: Fraction | None, rate: Fraction | None) -> None:
        self._base = time_base
        self._step = 1 / rate if rate else Fraction(1, 25)
        self._origin: Fraction | None = None
        self._last: Fraction | None = None

    def seconds(self, pts: int | None) -> float:
        time = None if pts is None or self._base is None else pts * self._base
        if self._last is None:
            self._origin = time
            self._last = Fraction(0)
            return 0.0
        if time is None:
            time = self._last + self._step
        else:
            # Where the first frame had no timestamp, the second is set one step after it.
            if self._origin is None:
                self._origin = time - self._last - self._step
            time -= self._origin
        self._last = time if time > self._last else self._last + self._step
        return float(self._last)

    @property
    def end(self) -> float:
        """Seconds at which the last frame ends."""
        return 0.0 if self._last is None else float(self._last + self._step)


class _Pixels:
    """Decoded pictures as RGB arrays of one size."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._reformatter: Any = VideoReformatter()  # kept: it holds the conversion tables

    def rgb(self, picture: Any) -> Image:
        """``(h, w, 3)`` uint8 as stored, not yet upright. A stream that changes size is scaled back."""
        width, height = self._size
        # Both ends are named because PyAV 13 takes the matrix only from the difference of the two.
        matrix = _matrix(picture.colorspace, width, height)
        converted = self._reformatter.reformat(
            picture,
            width,
            height,
            "rgb24",
            src_colorspace=matrix,
            dst_colorspace=matrix and "ITU601",
            **_ONE_THREAD,
        )
        return np.ascontiguousarray(converted.to_ndarray(), dtype=np.uint8)


def _matrix(colorspace: int, width: int, height: int) -> str | None:
    """YUV matrix to decode by; None leaves it to libav. Unsaid, players take BT.709 from HD upwards."""
    if colorspace == _UNSPECIFIED:
        colorspace = _BT709 if width >= 1280 or height > 576 else 6
    if colorspace == _BT709:
        return "ITU709"
    return "ITU601" if colorspace in _BT601 else None


def _open(file: str) -> Any:
    try:
        container = av.open(file, mode="r", metadata_errors="replace")
    except PermissionError:
        raise InputError(f"{file}: not readable; check its permissions") from None
    except _DECODE_ERRORS:
        raise InputError(f"{file}: not a video, or cut off before its index; check the file") from None
    if container.format.name in _TEXT_FORMATS:
        container.close()
        raise InputError(f"{file}: not a video but text; check the file")
    return container


def _video_stream(container: Any, file: str) -> Any:
    for stream in container.streams.video:
        # A song's cover is stored as a video of one picture.
        disposition = getattr(stream, "disposition", None)  # younger than PyAV 13
        if disposition is None or not disposition & type(disposition).attached_pic:
            return stream
    kinds = sorted({stream.type for stream in container.streams}) or ["nothing"]
    raise InputError(f"{file}: no video stream, only {', '.join(kinds)}; give a file with pictures")


def _decode(container: Any, stream: Any, threads: int, tally: _Tally) -> Iterator[Any]:
    """Frames of ``stream`` to its last one. Packets that do not decode are passed over and noted."""
    stream.codec_context.thread_count = threads
    stream.thread_type = "AUTO" if threads > 1 else "SLICE"
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except _DECODE_ERRORS:
            tally.damaged = True
            packet = None
        if packet is None:
            break
        if packet.size:
            tally.packets += 1
            tally.damaged |= bool(packet.is_corrupt)
            yield from _decoded(stream, packet, tally)
    # An empty packet makes frame threads hand over what they still hold.
    yield from _decoded(stream, None, tally)


def _decoded(stream: Any, packet: Any, tally: _Tally) -> list[Any]:
    try:
        return list(stream.decode(packet))
    except EOFError:
        return []
    except _DECODE_ERRORS:
        tally.damaged = True
        return []


def _duration(container: Any, stream: Any) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    # Matroska tells each stream's own length in a tag; the container's may be that of a longer sound.
    tag = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if tag:
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
    return container.duration / 1_000_000 if container.duration else None  # libav counts it in microseconds
