"""Data sets' folders: what lies in them, which part is asked for, and what is said where something is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Sequence as ListOf
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from vossegment.errors import DataError, InputError

_LONGEST_NAME = 255
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


@dataclass(frozen=True)
class Layout:
    """A data set in its folder ``root``: its name, and the tree that is expected there, a line each."""

    root: Path
    name: str
    tree: tuple[str, ...]

    def fault(self, path: Path, what: str) -> DataError:
        """An error about ``path`` that draws the tree."""
        lines = [f"{'└' if i + 1 == len(self.tree) else '├'}── {line}" for i, line in enumerate(self.tree)]
        return DataError("\n".join([f"{path}: {what}; expected {self.name} as", f"{self.root}/", *lines]))

    def folder(self, path: Path) -> Path:
        """``path``. Raises DataError where there is no such folder."""
        if not path.is_dir():
            raise self.fault(path, "no such folder")
        return path

    def files(self, folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
        """The files of these kinds by their stems, sorted. Raises DataError where there is none."""
        files = sorted((p for p in self.folder(folder).iterdir() if p.suffix.lower() in suffixes), key=numbered)
        files = [path for path in files if not path.name.startswith(".")]  # what macOS leaves behind: ._00000.jpg
        if not files:
            raise self.fault(folder, f"holds no {' or '.join(suffixes)} file")
        return {path.stem: path for path in files}

    def lines(self, path: Path) -> list[tuple[int, str]]:
        """A text file's lines that are not empty, numbered from 1. Raises DataError where it cannot be read."""
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise self.fault(path, f"not a readable list of sequences ({error})") from None
        return [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def plain(name: str) -> bool:
    """Whether a name from outside is one of a file or folder, and no way to another place."""
    short = len(name.encode("utf-8", "replace")) <= _LONGEST_NAME
    return short and name not in ("", ".", "..") and not any(mark in name for mark in "/\\:\0\n\r\x1b")


def numbered(path: Path) -> list[str | int]:
    """Orders names as people count: 2 before 10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", path.name)]


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted; hidden ones are none."""
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def fits(name: str, pattern: str) -> bool:
    """Whether a name fits a pattern in which only * and ? are special."""
    return fnmatchcase(name, pattern.replace("[", "[[]"))


def selected(names: Iterable[str], only: ListOf[str]) -> list[str]:
    """Those of ``names`` that fit any of the patterns ``only``, in their order; all where there is no pattern.

    Raises InputError for a pattern that fits none.
    """
    known = list(names)
    for pattern in only:
        if not any(fits(name, pattern) for name in known):
            raise InputError(f"sequence '{pattern}' is not in the data")
    return [name for name in known if not only or any(fits(name, pattern) for pattern in only)]
