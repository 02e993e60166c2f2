"""The command as a whole: help, version, and errors turned into exit codes."""

from __future__ import annotations

import subprocess
import sys

import pytest
from calls import said

from vossegment import __version__
from vossegment.cli import track
from vossegment.errors import DataError, InputError, OutputError, VossegmentError, WeightsError


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """One line on stdout."""
    assert said(capsys, "--version") == (0, f"vossegment {__version__}\n", "")


@pytest.mark.parametrize("command", ["track", "demo", "eval", "train", "info"])
def test_every_help_ends_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Two lines that run as they stand."""
    code, out, _ = said(capsys, command, "--help")
    assert code == 0
    assert out.split("Examples:")[1].count(f"$ vossegment {command}") == 2


def test_help_does_not_wait_for_torch() -> None:
    """Neither torch nor OpenCV is imported before a command runs."""
    probe = "import sys, vossegment.cli.app; print(sorted({'torch', 'cv2', 'av'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True).stdout == "[]\n"


def test_an_unknown_command_and_option(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, one line."""
    for arguments in (["fly"], ["track", "x.mp4", "--wings"], ["track"]):
        code, _, err = said(capsys, *arguments)
        assert code == 2
        assert err.startswith("vossegment: ")
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("a"), 2),
        (DataError("a"), 3),
        (WeightsError("a"), 4),
        (OutputError("a"), 5),
        (VossegmentError("a"), 1),
        (OSError(28, "No space left on device"), 5),
        (RuntimeError("a"), 1),
        (KeyboardInterrupt(), 130),
        (ImportError("libGL.so.1: cannot open shared object file"), 1),
    ],
)
def test_errors_become_exit_codes(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on stderr, no traceback."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(track, "one_of", fail)
    found, out, err = said(capsys, "track", "x.mp4", "--box-format", "nonesuch")
    assert (found, out) == (code, "")
    assert err.strip().count("\n") == 0
    assert "Traceback" not in err
    if isinstance(error, ImportError):
        assert "apt-get install libgl1" in err


def test_verbose_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And the one line as well."""
    _, _, err = said(capsys, "track", "nonesuch.mp4", "--box", "1,1,2,2", "--verbose")
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("vossegment: ")
