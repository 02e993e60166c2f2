"""The training loop: its schedule, what it trains, and that a resumed run is the uninterrupted one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from vossegment.errors import WeightsError
from vossegment.networks.e3sn import E3SN
from vossegment.training.e3sn_task import E3SNTask
from vossegment.training.engine import Progress, Trainer, rate_factor
from vossegment.training.recipes import RECIPES
from vossegment.training.recipes.e3sn import E3SNRecipe
from vossegment.training.targets import UNKNOWN

CPU = torch.device("cpu")
TINY = E3SNRecipe(
    name="tiny",
    model="e3sn",
    steps=4,
    batch=2,
    optimiser="adamw",
    rate=1e-3,
    final_rate=1e-4,
    decay="cosine",
    trunk_factor=0.5,
    warm_up=1,
    average=0.9,
    loss_dice=1.0,
)
Build = Callable[..., E3SN]


class Made(Dataset[dict[str, Tensor]]):
    """Random pairs of the right shapes; the i-th is always the same."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __len__(self) -> int:
        return 1000

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        self.asked.append(index)
        draw = torch.Generator().manual_seed(index)

        def whole(low: int, high: int, *shape: int) -> Tensor:
            return torch.randint(low, high, shape, generator=draw)

        masks = whole(0, 2, 4, 127, 127).to(torch.uint8)
        masks[:, :9] = UNKNOWN
        return {
            "template": whole(0, 256, 127, 127, 3).to(torch.uint8),
            "search": whole(0, 256, 255, 255, 3).to(torch.uint8),
            "labels": whole(-1, 2, 5, 25, 25).to(torch.int8),
            "deltas": torch.randn(4, 5, 25, 25, generator=draw),
            "cells": whole(0, 25, 4, 2),
            "signs": torch.tensor([1, 1, 1, -1], dtype=torch.int8),
            "masks": masks,
        }


def trainer(build: Build, recipe: E3SNRecipe = TINY, seed: int = 0) -> Trainer:
    torch.manual_seed(3)
    return Trainer(build(), recipe, E3SNTask(recipe), device=CPU, seed=seed)


def weights(network: torch.nn.Module) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in network.state_dict().items()}


