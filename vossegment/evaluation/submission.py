"""Label maps packed as a benchmark's server wants them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

from vossegment.data.folders import plain
from vossegment.data.sequence import Sequence
from vossegment.errors import InputError
from vossegment.evaluation.benchmarks import Benchmark
from vossegment.evaluation.results import check_results, result_labels, result_path
from vossegment.evaluation.scoring import check_map
from vossegment.whole_files import written_whole
from vossegment.writers.masks import encoded


def pack(
    sequences: Iterable[Sequence], results: Path, benchmark: Benchmark, path: Path, *, folder: str | None = None
) -> Path:
    """Writes the masks of every frame in ``results`` to the zip file ``path``, indexed, under the top ``folder``: by
    default the benchmark's own, empty for none.

    Raises InputError where the benchmark has no server or ``folder`` is no name, DataError where a mask is missing,
    of another size or object, OutputError where the file cannot be written.
    """
    top = benchmark.packed_in if folder is None else folder
    if top is None:
        raise InputError(f"{benchmark.name} has no server that takes submissions")
    if top and not plain(top):
        raise InputError(f"folder '{top}' in the zip file: wanted a plain name")
    wanted = list(sequences)
    check_results(wanted, results, {sequence.name: range(len(sequence)) for sequence in wanted})
    with written_whole(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as packed:
        for sequence in wanted:
            ids = benchmark.objects(sequence)
            size = sequence.image(0).shape[:2]
            for index in range(len(sequence)):
                file = result_path(results, sequence, index)
                labels = result_labels(file)
                check_map(labels, size, str(file), sequence, max(ids), benchmark)
                packed.writestr("/".join(filter(None, (top, sequence.name, file.name))), encoded(labels))
    return path
