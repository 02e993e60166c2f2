"""SiamMask's recipes: its program's two stages, and the variants of the paper that it left out.

[p] the paper, [o] its program (MODELS-siammask, section 8), [ours] where both are silent.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from vossegment.training.clips import Mix
from vossegment.training.pairs import PairSettings
from vossegment.training.recipes.base import Recipe

_EPOCHS = 20  # [o]
_BATCH = 64  # [o]


@dataclass(frozen=True, kw_only=True)
class SiamMaskRecipe(Recipe):
    """What training SiamMask's family depends on besides."""

    trained: Literal["all", "masks"] = "all"
    """The whole network, or the mask branch and its refinement alone, on what the stage before learned."""
    loss_score: float = 1.0
    """Of the anchors' scores, or of the similarity where there are none."""
    loss_box: float = 1.2
    loss_mask: float = 36.0
    pairs: PairSettings = field(default_factory=PairSettings)


BASE = SiamMaskRecipe(
    name="siammask_base",
    model="siammask_base",
    steps=_EPOCHS * 600_000 // _BATCH,  # [o]
    batch=_BATCH,
    optimiser="sgd",  # momentum .9 [o]
    rate=5e-3,  # [o]
    final_rate=2.5e-3,  # [o]
    decay="log",
    epochs=_EPOCHS,
    warm_epochs=5,  # [o]
    warm_rate=1e-3,  # [o]
    trunk_factor=0.1,  # [o]
    frozen_stages=2,  # conv1 and layer1 never train [o]
    trunk_frozen_until=0.5,  # 10 of 20 epochs [o]
    mix=Mix(video=0.67, still=0.33, composed=0.0, reach=20, video_extras=0.0),  # [o] of the sets with masks
    pairs=PairSettings(apart=True, colour=0.0, flip=0.0, negative_pairs=0.2, cells_from="anchors"),  # [o]
)
SIAMMASK = SiamMaskRecipe(
    name="siammask",
    model="siammask",
    steps=_EPOCHS * 200_000 // _BATCH,  # [o]
    batch=_BATCH,
    optimiser="sgd",
    rate=1e-2,  # [o]
    final_rate=2.5e-3,  # [o]
    decay="log",
    epochs=_EPOCHS,
    trunk_factor=0.1,
    frozen_stages=4,  # the whole trunk [o]
    trained="masks",
    loss_score=0.0,
    loss_box=0.0,
    mix=Mix(video=0.5, still=0.5, composed=0.0, reach=20, video_extras=0.0),  # [o]
    pairs=PairSettings(
        search=143, search_shift=8, apart=True, colour=0.0, flip=0.0, cells_from="anchors"
    ),  # [o] no negative pairs
    before=BASE,
)
SIAMMASK_2B_BASE = replace(
    BASE,
    name="siammask_2b_base",
    model="siammask_2b_base",
    loss_box=0.0,
    loss_mask=32.0,  # [p]
    pairs=replace(BASE.pairs, cells_from="centre"),
)
SIAMMASK_2B = replace(
    SIAMMASK,
    name="siammask_2b",
    model="siammask_2b",
    loss_mask=32.0,
    pairs=replace(SIAMMASK.pairs, cells_from="centre"),
    before=SIAMMASK_2B_BASE,
)
SIAMRPN = replace(BASE, name="siamrpn", model="siamrpn", batch=256, steps=BASE.steps // 4, loss_box=1.0, loss_mask=0.0)
SIAMFC = replace(BASE, name="siamfc", model="siamfc", loss_box=0.0, loss_mask=0.0)


def _small(recipe: SiamMaskRecipe, *, name: str, steps: int, warm_up: int, frozen_stages: int) -> SiamMaskRecipe:
    """[ours] Two cores, an hour: what has ImageNet behind it stays nearly still, the rest learns fast."""
    return replace(
        recipe,
        name=name,
        model=name,
        steps=steps,
        batch=16,
        optimiser="adamw",
        rate=1e-3,
        final_rate=1e-5,
        decay="cosine",
        epochs=0,
        warm_epochs=0,
        warm_rate=0.0,
        warm_up=warm_up,
        trunk_factor=0.2,
        trunk_frozen_until=0.0,
        frozen_stages=frozen_stages,
        average=0.995,
        mix=Mix(video=0.5, still=0.15, composed=0.35),
        pairs=replace(recipe.pairs, colour=0.25, flip=0.5, negative_pairs=recipe.pairs.negative_pairs / 2),
    )


SMALL_BASE = _small(BASE, name="siammask_small_base", steps=2000, warm_up=150, frozen_stages=7)
SMALL = replace(_small(SIAMMASK, name="siammask_small", steps=1000, warm_up=50, frozen_stages=14), before=SMALL_BASE)
