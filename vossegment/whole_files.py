"""Files that are whole or absent: written beside under another name, then renamed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vossegment.errors import OutputError

PART = ".part"
"""Ends the name of a file that is not whole yet."""


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write ``path`` into an OutputError."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"{path}: cannot be written ({reason}); free space or choose another --out") from error


def make_folder(path: Path) -> None:
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give the name to write to; rename it to ``path`` at the end, or remove it where the writing failed."""
    part = path.with_name(path.name + PART)
    try:
        with disk_errors(path):
            yield part
            part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
