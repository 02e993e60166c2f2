"""What every trunk of the Siamese networks gives, and the geometry that follows from it.

Maps of a crop of ``s`` pixels, whatever the trunk (MODELS, SiamMask section 2: no padding at the stem and where
the third level begins). Cell ``i`` of a level with stride ``d`` looks at crop pixel ``d * i + first``:

    level   stride   first   127 px   255 px
    c1        2        3       61      125
    c2        4        3       31       63
    c3, c4    8        7       15       31
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn


class Maps(NamedTuple):
    """A trunk's four levels, each ``(N, C, H, W)``; sizes in the module's docstring."""

    c1: Tensor
    c2: Tensor
    c3: Tensor
    c4: Tensor


class Trunk(nn.Module):
    """The part of a network that begins with ImageNet's weights. It takes ``(N, 3, S, S)`` RGB crops with values
    0..255 and normalises them itself; those of the Siamese networks give Maps."""

    channels: tuple[int, ...]
    """Channels of the levels, the finest first."""

    def freeze(self, stages: int) -> None:
        """Stops training of the first ``stages`` of ``stage_modules``."""
        for module in self.stage_modules()[:stages]:
            module.requires_grad_(False)

    def stage_modules(self) -> list[nn.Module]:
        """The trunk's parts in order, the unit of freezing."""
        raise NotImplementedError
