"""The official VOT toolkit, driven as a process of its own: a workspace made, run, and its analysis read.

The toolkit (GPL-3) is the extra ``vossegment[vot]``. It is never imported: ``python -m vot`` runs it, and it starts
our tracker as a process that speaks TraX.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vossegment.data.vot import VotSequence
from vossegment.errors import InputError, OutputError
from vossegment.evaluation.vot.measures import BURN_IN, INTERVALS, WAIT
from vossegment.evaluation.vot.results import EXPERIMENT
from vossegment.whole_files import disk_errors, make_folder, written_whole

TRACKER = "vossegment"
"""The tracker's name inside a workspace."""
REMEDY = "pip install 'vossegment[vot]'"
_REPETITIONS = 15
"""[o] As in the challenges; the toolkit stops after three that are equal."""
_PATIENCE = 120
"""Seconds that the toolkit waits for an answer: loading a large model on a slow machine takes some."""
_UNFIT = ("0.8.", "0.9.")
"""Versions whose supervised experiment refuses every tracker ("multiple objects were provided")."""
_ANALYSIS = "analysis"
_COLOUR = re.compile(r"\x1b\[[\d;]*m")


@dataclass(frozen=True)
class ToolkitScores:
    """The toolkit's own measures. ``robustness`` is its count: failures a sequence, each weighed by its length.

    ``eao`` is None where no sequence reaches the interval; ``results`` is its folder of result files, as
    ``vot_results`` reads them.
    """

    version: str
    accuracy: float
    robustness: float
    eao: float | None
    results: Path


def check_installed() -> None:
    """Raises InputError that says what to install where the toolkit or its protocol is missing or unfit."""
    try:
        version = importlib.metadata.version("vot-toolkit")
        importlib.metadata.version("vot-trax")
    except importlib.metadata.PackageNotFoundError:
        raise InputError(f"VOT's toolkit is not installed; {REMEDY}") from None
    if version.startswith(_UNFIT):
        raise InputError(f"vot-toolkit {version} cannot run VOT's supervised experiment; {REMEDY}")


def evaluate(
    sequences: Sequence[VotSequence],
    benchmark: str,
    command: Sequence[str],
    workspace: Path,
    *,
    overwrite: bool = False,
    quiet: bool = True,
) -> ToolkitScores:
    """Runs the toolkit's supervised experiment on ``sequences`` and gives its analysis.

    ``command`` starts the tracker's process. A ``workspace`` that the same call left unfinished is gone on with;
    ``overwrite`` drops what it holds. Raises InputError with the toolkit's last words where it does not finish,
    OutputError for a workspace that cannot be used.
    """
    check_installed()
    workspace = workspace.resolve()
    make_workspace(sequences, benchmark, command, workspace, overwrite=overwrite)
    results = workspace / "results" / TRACKER
    said = _run("evaluate", workspace, [TRACKER], quiet)
    for sequence in sequences:
        if not (results / EXPERIMENT / sequence.name / f"{sequence.name}_001.txt").is_file():
            raise InputError(
                f"VOT's toolkit has no result for {sequence.name}; it said: {_last_words(said, workspace)}"
            )
    report = workspace / "analysis" / f"{_ANALYSIS}.json"
    report.unlink(missing_ok=True)
    said = _run("analysis", workspace, ["--name", _ANALYSIS, TRACKER], quiet)
    if not report.is_file():
        raise InputError(f"VOT's toolkit wrote no {report}; it said: {_last_words(said, workspace)}")
    return read_analysis(report, results)


def make_workspace(
    sequences: Sequence[VotSequence],
    benchmark: str,
    command: Sequence[str],
    workspace: Path,
    *,
    overwrite: bool = False,
) -> None:
    """Writes a workspace: settings, the tracker, and sequences that link to the data's own frames.

    Its stack names no data set, so that the toolkit has none to download.
    """
    files = _settings(sequences, benchmark, command)
    for sequence in sequences:
        files |= {f"sequences/{sequence.name}/{name}": text for name, text in _sequence_files(sequence).items()}
    results = workspace / "results"
    if results.exists() and overwrite:
        with disk_errors(results):
            shutil.rmtree(results)
    elif results.exists() and any(_text(workspace / name) != text for name, text in files.items()):
        raise OutputError(f"{workspace}: results of another run; use --overwrite or choose another --out")
    for name, text in files.items():
        make_folder((workspace / name).parent)
        with written_whole(workspace / name) as part:
            part.write_text(text, encoding="utf-8", newline="\n")
    for sequence in sequences:
        link = workspace / "sequences" / sequence.name / "color"
        with disk_errors(link):
            link.unlink(missing_ok=True)
            link.symlink_to(sequence.image_paths[0].parent.resolve(), target_is_directory=True)