def changed(before: dict[str, Tensor], network: torch.nn.Module) -> set[str]:
    return {k for k, v in network.state_dict().items() if not torch.equal(v, before[k])}


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if not recipe.epochs])
def test_rate_ends(name: str) -> None:
    """The rate begins at the recipe's, or warms up to it, falls all the way, and ends at the final one."""
    recipe = RECIPES[name]
    if recipe.warm_up:
        assert rate_factor(recipe, 0) == pytest.approx(1 / recipe.warm_up)
        assert rate_factor(recipe, recipe.warm_up - 1) == pytest.approx(1)
    assert rate_factor(recipe, recipe.warm_up) == pytest.approx(1)
    assert rate_factor(recipe, recipe.steps) * recipe.rate == pytest.approx(recipe.final_rate)
    factors = [rate_factor(recipe, recipe.warm_up + i * (recipe.steps - recipe.warm_up) // 20) for i in range(21)]
    assert all(a > b for a, b in pairwise(factors))


def test_rate_in_the_middle() -> None:
    """Half way a logarithmic fall is at the geometric mean of its ends, a cosine at the arithmetic one."""
    recipe = replace(TINY, steps=100, warm_up=0, rate=1e-2, final_rate=1e-4)
    assert rate_factor(replace(recipe, decay="log"), 50) == pytest.approx(0.1)
    assert rate_factor(replace(recipe, decay="cosine"), 50) == pytest.approx((1 + 0.01) / 2)


def test_nothing_to_do(tiny_e3sn: Build) -> None:
    """A recipe without steps is done at once, and changes nothing."""
    t = trainer(tiny_e3sn, replace(TINY, steps=0, warm_up=0))
    before = weights(t.network)
    assert t.run(Made(), workers=0)
    assert changed(before, t.network) == set()


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_everything_trains(tiny_e3sn: Build, optimiser: str) -> None:
    """Without anything frozen every parameter moves, and the average follows."""
    t = trainer(tiny_e3sn, replace(TINY, steps=2, optimiser=optimiser))  # type: ignore[arg-type]
    before = weights(t.network)
    told: list[Progress] = []
    assert t.run(Made(), workers=0, told_every=1, on_progress=told.append)
    still = {k for k, _ in t.network.named_parameters()} - changed(before, t.network)
    assert still <= {"refine.deconv.bias"}  # batch norm follows: its gradient is 0
    assert changed(before, t.average) >= {"level_weights", "trunk.one.0.weight", "refine.head.weight"}
    assert [p.step for p in told] == [1, 2]
    assert all(torch.isfinite(torch.tensor(list(p.losses.values()))).all() for p in told)


@pytest.mark.parametrize("frozen", [1, 3])
def test_frozen_stages(tiny_e3sn: Build, frozen: int) -> None:
    """Frozen stages keep weights and batch norm statistics; the stages after them learn."""
    t = trainer(tiny_e3sn, replace(TINY, steps=2, frozen_stages=frozen))
    before = weights(t.network)
    t.run(Made(), workers=0)
    stages = {k.split(".")[1] for k in changed(before, t.network) if k.startswith("trunk.")}
    assert stages == set(["one", "two", "three", "four"][frozen:])


def test_trunk_waits(tiny_e3sn: Build) -> None:
    """Until its share of the run is over the trunk stands still, statistics too; then all but the frozen learns."""
    t = trainer(tiny_e3sn, replace(TINY, frozen_stages=1, trunk_frozen_until=0.5))
    before = weights(t.network)
    seen = []

    def look(_: Progress) -> None:
        seen.append({k.split(".")[1] for k in changed(before, t.network) if k.startswith("trunk.")})

    t.run(Made(), workers=0, told_every=1, on_progress=look)
    assert seen[:2] == [set(), set()]
    assert seen[2] == seen[3] == {"two", "three", "four"}


def test_samples_in_order(tiny_e3sn: Build, tmp_path: Path) -> None:
    """Each pair is seen once and in order, also across a stop."""
    data = Made()
    trainer(tiny_e3sn, replace(TINY, steps=2)).run(data, workers=0)
    assert data.asked == [0, 1, 2, 3]
    first, data = trainer(tiny_e3sn), Made()
    first.run(data, workers=0, minutes=0)
    first.save(tmp_path / "c.pt")
    second = trainer(tiny_e3sn)
    second.resume(tmp_path / "c.pt")
    assert second.step == 1
    second.run(data, workers=0)
    assert data.asked == list(range(8))


@pytest.mark.parametrize(("optimiser", "average"), [("adamw", 0.9), ("sgd", 0.0)])
def test_resume_is_uninterrupted(tiny_e3sn: Build, tmp_path: Path, optimiser: str, average: float) -> None:
    """Saved half way and resumed by a new trainer, the weights are those of a run without a stop, bit for bit."""
    recipe = replace(TINY, optimiser=optimiser, average=average, trunk_frozen_until=0.5)  # type: ignore[arg-type]
    whole = trainer(tiny_e3sn, recipe)
    path = tmp_path / "checkpoint.pt"

    def stop_half_way() -> None:
        if whole.step == 2:
            whole.save(path)

    assert whole.run(Made(), workers=0, checkpoint_every=2, on_checkpoint=stop_half_way)
    torch.manual_seed(99)
    resumed = Trainer(tiny_e3sn(), recipe, E3SNTask(recipe), device=CPU, seed=0)
    resumed.resume(path)
    assert resumed.step == 2
    assert resumed.run(Made(), workers=0)
    for a, b in ((whole.network, resumed.network), (whole.average, resumed.average)):
        assert changed(weights(a), b) == set()
    assert not list(tmp_path.glob("*.part"))


def test_resume_past_the_end(tiny_e3sn: Build, tmp_path: Path) -> None:
    """A finished run resumed is finished, and nothing moves."""
    t = trainer(tiny_e3sn, replace(TINY, steps=1))
    t.run(Made(), workers=0)
    t.save(tmp_path / "c.pt")
    again = trainer(tiny_e3sn, replace(TINY, steps=1))
    again.resume(tmp_path / "c.pt")
    before = weights(again.network)
    assert again.run(Made(), workers=0)
    assert changed(before, again.network) == set()


def test_other_settings_are_refused(tiny_e3sn: Build, tmp_path: Path) -> None:
    """A checkpoint of another recipe or seed is refused by name, and leaves the trainer as it was."""
    path = tmp_path / "checkpoint.pt"
    trainer(tiny_e3sn).save(path)
    for other in (trainer(tiny_e3sn, replace(TINY, rate=2e-3)), trainer(tiny_e3sn, seed=1)):
        before = weights(other.network)
        with pytest.raises(WeightsError, match=r"checkpoint\.pt: a checkpoint of other settings"):
            other.resume(path)
        assert changed(before, other.network) == set()


@pytest.mark.parametrize("content", [None, b"", b"no checkpoint", "list", "code"])
def test_not_a_checkpoint(tiny_e3sn: Build, tmp_path: Path, content: bytes | str | None) -> None:
    """What is not there, not a checkpoint, or holds code is a WeightsError of one line that names the file."""
    path = tmp_path / "checkpoint.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "list":
        torch.save([1, 2], path)
    elif content == "code":
        torch.save({"recipe": Path()}, path)
    with pytest.raises(WeightsError, match=r"checkpoint\.pt") as caught:
        trainer(tiny_e3sn).resume(path)
    assert "\n" not in str(caught.value)


def test_truncated_checkpoint(tiny_e3sn: Build, tmp_path: Path) -> None:
    """A checkpoint cut short is refused."""
    path = tmp_path / "checkpoint.pt"
    trainer(tiny_e3sn).save(path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(WeightsError, match=r"checkpoint\.pt"):
        trainer(tiny_e3sn).resume(path)


def test_average_is_slower(tiny_e3sn: Build) -> None:
    """The averaged weights lie between where the run began and where it is."""
    t = trainer(tiny_e3sn, replace(TINY, average=0.5))
    before = weights(t.network)["refine.head.weight"]
    t.run(Made(), workers=0)
    now, mean = (weights(network)["refine.head.weight"] for network in (t.network, t.average))
    assert 0 < (mean - before).norm() < (now - before).norm()


def test_a_bad_step_is_left_out(tiny_e3sn: Build) -> None:
    """A loss that is not finite changes no parameter."""
    t = trainer(tiny_e3sn, replace(TINY, steps=1, loss_box=float("nan")))
    before = {k: v.clone() for k, v in t.network.named_parameters()}
    t.run(Made(), workers=0)
    assert all(torch.equal(v, before[k]) for k, v in t.network.named_parameters())
