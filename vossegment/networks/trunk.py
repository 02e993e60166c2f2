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
    """Turns ``(N, 3, S, S)`` RGB crops with values 0..255 into Maps; normalises them itself."""

    channels: tuple[int, int, int, int]
    """Channels of c1 to c4."""

    def freeze(self, stages: int) -> None:
        """Stops training of the first ``stages`` of ``stage_modules``."""
        for module in self.stage_modules()[:stages]:
            module.requires_grad_(False)

    def stage_modules(self) -> list[nn.Module]:
        """The trunk's parts in order, the unit of freezing."""
        raise NotImplementedError
