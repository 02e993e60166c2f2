"""`guided`'s recipes: the weights that ship, on two CPU cores. All numbers are [ours]: the weights' cards tell how they
were found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from vossegment.training.chains import ChainSettings
from vossegment.training.clips import Mix
from vossegment.training.recipes.base import Recipe


@dataclass(frozen=True, kw_only=True)
class GuidedRecipe(Recipe):
    """What training by chains depends on besides; all [ours], from MODELS-guided where it says."""

    chains: ChainSettings = field(default_factory=ChainSettings)
    loss_mask: float = 2.0
    loss_dice: float = 1.0
    mask_stem_until: float = 1.0
    """Share of the run after which the mask's own convolution stands still: no pass back through the frozen stages."""
    starter: bool = False
    """The network's starter trains, and nothing else of it."""


GUIDED_FIRST = GuidedRecipe(
    name="guided_first",
    model="guided_plain",
    steps=4200,
    batch=12,
    optimiser="adamw",
    rate=1e-3,
    final_rate=1e-5,
    decay="cosine",
    trunk_factor=0.2,
    warm_up=100,
    clip=5.0,
    average=0.998,
    frozen_stages=4,  # stem and three blocks
    mask_stem_until=0.8,
    mix=Mix(
        video=0.50, still=0.15, composed=0.35, reach=80, step=4, from_video=0.5, animated=0.9, hidden=0.06, growth=0.1
    ),
    chains=ChainSettings(lengths=((0, 1), (400, 2), (3500, 3))),
)

# The rate climbs once more, on longer chains. Steps are what two cores do in an hour [ours].
GUIDED_LONGER = replace(
    GUIDED_FIRST,
    name="guided_longer",
    before=GUIDED_FIRST,
    steps=4000,
    rate=5e-4,
    chains=ChainSettings(lengths=((0, 2), (2000, 3))),
)

# And once more, from another seed.
GUIDED_AGAIN = replace(GUIDED_LONGER, name="guided_again", before=GUIDED_LONGER)

# A copy of the network learns to begin from boxes, and forgets the rest.
GUIDED = replace(
    GUIDED_FIRST,
    name="guided",
    model="guided",
    before=GUIDED_AGAIN,
    steps=2000,
    rate=5e-4,
    warm_up=50,
    starter=True,
    chains=ChainSettings(lengths=((0, 2),), start=1.0),
)

GUIDED_MOBILENET_V2 = replace(
    GUIDED_FIRST,
    name="guided_mobilenet_v2",
    model="guided_mobilenet_v2",
    steps=7000,
    chains=ChainSettings(lengths=((0, 1), (400, 2), (5000, 3))),
)
