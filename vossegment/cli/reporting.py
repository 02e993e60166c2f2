"""A report written and shown: what the kinds of benchmarks that are not of masks have in common."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vossegment.evaluation.page import page_html
from vossegment.evaluation.report_file import NAME, as_text, write_files

if TYPE_CHECKING:
    from rich.table import Table


def write_and_show(content: Mapping[str, Any], table: Table, folder: Path, *, quiet: bool) -> list[Path]:
    """Writes report.json and, where there are scores to show, report.html, prints the table unless ``quiet``, and gives
    the paths. Raises OutputError where the folder cannot be written."""
    files = {NAME: as_text(content)}
    if "global" in content:
        files["report.html"] = page_html(content, ())
    paths = list(write_files(folder, files))
    if not quiet:
        show(table)
        print(f"report: {paths[-1]}", file=sys.stderr)
    return paths


def show(*tables: Table) -> None:
    """Prints tables, no wider than a page where it is no terminal that they go to."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 100)
    for table in tables:
        console.print(table)
