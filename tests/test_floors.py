"""The layout of DESIGN: imports go down or sideways, never up, and torch is loaded only where tensors are."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "vossegment"
FLOORS = {
    "errors": 0,
    "whole_files": 0,
    "interrupt": 0,
    "networks": 1,
    "data": 1,
    "tracking": 1,
    "media": 2,
    "weights": 2,
    "runtime": 2,
    "writers": 3,
    "models": 3,
    "pipeline": 4,
    "delivery": 4,
    "conversion": 4,
    "evaluation": 4,
    "training": 5,
    "demo": 5,
    "bench": 5,
    "cli": 6,
}
SIDEWAYS = {
    ("data", "tracking.types"),
    ("bench", "training.losses"),
    ("delivery", "pipeline"),
    ("evaluation", "pipeline"),
    ("whole_files", "errors"),
}
"""Imports from a neighbour on the same floor that are allowed besides those inside a folder."""

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != PACKAGE / "__init__.py"
}


def imports(source: str) -> set[str]:
    """Every module that ``source`` names in an import, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{a.name}" for a in node.names}
    return found


def own(source: str) -> set[str]:
    """What of this package ``source`` imports, without the package's name."""
    return {n.removeprefix("vossegment.") for n in imports(source) if n.startswith("vossegment.")}


def wrong_arrows(module: str, source: str) -> list[str]:
    """The imports of ``module`` that go up, or to a neighbour who is not listed."""
    folder = module.split(".")[0]
    wrong = []
    for target in sorted(own(source)):
        other = target.split(".")[0]
        if other == "__version__" or other == folder:
            continue
        below = FLOORS[other] < FLOORS[folder]
        listed = any(folder == f and target.startswith(f"{t}.") for f, t in SIDEWAYS)
        if not below and not listed:
            wrong.append(f"{module} -> {target}")
    return wrong


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("errors", "", 0),
        ("tracking.merge", "from vossegment.tracking.types import Result", 0),
        ("training.engine", "def f():\n    from vossegment.models import load", 0),
        ("networks.e3sn", "from vossegment.tracking.anchors import RATIOS", 1),
        ("data.davis", "import vossegment.tracking.merge", 1),
        ("media.open", "if 1:\n    from vossegment.cli import app", 1),
    ],
)
def test_the_rule_itself(module: str, source: str, expected: int) -> None:
    """The rule finds an arrow that goes up, also one inside a function."""
    assert len(wrong_arrows(module, source)) == expected


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_arrow_goes_up(module: str) -> None:
    """Every import of every module points down, or sideways inside its folder."""
    assert module.split(".")[0] in FLOORS, "a new folder needs its floor"
    assert wrong_arrows(module, MODULES[module].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("folder", "stranger"),
    [("networks", "tracking"), ("networks", "media"), ("networks", "data"), ("tracking", "networks")],
)
def test_strangers(folder: str, stranger: str) -> None:
    """Networks know nothing of videos, files or trackers; tracking is given its network."""
    for module, path in MODULES.items():
        if module.startswith(f"{folder}."):
            assert not [n for n in own(path.read_text(encoding="utf-8")) if n.split(".")[0] == stranger], module


def test_av_is_in_one_place() -> None:
    """Only media reads pictures with PyAV; besides it, the overlay and its sound are written, and a version told."""
    users = {
        m for m, path in MODULES.items() for n in imports(path.read_text(encoding="utf-8")) if n.split(".")[0] == "av"
    }
    assert {m for m in users if not m.startswith("media.")} <= {"writers.overlay", "writers.sound", "cli.info"}


@pytest.mark.parametrize(
    "module", ["vossegment", "vossegment.errors", "vossegment.tracking.types", "vossegment.cli.app"]
)
def test_no_torch_at_import(module: str) -> None:
    """The package, the command line and the types are there at once: torch is loaded when tensors are needed."""
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr or f"import {module} loads torch"
