"""SiamMask's step here beside the same step computed as its own program does, in one run, by turns.

python tests/benchmarks/siammask_speed.py [--threads 2] [--rounds 10]

The plain step: float32, channels first, batch norms apart, kernels computed anew and a coarse mask of all 625 cells
each time, then the refinement of one. E3SN and `guided` stand beside them. The best of the rounds counts.
"""

from __future__ import annotations

import argparse
import copy
import os
import time
from collections.abc import Callable

import torch
from torch import Tensor

from vossegment.models import MODELS
from vossegment.networks.correlation import centre
from vossegment.networks.siammask import SiamMask
from vossegment.runtime.prepare import prepare
from vossegment.tracking.types import Prompts

CPU = torch.device("cpu")


def plain_step(network: SiamMask, seen: Tensor, crop: Tensor) -> Tensor:
    """One step as the program computes it; ``seen`` ``(1, 256, 7, 7)`` the adjusted exemplar."""
    maps = network.trunk(crop)
    adjusted = network.adjust(maps.c4)
    assert network.box is not None
    assert network.mask is not None
    assert network.refine is not None
    for branch in (network.score, network.box, network.mask):
        branch(branch.kernel(seen), adjusted)
    cells = torch.tensor([[0, 12, 12]])
    vectors = network.mask.at_cells(network.mask.kernel(seen), adjusted, cells, answered=False)
    logits: Tensor = network.refine(vectors, maps, cells, padded=True)
    return logits


def tracked(name: str, dtype: torch.dtype) -> Callable[[], object]:
    """A step of ``name``'s tracker, crops and all."""
    torch.manual_seed(0)
    row = MODELS[name]
    tracker = row.tracker(prepare(row.build(), CPU, dtype), CPU)
    frame = torch.randint(0, 255, (480, 854, 3), dtype=torch.uint8)
    state = tracker.start(frame, Prompts((1,), torch.tensor([[300.0, 150.0, 500.0, 330.0]])))
    return lambda: tracker.step(state, frame)


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    network = SiamMask().eval().requires_grad_(False)
    crop = torch.rand(1, 3, 255, 255) * 255
    seen = centre(network.adjust(network.trunk(crop[:, :, 64:191, 64:191]).c4), 7)
    official = copy.deepcopy(network)
    steps: dict[str, Callable[[], object]] = {"plain, float32": lambda: plain_step(official, seen, crop)}
    for name in ("siammask", "siammask_base", "siamrpn", "e3sn", "guided"):
        for dtype in (torch.float32, torch.bfloat16):
            steps[f"{name}, {str(dtype).removeprefix('torch.')}"] = tracked(name, dtype)
    best = dict.fromkeys(steps, float("inf"))
    for _ in range(options.rounds):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            best[name] = min(best[name], time.perf_counter() - began)
    plain = best["plain, float32"]
    print(f"load {os.getloadavg()[0]:.2f}, {options.threads} threads")
    print("| step | ms | frames/s | times plain |", "|---|---|---|---|", sep="\n")
    for name, seconds in best.items():
        print(f"| {name} | {1000 * seconds:.1f} | {1 / seconds:.1f} | {plain / seconds:.2f} |")


if __name__ == "__main__":
    main()