def _settings(sequences: Sequence[VotSequence], benchmark: str, command: Sequence[str]) -> dict[str, str]:
    """The workspace's own files by name."""
    line = shlex.join(command).replace("%", "%%")  # the reader of ini files takes % for its own
    low, high = INTERVALS[benchmark]
    return {
        "config.yaml": "stack: ./stack.yaml\nregistry:\n- ./trackers.ini\n",
        "stack.yaml": f"title: {benchmark}, supervised\n"
        "experiments:\n"
        f"  {EXPERIMENT}:\n"
        "    type: supervised\n"
        f"    repetitions: {_REPETITIONS}\n"
        f"    skip_initialize: {WAIT}\n"
        "    analyses:\n"
        "    - type: supervised_average_ar\n"
        f"      burnin: {BURN_IN}\n"
        "    - type: supervised_eao_score\n"
        f"      low: {low}\n"
        f"      high: {high}\n",
        "trackers.ini": f"[{TRACKER}]\nprotocol = trax\ntimeout = {_PATIENCE}\ncommand = {line}\n",
        "sequences/list.txt": "".join(f"{sequence.name}\n" for sequence in sequences),
    }


def _sequence_files(sequence: VotSequence) -> dict[str, str]:
    """A sequence's files in the toolkit's own layout, which knows frames in ``color/`` wherever the data has them."""
    truth = (",".join(f"{value:.6g}" for value in region.ravel()) for region in sequence.regions)
    tags = {f"{name}.tag": "".join(f"{int(mark)}\n" for mark in marks) for name, marks in sequence.tags.items()}
    about = f"name={sequence.name}\nfps=30\nformat=default\nchannels.color=color/%08d.jpg\n"
    return {"groundtruth.txt": "".join(f"{line}\n" for line in truth), "sequence": about, **tags}


def read_analysis(path: Path, results: Path) -> ToolkitScores:
    """The measures in the toolkit's ``analysis/<name>.json``. Raises InputError where they are not there."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        # A table an analysis, a row a tracker: accuracy, robustness, a point for plots, length; and the EAO.
        (ranked,), (expected,) = document["results"][EXPERIMENT]["results"]
        eao = None if expected[0] is None else float(expected[0])
        return ToolkitScores(
            version=str(document["toolkit"]),
            accuracy=float(ranked[0]),
            robustness=float(ranked[1]),
            eao=None if eao is None or eao != eao else eao,
            results=results,
        )
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(f"{path}: not an analysis of VOT's toolkit as known here ({error!r})") from None


def _run(action: str, workspace: Path, arguments: Sequence[str], quiet: bool) -> str:
    """What the toolkit said, errors among it. Its exit code tells nothing: it is 0 where a tracker failed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "vot", action, "--workspace", str(workspace), *arguments],
        cwd=workspace,  # where else it looks for trackers
        env=environment(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    said = []
    with process:
        assert process.stdout is not None, "piped"
        for line in process.stdout:
            said.append(line)
            if not quiet:
                sys.stderr.write(line)
    return "".join(said)


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """Our variables with results as text, nothing kept from earlier analyses, our package found from any folder, and
    no way to the net: each call would ask there for a newer toolkit."""
    nowhere = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    paths = [Path(__file__).parents[3], *(Path(part) for part in own.get("PYTHONPATH", "").split(os.pathsep) if part)]
    return {
        **own,
        "PYTHONPATH": os.pathsep.join(str(path.absolute()) for path in paths),
        "VOT_RESULTS_BINARY": "false",
        "VOT_PERSISTENT_CACHE": "false",
        **nowhere,
        **{name.upper(): value for name, value in nowhere.items()},
    }


def _last_words(said: str, workspace: Path) -> str:
    lines = [line.strip() for line in _COLOUR.sub("", said).splitlines() if line.strip()]
    logs = sorted((workspace / "logs").glob("*"))
    return (lines[-1] if lines else "nothing") + (f" (log: {logs[-1]})" if logs else "")


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
