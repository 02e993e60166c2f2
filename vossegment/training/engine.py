"""The training loop: steps, schedule, average, checkpoints, log. It knows no command line and prints nothing."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from vossegment.errors import DataError, WeightsError
from vossegment.interrupt import Deferred, ignore
from vossegment.networks.trunk import Trunk
from vossegment.training.library import Library
from vossegment.training.losses import total_finite
from vossegment.training.recipes.base import Recipe
from vossegment.weights.load import save_torch
from vossegment.whole_files import written_whole


@dataclass(frozen=True)
class Progress:
    """Told every few steps: means since the last time. ``first``: the step at which this call began."""

    first: int
    step: int
    steps: int
    samples_per_second: float
    losses: Mapping[str, float]


class _From(Sampler[int]):
    """Indices in order from a first one: a resumed run goes on with the very next sample."""

    def __init__(self, first: int, end: int) -> None:
        self.first, self.end = first, end

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.end))

    def __len__(self) -> int:
        return self.end - self.first


def rate_factor(recipe: Recipe, step: int) -> float:
    """Learning rate at ``step`` as a share of ``recipe.rate``."""
    last = recipe.final_rate / recipe.rate
    if recipe.epochs:
        epoch, warm = min(step * recipe.epochs // max(1, recipe.steps), recipe.epochs - 1), recipe.warm_epochs
        if epoch < warm:
            return float((recipe.warm_rate / recipe.rate) ** (1 - epoch / warm))
        return float(last ** ((epoch - warm) / max(1, recipe.epochs - 1 - warm)))
    if step < recipe.warm_up:
        return (step + 1) / recipe.warm_up
    done = (step - recipe.warm_up) / max(1, recipe.steps - recipe.warm_up)
    if recipe.decay == "log":
        return float(last**done)
    return last + (1 - last) * 0.5 * (1 + math.cos(math.pi * done))


class Task(Protocol):
    """What a network is to learn: the one thing in which training differs from model to model."""

    def samples(self, library: Library, seed: int) -> Dataset[dict[str, Tensor]]:
        """The samples, in the order in which they are learned from; the i-th depends on nothing but ``seed``."""
        ...

    def groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """The parameters by learning rate, as optimisers take them."""
        ...

    def still(self, network: nn.Module, *, step: int) -> list[nn.Module]:
        """Parts besides the trunk's that do not train at this step."""
        ...

    def losses(
        self, network: nn.Module, batch: Mapping[str, Tensor], *, step: int, device: torch.device
    ) -> dict[str, Tensor]:
        """Forward pass and losses of one batch; ``total`` is what is minimised, the rest is for the eye."""
        ...


def _worker(number: int) -> None:
    ignore()  # Ctrl-C is the main process's affair


