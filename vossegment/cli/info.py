"""``vossegment info``: what is here."""

from __future__ import annotations

import json
import platform
from typing import Annotated, Any

import typer

from vossegment import __version__
from vossegment.cli import options

NAME = "info"
EPILOG = options.examples("vossegment info", "vossegment info --json")
_TERMS = "code Apache-2.0; the shipped weights for non-commercial use (their training data's terms, see their cards)"


def _facts() -> dict[str, Any]:
    import av
    import cv2
    import torch

    from vossegment.models import DEFAULT, MODELS, weights_path
    from vossegment.runtime.prepare import device_name

    models = {}
    for name, row in MODELS.items():
        path = weights_path(name, None) if row.weights else None
        models[name] = {
            "summary": row.summary,
            "default": name == DEFAULT,
            "weights": str(path) if path is not None and path.is_file() else None,
        }
    known = [torch.device("cpu"), *(torch.device("cuda", i) for i in range(torch.cuda.device_count()))]
    return {
        "version": __version__,
        "licence": _TERMS,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "opencv": cv2.__version__,
        "av": av.__version__,
        "threads": torch.get_num_threads(),
        "devices": [device_name(device) for device in known],
        "models": models,
    }


def command(
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
    verbose: options.Verbose = False,
) -> None:
    """Version, devices, models, and where their weights lie."""
    facts = _facts()
    if as_json:
        print(json.dumps(facts, indent=1))
        return
    print(f"vossegment {facts['version']} ({facts['licence']})")
    print(
        f"Python {facts['python']}, torch {facts['torch']}, OpenCV {facts['opencv']}, PyAV {facts['av']}, "
        f"{facts['threads']} threads"
    )
    print("devices: " + ", ".join(facts["devices"]))
    print("models:")
    for name, row in facts["models"].items():
        mark = " (default)" if row["default"] else ""
        print(f"  {name}{mark}: {row['summary']}; weights: {row['weights'] or 'none here; --weights FILE'}")
