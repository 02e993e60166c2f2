"""Official checkpoints to files of ours, and back."""

from __future__ import annotations

from pathlib import Path

from vossegment.errors import InputError, WeightsError, one_of
from vossegment.models import find
from vossegment.weights.load import load_weights, network_of, save_weights
from vossegment.weights.official import fill, read_official, variant, write_official

KINDS = ("siammask",)
_OFFICIAL = ("siammask", "siammask_base", "siamrpn")
_COUNTER = "num_batches_tracked"


def check_kind(kind: str) -> None:
    """Raises InputError for a kind of checkpoint that is not known."""
    if kind not in KINDS:
        raise InputError(one_of("kind of checkpoint", kind, KINDS))


def from_official(source: Path, target: Path) -> str:
    """Writes an official checkpoint as a file of ours, every tensor as it is; gives the model's name.

    Raises WeightsError where it is none, or not whole.
    """
    tensors = read_official(source)
    name = variant(tensors)
    network = find(name).build()
    fill(network, tensors, source)
    # The counters of batches are whole numbers, which weights files do not hold.
    counters = {key: int(value) for key, value in tensors.items() if key.endswith(_COUNTER)}
    save_weights(network, target, name=name, about={"origin": source.name, "counters": counters}, exact=True)
    return name


def to_official(source: Path, target: Path) -> str:
    """Writes a file of ours as SiamMask's program reads it; gives the model's name. Raises WeightsError."""
    name = network_of(source)
    if name not in _OFFICIAL:
        raise WeightsError(f"{source}: weights of '{name}'; SiamMask's program has only {', '.join(_OFFICIAL)}")
    network = find(name).build()
    counters = load_weights(network, source, name=name).about.get("counters", {})
    own = network.state_dict()
    for key, value in counters.items() if isinstance(counters, dict) else ():
        if key.endswith(_COUNTER) and key in own and isinstance(value, int) and 0 <= value < 1 << 62:
            own[key].fill_(value)
    write_official(network, target)
    return name
