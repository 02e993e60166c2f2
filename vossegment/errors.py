"""What can go wrong, and the exit code of each kind.

    VossegmentError            1   a defect of ours, or the base to catch
    ├── InputError             2   the call or its input: no such file, not a video, bad box, unknown model
    ├── DataError              3   a benchmark's or training set's data is wrong or incomplete
    ├── WeightsError           4   weights: missing, not ours, another network's, damaged, holding code
    └── OutputError            5   output: not a folder, not writable, not empty, disk full

A message is one line: the thing, its value, the remedy. Errors are raised where the fact is known and become
an exit code in one place, ``vossegment.cli.app``.
"""

from __future__ import annotations

from collections.abc import Iterable


class VossegmentError(Exception):
    """Base of every error raised on purpose by this package."""

    exit_code = 1


class InputError(VossegmentError):
    """The call or what it names cannot be used: a missing file, an undecodable video, a bad box."""

    exit_code = 2


class DataError(VossegmentError):
    """A data set is incomplete or malformed; the message names the file."""

    exit_code = 3


class WeightsError(VossegmentError):
    """A weights file is missing, damaged, of another network, or not safe to open."""

    exit_code = 4


class OutputError(VossegmentError):
    """Results cannot be written where they were asked for."""

    exit_code = 5


INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells count it (128 + SIGINT)."""


def one_of(kind: str, name: str, known: Iterable[str]) -> str:
    """Text of the error for an unknown ``name``: what it was and what is known."""
    return f"unknown {kind} '{name}'; known: {', '.join(sorted(known))}"
