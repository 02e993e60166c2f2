"""What the commands' tests share: weights for `guided` that need no training."""

from __future__ import annotations

from pathlib import Path

import pytest


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
        network = Guided()
        assert network.head.bias is not None
        with torch.no_grad():
            if kind == "noise":
                network.head.weight.mul_(3000)
                network.head.bias.zero_()
            elif kind != "fresh":
                network.head.bias.fill_(-6 if kind == "nothing" else 6)
        paths[kind] = folder / f"{kind}.safetensors"
        save_weights(network, paths[kind], name="guided", about={})
    return paths
