"""What the commands' tests share: a clip, and weights for `guided` that need no training."""

from __future__ import annotations

from pathlib import Path

import pytest
from pond import CLIP

from vossegment.demo import write_clip
from vossegment.writers.types import RunInfo


@pytest.fixture(scope="session")
def guided_weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Weights files of `guided`: "fresh" as it is built; "nothing", "everything" and "noise" see the object nowhere,
    everywhere, and here and there."""
    import torch

    from vossegment.networks.guided import Guided
    from vossegment.weights.load import save_weights

    folder, paths = tmp_path_factory.mktemp("weights"), {}
    for kind in ("fresh", "nothing", "everything", "noise"):
        torch.manual_seed(0)
        starter = Guided()
        network = Guided(starter=starter)
        for head in (network.head, starter.head):
            assert head.bias is not None
            with torch.no_grad():
                if kind == "noise":
                    head.weight.mul_(3000)
                    head.bias.zero_()
                elif kind != "fresh":
                    head.bias.fill_(-6 if kind == "nothing" else 6)
        paths[kind] = folder / f"{kind}.safetensors"
        save_weights(network, paths[kind], name="guided", about={})
    return paths


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of ``pond.CLIP``."""
    path = tmp_path_factory.mktemp("clip") / "pond.mp4"
    write_clip(CLIP, path, RunInfo({}, {}))
    return path
