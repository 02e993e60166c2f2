"""Batch norms that have something to say."""

from __future__ import annotations

from torch import Tensor, nn


def stir(network: nn.Module, *, most: float = 1.5, shift: float = 0.3) -> None:
    """Gives every batch norm weights, of 0.5 to ``most``, and statistics of its own, so that folding has something to
    do."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight, 0.5, most),
                (module.bias, -shift, shift),
                (module.running_mean, -shift, shift),
                (module.running_var, 0.5, 1.5),
            ):
                assert isinstance(tensor, Tensor)
                nn.init.uniform_(tensor, low, high)
