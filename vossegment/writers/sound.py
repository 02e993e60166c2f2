"""The source's sound, copied packet by packet beside a new picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

_MP4_CODECS = frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp3", "opus"})


class SoundCopy:
    """Copies the first audio stream of ``source`` from second ``start`` on, as far as it is asked to.

    Seconds count from the source's first picture, as ``Frame.time`` does.
    """

    def __init__(self, source: Any, stream: Any, target: Any, copied: Any, start: float) -> None:
        self._source = source
        self._target = target
        self._copied = copied
        self._zero = _first_picture(source) + start
        self._start = start
        self._packets: Iterator[Any] = source.demux(stream)
        self._next: Any = None

    @classmethod
    def open(cls, path: Path | None, target: Any, start: float, warnings: list[str]) -> SoundCopy | None:
        """Declare the sound of ``path`` in ``target``; None, with a warning, where MP4 cannot take it."""
        if path is None or not path.is_file():
            return None
        source: Any = None
        try:
            source = av.open(str(path), mode="r", metadata_errors="replace")
            stream: Any = next(iter(source.streams.audio), None)
            if stream is not None:
                name = stream.codec_context.name
                if any(name.startswith(codec) for codec in _MP4_CODECS):
                    return cls(source, stream, target, _declare(target, stream), start)
                warnings.append(f"{path.name}: its sound ({name}) does not go into mp4; the overlay is silent")
        except (FFmpegError, OSError, ValueError) as error:
            warnings.append(f"{path.name}: its sound cannot be copied ({error}); the overlay is silent")
        if source is not None:
            source.close()
        return None

    def copy_until(self, time: float) -> None:
        """Copy what begins before second ``time`` of the source; damage ends the sound, not the picture."""
        end = time - self._start
        while True:
            packet = self._next or self._read()
            if packet is None:
                return
            seconds = float(packet.pts * packet.time_base) - self._zero
            if seconds >= end:
                self._next = packet
                return
            self._next = None
            if seconds >= 0:
                shift = round(self._zero / packet.time_base)
                packet.pts -= shift
                packet.dts = packet.pts  # no audio codec that MP4 takes is stored out of order
                packet.stream = self._copied
                self._target.mux(packet)

    def close(self) -> None:
        self._source.close()

    def _read(self) -> Any:
        try:
            return next((packet for packet in self._packets if packet.pts is not None and packet.size), None)
        except (FFmpegError, OSError, ValueError):
            return None


def _declare(target: Any, stream: Any) -> Any:
    if hasattr(target, "add_stream_from_template"):
        return target.add_stream_from_template(stream)
    return target.add_stream(template=stream)  # PyAV 13


def _first_picture(source: Any) -> float:
    """Seconds on the source's own clock at which its first picture stands."""
    for stream in source.streams.video:
        if stream.start_time is not None:
            return float(stream.start_time * stream.time_base)
    return 0.0
