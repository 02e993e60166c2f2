"""Speed and memory as the bench measures them."""

from __future__ import annotations

import pytest
import torch

from vossegment.bench import refinement_cost, step_speed
from vossegment.cli.app import run

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["guided", "e3sn"])
def test_a_models_step(name: str) -> None:
    """A time that a step can have, most of it the network's, and the frames a second that follow."""
    speed = step_speed(name, CPU, torch.float32, runs=3)
    assert 0.1 < speed.milliseconds < 10_000
    assert 0.3 < speed.network / speed.milliseconds < 1.5
    assert speed.fps == pytest.approx(1000 / speed.milliseconds)


def test_memory_grows_with_the_cells() -> None:
    """Twice the cells keep twice the activations, but for what does not depend on them; few cells take less time."""
    few, twice, many = refinement_cost((2, 4, 24), CPU)
    assert 1.5 < twice.megabytes / few.megabytes < 2.1
    assert many.megabytes > 5 * few.megabytes
    assert few.seconds < many.seconds


def test_the_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A table on stdout; an unknown model is told in one line."""
    assert run(["bench", "--model", "guided", "--runs", "1", "--precision", "float32"]) == 0
    said = capsys.readouterr().out
    assert "guided" in said
    assert all(column in said for column in ("network", "step", "frames/s"))
    monkeypatch.setattr("vossegment.bench.refinement_cost", lambda cells, device: refinement_cost((4, 2), device))
    assert run(["bench", "--training"]) == 0
    assert "ratio" in capsys.readouterr().out
    assert run(["bench", "--model", "nonesuch"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
