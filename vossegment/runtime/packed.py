"""Convolutions for CPUs with their activation built in and their weights laid out once.

PyTorch lays weights out anew at every call and runs activations as passes of their own; on small maps that is as much
work as the convolution. oneDNN does both at once, through operators that PyTorch's own compiler uses. They are not
public: where they are missing or differ, networks simply stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vossegment.runtime.winograd import WinogradConv

_ACTIVATIONS: dict[type[nn.Module], tuple[str, list[float]]] = {
    nn.ReLU: ("relu", []),
    nn.ReLU6: ("hardtanh", [0.0, 6.0]),
}
_MOST_CELLS = 4096
"""Of a 1x1 convolution that is computed as a product: on small maps it takes a fifth less, on large ones of few
channels up to a third more. [ours]: the shapes of `guided`, one object and four, on an Intel Xeon with bfloat16."""


class _Direct(nn.Module):
    """A module that is called without PyTorch's way round by hooks: on small maps that is a tenth of the time."""

    def __call__(self, x: Tensor) -> Tensor:
        return self.forward(x)

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class PackedConv(_Direct):
    """A convolution and what follows it. The layout is chosen at the first call, for the shape seen there; other
    shapes give the same numbers. The weights of that call stay: others loaded later have no effect."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        self._name, self._limits = "none", list[float]()
        self._margins: tuple[int, ...] | None = getattr(conv, "margins", None)
        padding, stride, dilation = (list(v) for v in (conv.padding, conv.stride, conv.dilation))
        self._geometry: tuple[Any, ...] = (padding, stride, dilation, conv.groups)
        self._cell_by_cell = conv.kernel_size == (1, 1) and (padding, stride, conv.groups) == ([0, 0], [1, 1], 1)
        self._run: Callable[[Tensor], Tensor] | None = None

    def activate(self, activation: nn.Module) -> PackedConv:
        """Takes a ReLU or ReLU6 in."""
        self._name, self._limits = _ACTIVATIONS[type(activation)]
        return self

    def forward(self, x: Tensor) -> Tensor:
        if self._margins is not None:
            x = F.pad(x, self._margins)
        if self._run is None:
            self._run = self._packed_for(list(x.shape))
        return self._run(x)

    def _packed_for(self, shape: list[int]) -> Callable[[Tensor], Tensor]:
        """All but the input bound: a parameter looked up by its name costs as much as a small convolution's sums."""
        cells = shape[0] * shape[2] * shape[3]
        if self._cell_by_cell and cells <= _MOST_CELLS:
            return self._product_for(cells)
        ops, bias, geometry, name, limits = torch.ops.mkldnn, self.bias, self._geometry, self._name, self._limits
        weight, convolve = ops._reorder_convolution_weight(self.weight, *geometry, shape), ops._convolution_pointwise

        def run(x: Tensor) -> Tensor:
            out: Tensor = convolve(x, weight, bias, *geometry, name, limits, "")
            return out

        return run

    def _product_for(self, cells: int) -> Callable[[Tensor], Tensor]:
        """The same, of a 1x1 convolution, as one product of all cells with the weights."""
        ops, bias, name, limits = torch.ops.mkldnn, self.bias, self._name, self._limits
        weight, multiply = ops._reorder_linear_weight(self.weight.flatten(1), cells), ops._linear_pointwise

        def run(x: Tensor) -> Tensor:
            out: Tensor = multiply(x.permute(0, 2, 3, 1), weight, bias, name, limits, "")
            return out.permute(0, 3, 1, 2)

        return run


class _Chain(nn.Sequential, _Direct):
    """What follows one another."""


class _Nothing(_Direct):
    """What a norm or an activation leaves behind that was taken in."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def pack(module: nn.Module) -> None:
    """Packs every convolution below whose activation, if any, is the module registered right behind it; in place. The
    largest ones are computed another way, and sequences become plain chains.

    Nothing happens where this build of PyTorch cannot do it.
    """
    if _available():
        _pack(module)


def _pack(module: nn.Module) -> None:
    before: str | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Conv2d) and child.padding_mode == "zeros" and not isinstance(child.padding, str):
            quicker = WinogradConv.fits(child)
            setattr(module, name, WinogradConv(child) if quicker else PackedConv(child))
            before = None if quicker else name
        elif isinstance(child, (nn.ReLU, nn.ReLU6)) and before is not None:
            cast(PackedConv, getattr(module, before)).activate(child)
            setattr(module, name, _Nothing())
            before = None
        elif isinstance(child, nn.Identity):  # a folded norm
            setattr(module, name, _Nothing())
        else:
            _pack(child)
            before = None
            if isinstance(child, nn.Sequential) and type(child).forward is nn.Sequential.forward:
                setattr(module, name, _straight(child))


def _straight(sequence: nn.Sequential) -> _Chain:
    """The chain of what is in ``sequence``, and in chains within."""
    parts: list[nn.Module] = []
    for part in sequence:
        parts += part if isinstance(part, _Chain) else () if isinstance(part, _Nothing) else (part,)
    return _Chain(*parts)


def _available() -> bool:
    """Whether the operators are there and do what is expected of them."""
    try:
        x = torch.linspace(-2, 2, 8 * 36).view(1, 8, 6, 6)
        convs = [nn.Conv2d(8, 8, kernel, padding=kernel // 2).requires_grad_(False) for kernel in (1, 3)]
        pairs = [(PackedConv(conv).activate(nn.ReLU6())(x), F.relu6(conv(x))) for conv in convs]
        return all(torch.allclose(found, expected, atol=1e-4) for found, expected in pairs)
    except (AttributeError, RuntimeError, TypeError):  # a missing operator, another signature, a build without oneDNN
        return False
