"""Weights files of ours: safetensors with a header that says what they are.

A file from outside may be anything. It is read by safetensors, which holds no code and bounds its header; its size
is bounded here; it must carry our mark and the network's name; and its tensors must be exactly the network's, in
name and shape, before one of them is used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from vossegment.errors import WeightsError
from vossegment.whole_files import written_whole

FORMAT = "1"
_MOST_BYTES = 2 << 30
_NAMED = 10
"""So many tensors are named where some do not fit."""


@dataclass(frozen=True)
class WeightsFile:
    """A checked file: ``name`` without suffix, its network, and what its header tells besides."""

    path: Path
    network: str
    sha256: str
    about: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.path.stem


def save_weights(network: nn.Module, path: Path, *, name: str, about: Mapping[str, Any], exact: bool = False) -> None:
    """Writes ``network`` as ``name``'s weights, by rename: in float16 (batch norm statistics in float32), or as they
    are if ``exact``."""
    tensors = {
        # A batch norm's statistics keep their range, and cost nothing.
        key: (value if exact or ".running_" in key else value.half()).contiguous()
        for key, value in network.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    wrong = [key for key, value in tensors.items() if not torch.isfinite(value).all()]
    if wrong:
        raise WeightsError(f"{path}: not written, {listed(wrong, 'tensors are not finite in float16')}")
    header = {"vossegment": FORMAT, "network": name, "about": json.dumps(about, sort_keys=True)}
    with written_whole(path) as beside:
        try:
            save_file(tensors, beside, header)
        except SafetensorError as error:  # not an OSError, though a full disk is its usual cause
            raise OSError(str(error)) from None


def save_torch(state: object, path: Path) -> None:
    """``torch.save``; a full disk or a missing folder is an OSError here, too."""
    try:
        torch.save(state, path)
    except RuntimeError as error:  # what torch makes of them
        raise OSError(str(error).splitlines()[0]) from None


def parts_of(network: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of those parts that ``network`` has, of a larger one's."""
    parts = {name.partition(".")[0] for name in network.state_dict()}
    return {name: tensor for name, tensor in tensors.items() if name.partition(".")[0] in parts}


def check_fit(
    network: nn.Module, tensors: Mapping[str, Tensor], path: Path, *, named: Callable[[str], str] = str
) -> None:
    """Raises WeightsError unless ``tensors`` are all that ``network`` has, counters of batches aside, in its shapes;
    it lists those that are not, as they are ``named`` in the file."""
    own = network.state_dict()
    counters = {k for k in own if k.endswith("num_batches_tracked")}
    missing = sorted(own.keys() - tensors.keys() - counters)
    extra = sorted(tensors.keys() - own.keys())
    misfits = sorted(k for k in own.keys() & tensors.keys() if own[k].shape != tensors[k].shape)
    for names, what in ((missing, "are missing"), (extra, "are too many"), (misfits, "have another shape")):
        if names:
            raise WeightsError(f"{path}: {listed([named(k) for k in names], f'tensors {what}')}")


def listed(names: Sequence[str], what: str) -> str:
    """How many, what is wrong with them, and the first few of them by name."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{len(names)} {what}: {', '.join(names[:_NAMED])}{more}"


def load_weights(network: nn.Module, path: Path, *, name: str, takes: Collection[str] = ()) -> WeightsFile:
    """Fills ``network`` from ``path``. ``takes`` names the models that have all its parts, and more.

    Raises WeightsError, naming the file, unless it is ``name``'s or one of theirs, whole."""
    header, tensors = _read(path, (name, *takes))
    if header["network"] != name:
        tensors = parts_of(network, tensors)
    check_fit(network, tensors, path)
    try:
        about = json.loads(header.get("about", "{}"))
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        raise WeightsError(f"{path}: its header is damaged; download it again")
    network.load_state_dict(tensors, strict=False)
    return WeightsFile(path, name, hashlib.sha256(path.read_bytes()).hexdigest(), about)


def network_of(path: Path) -> str:
    """Whose weights a file of ours says it holds. Raises WeightsError where it is none."""
    header, _ = _opened(path)
    return header.get("network", "")


def _read(path: Path, names: Sequence[str]) -> tuple[Mapping[str, str], dict[str, Tensor]]:
    header, tensors = _opened(path)
    if header.get("network") not in names:
        raise WeightsError(f"{path}: weights of '{header.get('network')}', not of '{names[0]}'; choose that --model")
    if not all(t.dtype.is_floating_point and torch.isfinite(t).all() for t in tensors.values()):
        raise WeightsError(f"{path}: holds numbers that are not finite, or no floating-point numbers")
    return header, tensors


def _opened(path: Path) -> tuple[Mapping[str, str], dict[str, Tensor]]:
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file")
    if path.stat().st_size > _MOST_BYTES:
        raise WeightsError(f"{path}: over {_MOST_BYTES >> 30} GiB, larger than any network here")
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            if header.get("vossegment") != FORMAT:
                raise WeightsError(f"{path}: not a weights file of vossegment; train one, or convert it first")
            return header, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path}: not a readable safetensors file, or a truncated one ({why})") from None


def shipped_folder() -> Path:
    """Where the weights that come with the project lie: inside an installed wheel, or in the checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "shipped_weights"
    return inside if inside.is_dir() else package.parent / "weights"