def _plain_errors(batches: Iterable[dict[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    """A worker's DataError as itself: the loader wraps it into one with a traceback for a message."""
    try:
        yield from batches
    except DataError as error:
        last = str(error).strip().splitlines()[-1]
        raise DataError(last.removeprefix("vossegment.errors.DataError: ")) from None


class Trainer:
    """One training run: the network, its optimiser and average, and where it stands."""

    def __init__(
        self, network: nn.Module, recipe: Recipe, task: Task, *, device: torch.device, seed: int, data: str = ""
    ) -> None:
        """``network`` has a ``trunk``. ``data`` names what is trained on: a run resumes only on the same."""
        self.task = task
        self.recipe, self.device, self.seed, self.data = recipe, device, seed, data
        self.origin = ""
        """Where the trunk's first weights came from."""
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._trunk = cast(Trunk, network.trunk)
        self._trunk.freeze(recipe.frozen_stages)
        self.average = copy.deepcopy(network).eval() if recipe.average else network
        self.trunk = [p for p in self._trunk.parameters() if p.requires_grad]
        self._still: list[nn.Module] = []
        self.optimiser = self._optimiser()
        self.step = 0
        self.seconds = 0.0

    def _optimiser(self) -> torch.optim.Optimizer:
        r, groups = self.recipe, self.task.groups(self.network)
        self.rates = [float(g["lr"]) for g in groups]
        if r.optimiser == "sgd":
            return torch.optim.SGD(groups, momentum=0.9, weight_decay=r.weight_decay)
        return torch.optim.AdamW(groups, weight_decay=r.weight_decay)

    def run(
        self,
        data: Dataset[dict[str, Tensor]],
        *,
        minutes: float | None = None,
        workers: int = 1,
        told_every: int = 25,
        on_progress: Callable[[Progress], None] = lambda _: None,
        on_checkpoint: Callable[[], None] = lambda: None,
        checkpoint_every: int = 250,
    ) -> bool:
        """Trains to the recipe's end, or for ``minutes``; True if the recipe is done.

        Ctrl-C ends after the step in hand, with a checkpoint. Raises DataError where a sample cannot be made.
        """
        r = self.recipe
        loader = DataLoader(
            data,
            r.batch,
            sampler=_From(self.step * r.batch, r.steps * r.batch),
            num_workers=workers,
            drop_last=True,
            prefetch_factor=4 if workers else None,
            worker_init_fn=_worker,
        )
        sums: dict[str, float] = {}
        told = first = self.step
        began = mark = time.monotonic()
        before = self.seconds
        with Deferred() as interrupt:
            for batch in _plain_errors(loader):
                self._rates()
                for name, value in self._step(batch).items():
                    sums[name] = sums.get(name, 0.0) + value
                self.step += 1
                self.seconds = before + time.monotonic() - began
                if self.step % told_every == 0:
                    now, count = time.monotonic(), self.step - told
                    means = {k: v / count for k, v in sums.items()}
                    on_progress(Progress(first, self.step, r.steps, count * r.batch / (now - mark), means))
                    sums, mark, told = {}, now, self.step
                if self.step % checkpoint_every == 0:
                    on_checkpoint()
                if interrupt.asked or (minutes is not None and time.monotonic() - began > minutes * 60):
                    break
            on_checkpoint()
        if interrupt.asked:
            raise KeyboardInterrupt
        return self.step >= r.steps

    def _rates(self) -> None:
        r = self.recipe
        factor = rate_factor(r, self.step)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        waits = self.step < r.trunk_frozen_until * r.steps
        self.network.train()
        self._trunk.train(not waits)
        for stage in self._trunk.stage_modules()[: r.frozen_stages]:
            stage.eval()  # batch norm of what does not train keeps its statistics
        for p in self.trunk:
            p.requires_grad_(not waits)
        still = self.task.still(self.network, step=self.step)
        for module in (*self._still, *still):  # what stood still may go on
            module.requires_grad_(not any(module is other for other in still))
        for module in still:
            module.eval()
        self._still = still

    def _step(self, batch: Mapping[str, Tensor]) -> dict[str, float]:
        parts = self.task.losses(self.network, batch, step=self.step, device=self.device)
        if total_finite(parts["total"]):  # a bad step is left out, as SiamMask does [o]
            self.optimiser.zero_grad(set_to_none=True)
            parts["total"].backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
            self.optimiser.step()
            self._follow()
        return {k: float(v.detach()) for k, v in parts.items()}

    @torch.no_grad()
    def _follow(self) -> None:
        """Moves the average towards the network; quicker at first, when the network is far from its end."""
        if self.average is self.network:
            return
        keep = min(self.recipe.average, (self.step + 1) / (self.step + 10))
        for slow, fast in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            if slow.dtype.is_floating_point:
                slow.lerp_(fast, 1 - keep)
            else:
                slow.copy_(fast)

    def restart_average(self) -> None:
        """The average begins at the network as it stands: call it after weights were loaded into the network."""
        if self.average is not self.network:
            self.average.load_state_dict(self.network.state_dict())

    def state(self) -> dict[str, Any]:
        """All that resuming needs: tensors, numbers and text only."""
        return {
            "recipe": json.dumps(asdict(self.recipe), sort_keys=True),
            "seed": self.seed,
            "data": self.data,
            "origin": self.origin,
            "step": self.step,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def save(self, path: Path) -> None:
        """Writes the checkpoint beside and renames it: a kill leaves the one before whole. Raises OutputError."""
        with written_whole(path) as beside:
            save_torch(self.state(), beside)

    def resume(self, path: Path) -> None:
        """Goes on from a checkpoint of the same recipe. Raises WeightsError if it is not one."""
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            if state["recipe"] != json.dumps(asdict(self.recipe), sort_keys=True) or state["seed"] != self.seed:
                raise WeightsError(f"{path}: a checkpoint of other settings; resume with the same recipe and seed")
            if state["data"] != self.data:
                raise WeightsError(f"{path}: a checkpoint of other data; resume with the same --data and --holdout")
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step, self.seconds, self.origin = int(state["step"]), float(state["seconds"]), str(state["origin"])
        except WeightsError:
            raise
        except Exception as error:  # torch.load raises many kinds for what is not a checkpoint
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise WeightsError(f"{path}: not a training checkpoint ({first})") from None
