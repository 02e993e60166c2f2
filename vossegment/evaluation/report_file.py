"""report.json as a file: what all benchmarks' reports have in common."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vossegment.errors import OutputError
from vossegment.whole_files import make_folder, written_whole

NAME = "report.json"
SCHEMA = 1


def in_percent(benchmark: str) -> bool:
    """Whether the benchmark's numbers are customarily written in percent: all but VOT's."""
    return not benchmark.startswith("vot")


def check_folder(folder: Path, overwrite: bool, name: str = NAME) -> None:
    """Raises OutputError where ``folder`` cannot be one, or holds a file of this ``name`` that may not be replaced."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: a file; choose a folder with --out")
    above = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise OutputError(f"{folder}: no folder can be made in {above}; choose another --out")
    if (folder / name).exists() and not overwrite:
        what = "a report" if name == NAME else f"a {name}"
        raise OutputError(f"{folder}: holds {what} already; use --overwrite or choose another --out")


def as_text(content: Mapping[str, Any]) -> str:
    """A report's content as it is written."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def write_files(folder: Path, files: Mapping[str, str]) -> tuple[Path, ...]:
    """Writes texts by their names and gives their paths.

    Each is written beside and renamed, so that it is whole or not there. An older one is replaced. Raises
    OutputError where the folder cannot be written.
    """
    make_folder(folder)
    for name, text in files.items():
        with written_whole(folder / name) as part:
            part.write_text(text, encoding="utf-8", newline="\n")
    return tuple(folder / name for name in files)
