"""``vossegment eval ... --compare``: reports side by side, with what the papers say."""

from __future__ import annotations

import json
from collections.abc import Sequence as ListOf
from pathlib import Path

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
    files = [path / NAME if path.is_dir() else path for path in paths]
    reports = [read_report(file) for file in files]
    names = [_name(file) for file in files]
    for report, file in zip(reports, files, strict=True):
        if report["benchmark"] != benchmark:
            raise InputError(f"{file}: a report of {report['benchmark']}, not of {benchmark}")
    found = comparison(reports, names)
    if not quiet:
        known = any(value is not None for values in found.sequences.values() for value in values)
        show(*([sequence_table(found)] if known else []), comparison_table(found))
    if out is None:
        return []
    return list(write_files(out, {"comparison.json": json.dumps(comparison_json(found), indent=1) + "\n"}))


def _name(file: Path) -> str:
    """What a run is called: its folder, or a file of a name of its own."""
    return file.resolve().parent.name if file.name == NAME else file.stem
