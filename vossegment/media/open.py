"""The one door for sources: decides by what it finds."""

from __future__ import annotations

import glob
from pathlib import Path

from vossegment.errors import InputError
from vossegment.media.images import IMAGE_SUFFIXES, open_images
from vossegment.media.source import Source


def open_source(where: str | Path) -> Source:
    """Open a video file, an image file, a folder of images or a glob pattern of images.

    A name that exists is taken as it stands, even with pattern characters in it. Raises InputError with a
    line that says what is wrong: no such file, not a video, no video in it, nothing decodes, no images, sizes
    differ.
    """
    path = Path(where)
    try:
        path.stat()
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:  # a name too long, a folder that may not be entered, a NUL in it
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{str(where)[:80]}: cannot be opened ({reason}); check the path") from None
    if path.is_dir():
        return open_images(where)
    if path.is_file():
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return open_images(where)
        from vossegment.media.video import VideoSource  # here: images need no PyAV

        return VideoSource(where)
    if glob.has_magic(str(where)):
        return open_images(where)
    if path.exists():
        raise InputError(f"{where}: neither a file nor a folder; give a video file or a folder of images")
    raise InputError(f"{where}: no such file; check the path")
