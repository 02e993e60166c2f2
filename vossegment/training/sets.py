"""Training data as it is named on the command line: ``davis=DIR``, ``davis2017=DIR`` and ``stills=DIR``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Sequence as ListOf
from dataclasses import dataclass
from pathlib import Path

from vossegment.data.davis import davis_sequences
from vossegment.data.folders import fits
from vossegment.data.sequence import Sequence
from vossegment.data.stills import stills
from vossegment.errors import InputError, one_of

SETS: dict[str, Callable[[Path], Iterable[Sequence]]] = {
    "davis": lambda root: davis_sequences(root, "train", 2016),
    "davis2017": lambda root: davis_sequences(root, "train", 2017),
    "stills": stills,
}
"""Set name -> loader of its training sequences."""


@dataclass(frozen=True)
class TrainingData:
    """Sequences to train on, and those held out by name, on which choices are made."""

    sequences: tuple[Sequence, ...]
    held_out: tuple[Sequence, ...]


def load_sets(named: ListOf[str], held_out: ListOf[str]) -> TrainingData:
    """Reads the lists of ``SET=DIR`` entries; ``held_out`` are names, or patterns with ``*`` and ``?``.

    Raises InputError for unknown sets, and for names that fit nothing, DataError for broken sets.
    """
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
    for pattern in held_out:
        if not any(fits(sequence.name, pattern) for sequence in found):
            raise InputError(f"held-out sequence '{pattern}' is not in the training data")
    apart = [any(fits(sequence.name, pattern) for pattern in held_out) for sequence in found]
    return TrainingData(
        tuple(s for s, out in zip(found, apart, strict=True) if not out),
        tuple(s for s, out in zip(found, apart, strict=True) if out),
    )
