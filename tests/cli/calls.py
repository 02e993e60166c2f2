"""The command as a call: its exit code and what it said."""

from __future__ import annotations

import pytest

from vossegment.cli.app import run


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of ``vossegment`` with these arguments."""
    capsys.readouterr()
    code = run([str(a) for a in arguments])
    output = capsys.readouterr()
    return code, output.out, output.err
