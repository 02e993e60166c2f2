"""Result files of VOT's supervised runs, in the toolkit's classic layout, a line a frame:

DIR/baseline/<sequence>/<sequence>_001.txt      1 begun, 2 failed, 0 left out, else x1,y1,...,x4,y4 (or x,y,w,h)
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vossegment.data.vot import VotSequence, read_region
from vossegment.errors import DataError, InputError
from vossegment.evaluation.vot.measures import VotRun
from vossegment.evaluation.vot.supervised import Answer, scored
from vossegment.whole_files import make_folder, written_whole

EXPERIMENT = "baseline"
_CODES = {"0": 0, "1": 1, "2": 2}


def results_path(folder: Path, name: str) -> Path:
    """The file of a sequence's only repetition."""
    return folder / EXPERIMENT / name / f"{name}_001.txt"


def write_results(folder: Path, name: str, answers: Iterable[Answer]) -> Path:
    """Writes one sequence's answers, whole or not at all. Raises OutputError where the folder cannot be written."""
    path = results_path(folder, name)
    make_folder(path.parent)
    with written_whole(path) as part:
        part.write_text("".join(f"{_line(answer)}\n" for answer in answers), encoding="ascii", newline="\n")
    return path


def read_results(path: Path) -> tuple[Answer, ...]:
    """A result file's answers, a code or a region ``(4, 2)`` a frame. Raises DataError naming file and line."""
    try:
        lines = path.read_text(encoding="ascii").rstrip().splitlines()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable text file ({error})") from None
    answers: list[Answer] = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        try:
            answers.append(_code(text) if "," not in text else read_region(text))
        except ValueError as error:
            raise DataError(f"{path}: line {number}: {error}") from None
    return tuple(answers)


def score_results(sequences: Iterable[VotSequence], folder: Path) -> tuple[VotRun, ...]:
    """Scores a folder of result files, of any program. Raises InputError where there is no such folder, DataError
    naming the file that is missing or wrong, the expected tree drawn."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of results")
    wanted = list(sequences)
    for sequence in wanted:
        path = results_path(folder, sequence.name)
        if not path.is_file():
            raise DataError(
                f"{path}: no such file; expected results as\n"
                f"{folder}/\n"
                f"└── {EXPERIMENT}/<sequence>/<sequence>_001.txt   for each of {len(wanted)} sequences"
            )
    return tuple(_scored(sequence, results_path(folder, sequence.name)) for sequence in wanted)


def _scored(sequence: VotSequence, path: Path) -> VotRun:
    answers = read_results(path)
    try:
        return scored(sequence, answers)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _line(answer: Answer) -> str:
    # Four decimals: a ten-thousandth of a pixel, as the toolkit writes them.
    return str(answer) if isinstance(answer, int) else ",".join(f"{value:.4f}" for value in answer.ravel())


def _code(text: str) -> int:
    if text not in _CODES:
        raise ValueError(f"'{text}', wanted 0, 1, 2 or a region of 8 or 4 numbers")
    return _CODES[text]
