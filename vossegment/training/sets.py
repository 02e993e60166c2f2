"""Training data as it is named on the command line: ``davis=DIR`` and ``stills=DIR``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Sequence as ListOf
from dataclasses import dataclass
from pathlib import Path

from vossegment.data.davis import davis_sequences
from vossegment.data.sequence import Sequence
from vossegment.data.stills import stills
from vossegment.errors import InputError, one_of

SETS: dict[str, Callable[[Path], Iterable[Sequence]]] = {
    "davis": lambda root: davis_sequences(root, "train", 2016),
    "stills": stills,
}
"""Set name -> loader of its training sequences."""


@dataclass(frozen=True)
class TrainingData:
    """Sequences to train on, and those held out by name, on which choices are made."""

    sequences: tuple[Sequence, ...]
    held_out: tuple[Sequence, ...]


def load_sets(named: ListOf[str], held_out: ListOf[str]) -> TrainingData:
    """Reads the lists of ``SET=DIR`` entries. Raises InputError for unknown sets or held-out names, DataError for
    broken ones."""
    if not named:
        raise InputError("no training data: give --data SET=DIR, for example --data davis=DAVIS --data stills=DIR")
    found: list[Sequence] = []
    for entry in named:
        kind, separator, folder = entry.partition("=")
        if not separator or not folder:
            raise InputError(f"data '{entry}': write SET=DIR; known sets: {', '.join(sorted(SETS))}")
        if kind not in SETS:
            raise InputError(one_of("training set", kind, SETS))
        found += SETS[kind](Path(folder))
    names = {sequence.name for sequence in found}
    missing = [name for name in held_out if name not in names]
    if missing:
        raise InputError(f"held-out sequence '{missing[0]}' is not in the training data")
    return TrainingData(
        tuple(s for s in found if s.name not in held_out), tuple(s for s in found if s.name in held_out)
    )
