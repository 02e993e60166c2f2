"""``vossegment eval ... --compare``: reports side by side, with what the papers say."""

from __future__ import annotations

import json
from collections.abc import Sequence as ListOf
from pathlib import Path
from typing import Any

from vossegment.cli.reporting import show
from vossegment.errors import InputError
from vossegment.evaluation.compare import (
    comparison,
    comparison_json,
    comparison_table,
    read_report,
    sequence_table,
)
from vossegment.evaluation.report_file import NAME, write_files


def compare_reports(benchmark: str, paths: ListOf[Path], out: Path | None, *, quiet: bool) -> list[Path]:
    """Prints the tables; into ``out``, where there is one, goes comparison.json. Gives the files written.

    A folder stands for the report in it. Raises InputError for what is no report, or one of another benchmark.
    """
    files = _files(paths)
    reports = check_reports(benchmark, paths)
    names = [_name(file) for file in files]
    if len(set(names)) < len(names):
        names = [str(file) for file in files]
    found = comparison(reports, names)
    if not quiet:
        known = any(value is not None for values in found.sequences.values() for value in values)
        show(*([sequence_table(found)] if known else []), comparison_table(found))
    if out is None:
        return []
    return list(write_files(out, {"comparison.json": json.dumps(comparison_json(found), indent=1) + "\n"}))


def check_reports(benchmark: str, paths: ListOf[Path]) -> list[dict[str, Any]]:
    """The reports' contents. Raises InputError for what is no report, or one of another benchmark."""
    reports = []
    for file in _files(paths):
        reports.append(read_report(file))
        if reports[-1]["benchmark"] != benchmark:
            raise InputError(f"{file}: a report of {reports[-1]['benchmark']}, not of {benchmark}")
    return reports


def _files(paths: ListOf[Path]) -> list[Path]:
    return [path / NAME if path.is_dir() else path for path in paths]


def _name(file: Path) -> str:
    """What a run is called: its folder, or a file of a name of its own."""
    return file.resolve().parent.name if file.name == NAME else file.stem
