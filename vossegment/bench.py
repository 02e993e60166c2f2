"""Speed on this machine: a step of each model, and what the refinement costs in training."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vossegment.data.synthetic import synthetic_clip
from vossegment.models import find
from vossegment.networks.e3sn import E3SN
from vossegment.networks.mobilenet import MobileNetV2
from vossegment.pipeline import first_boxes
from vossegment.runtime.prepare import prepare
from vossegment.tracking.types import Prompts
from vossegment.training.losses import mask_loss

_SHAPE = 480, 854
_WARM, _REPEATS = 3, 3


@dataclass(frozen=True)
class StepSpeed:
    """Milliseconds of one object's step on a frame of 854x480, crops and network, the best of several; and those of
    the network alone."""

    model: str
    precision: str
    milliseconds: float
    network: float

    @property
    def fps(self) -> float:
        """Frames a second of the step alone."""
        return 1000 / self.milliseconds


def step_speed(name: str, device: torch.device, dtype: torch.dtype, *, runs: int = 20) -> StepSpeed:
    """``name``'s step with weights as drawn: speed does not depend on them."""
    torch.manual_seed(0)
    height, width = _SHAPE
    clip = synthetic_clip(frames=2, height=height, width=width)
    row = find(name)
    first, second = (torch.from_numpy(image).to(device) for image in clip.images[:2])
    x, y, w, h = first_boxes(clip)[0].box
    network = prepare(row.build(), device, dtype)
    clock = _Clock(network, device)

    def steps(either: nn.Module | _Clock) -> Callable[[], None]:
        tracker = row.tracker(either, device)
        state = tracker.start(first, Prompts((1,), torch.tensor([[x, y, x + w, y + h]])))

        def step() -> None:
            tracker.step(state, second)
            _settle(device)

        return step

    step, clocked = steps(network), steps(clock)
    whole, alone = [], []
    for _ in range(_WARM + runs):  # by turns, as a machine's speed changes
        whole.append(_taken(step))
        alone.append(_taken(clocked, lambda: clock.seconds))
    return StepSpeed(name, str(dtype).removeprefix("torch."), *(1000 * min(times[_WARM:]) for times in (whole, alone)))


class _Clock:
    """A network, and the seconds spent in its methods so far."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self._network, self._device = network, device
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._network, name)
        if not callable(found):
            return found

        def timed(*arguments: Any) -> Any:
            began = time.perf_counter()
            answer = found(*arguments)
            _settle(self._device)
            self.seconds += time.perf_counter() - began
            return answer

        return timed


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _taken(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """What ``work`` moves the ``clock`` by."""
    began = clock()
    work()
    return clock() - began


@dataclass(frozen=True)
class RefinementCost:
    """One training step of the refinement over ``cells`` cells an image: activations kept for the backward pass (on
    CUDA the peak above what lay there before), and the time of both passes, the middle one of three."""

    cells: int
    megabytes: float
    seconds: float


def refinement_cost(cells: Iterable[int], device: torch.device, *, images: int = 1) -> list[RefinementCost]:
    """E3SN 3.3: what it costs to refine every one of 625 cells, as SiamMask would, and the few that are sampled."""
    torch.manual_seed(0)
    network = E3SN(trunk=MobileNetV2(), neck=128, head_on_sum=True).to(device).train()
    with torch.no_grad():
        crops = torch.rand(images, 3, 255, 255, device=device) * 255
        response = network.search(network.template(crops[:, :, 64:191, 64:191]), crops)
    summed = response.summed
    found = []
    for count in cells:
        items = torch.arange(images, device=device).repeat_interleave(count)
        places = torch.linspace(0, 624, count, device=device).long().repeat(images)
        chosen = torch.stack([items, places // 25, places % 25], 1)
        targets = torch.zeros(len(chosen), 127, 127, dtype=torch.uint8, device=device)
        targets[:, 32:96, 32:96] = 1
        inputs = (summed, response.maps, chosen)
        costs = [_cost(network.refine, inputs, targets, count) for _ in range(1 + _REPEATS)][1:]
        found.append(sorted(costs, key=lambda cost: cost.seconds)[_REPEATS // 2])
    return found


def _cost(refine: nn.Module, inputs: tuple[object, ...], targets: Tensor, count: int) -> RefinementCost:
    device = targets.device
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    before = 0
    if device.type == "cuda":
        _settle(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
    began = time.perf_counter()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        counted = torch.ones(len(targets), dtype=torch.bool, device=device)
        loss = mask_loss(refine(*inputs), targets, counted).logistic
    loss.backward()  # type: ignore[no-untyped-call]
    _settle(device)
    taken = time.perf_counter() - began
    refine.zero_grad(set_to_none=True)
    on_device = device.type == "cuda"
    size = torch.cuda.max_memory_allocated(device) - before if on_device else sum(kept.values())
    return RefinementCost(count, size / 1e6, taken)


def speed_table(speeds: Iterable[StepSpeed]) -> list[Mapping[str, str]]:
    """Rows for a person."""
    return [
        {
            "model": s.model,
            "precision": s.precision,
            "network": f"{s.network:.1f} ms",
            "step": f"{s.milliseconds:.1f} ms",
            "frames/s": f"{s.fps:.1f}",
        }
        for s in speeds
    ]
