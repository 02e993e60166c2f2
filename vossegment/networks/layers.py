"""Layers that several networks are made of."""

from __future__ import annotations

from torch import nn


def conv_norm(inputs: int, outputs: int, kernel: int = 3, *, relu: bool = True, padded: bool = True) -> nn.Sequential:
    """Convolution, batch norm and, unless refused, ReLU; same size out, or unpadded."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2 if padded else 0, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)
