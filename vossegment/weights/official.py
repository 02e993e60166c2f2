"""SiamMask's published checkpoints, and pysot's of it, in and out: the same tensors under our names.

A checkpoint is a torch pickle (MODELS-siammask, section 10). It is read as data only: one that holds code is refused.
The official network looks at BGR pictures, ours at RGB: the stem's input channels are turned round on the way.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vossegment.errors import WeightsError
from vossegment.weights.load import WeightsFile, check_fit, listed, load_weights, network_of, parts_of, save_torch
from vossegment.whole_files import written_whole

_MOST_BYTES = 2 << 30
_PREFIXES = {
    "features.features.": "trunk.",
    "features.downsample.downsample.": "adjust.",
    "rpn_model.cls.": "score.",
    "rpn_model.loc.": "box.",
    "mask_model.mask.": "mask.",
    "refine_model.": "refine.",
}
# pysot trained the same network under names of its own (STVIR/pysot, siammask_r50_l3).
_PYSOT = {
    "backbone.": "trunk.",
    "neck.downsample.downsample.": "adjust.",
    "neck.downsample.": "adjust.",
    "rpn_head.cls.": "score.",
    "rpn_head.loc.": "box.",
    "mask_head.": "mask.",
    "refine_head.": "refine.",
}
_BRANCH = re.compile(r"^(score|box|mask)\.conv_(kernel|search)\.")
_OURS = re.compile(r"^(score|box|mask)\.(kernel|search)\.")
_STEM = "trunk.conv1.weight"


def ours(name: str) -> str | None:
    """Our name of a tensor of SiamMask's program or pysot's, None where there is none."""
    name = name.removeprefix("module.")
    for prefix, own in (*_PREFIXES.items(), *_PYSOT.items()):
        if name.startswith(prefix):
            return _BRANCH.sub(r"\1.\2.", own + name.removeprefix(prefix))
    return None


def official(name: str) -> str:
    """The official name of one of our tensors."""
    name = _OURS.sub(r"\1.conv_\2.", name)
    prefix, own = next((p, o) for p, o in _PREFIXES.items() if name.startswith(o))
    return prefix + name.removeprefix(own)


def _turned(name: str, tensor: Tensor) -> Tensor:
    return tensor.flip(1).contiguous() if name == _STEM else tensor


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An official state by our names, for RGB. Raises WeightsError for a tensor that is none of SiamMask's."""
    names = {name: ours(name) for name in state}
    strange = [name for name, own in names.items() if own is None]
    if strange:
        raise WeightsError(listed(strange, "tensors are none of SiamMask's"))
    counts = Counter(names.values())
    twice = [name for name, own in names.items() if counts[own] > 1]
    if twice:
        raise WeightsError(listed(twice, "names stand for the same tensors as others"))
    return {own: _turned(own, state[name]) for name, own in names.items() if own is not None}


def read_official(path: Path) -> dict[str, Tensor]:
    """The tensors of an official checkpoint by our names.

    Raises WeightsError for a file that holds code, is truncated, too large, or is no checkpoint of SiamMask.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such checkpoint")
    if path.stat().st_size > _MOST_BYTES:
        raise WeightsError(f"{path}: over {_MOST_BYTES >> 30} GiB, larger than any network here")
    try:
        tensors = renamed(_tensors(_unpickled(path), path))
    except WeightsError as error:
        raise WeightsError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
    bad = [k for k, t in tensors.items() if t.dtype.is_floating_point and not torch.isfinite(t).all()]
    if bad:
        raise WeightsError(f"{path}: {listed([official(k) for k in bad], 'tensors hold numbers that are not finite')}")
    return tensors


def _unpickled(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a hostile file makes of the reader
        if re.search(r"GLOBAL|[Uu]nsupported global|allowed global", str(error)):
            raise WeightsError(
                f"{path}: holds code besides tensors, which is not run here; where you trust the file, save its "
                "'state_dict' alone with torch.save on a machine that does not matter, and give that"
            ) from None
        raise WeightsError(f"{path}: not a readable checkpoint, or a truncated one; download it again") from None


def _tensors(loaded: Any, path: Path) -> Mapping[str, Tensor]:
    """The tensors of what was unpickled, none of which claims more than it holds."""
    state: Mapping[str, Tensor] = {}
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict", loaded), Mapping):
        state = loaded.get("state_dict", loaded)
    if not state or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise WeightsError(f"{path}: not a checkpoint of SiamMask: no tensors by name in it")
    strange = [k for k, v in state.items() if not _plain(v)]
    if strange:
        raise WeightsError(f"{path}: {listed(strange, 'tensors are of no kind that networks have')}")
    if sum(v.numel() * v.element_size() for v in state.values()) > _MOST_BYTES:
        raise WeightsError(f"{path}: its tensors claim over {_MOST_BYTES >> 30} GiB")
    return state


def _plain(tensor: Tensor) -> bool:
    """Dense, in memory, floating-point or a count."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        return False
    return tensor.dtype.is_floating_point or (tensor.dtype is torch.int64 and not tensor.dim())


def fill(network: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Fills ``network`` with ``tensors``, every one of both accounted for. Raises WeightsError naming the rest."""
    check_fit(network, tensors, path, named=official)
    network.load_state_dict(dict(tensors), strict=False)


def variant(tensors: Iterable[str]) -> str:
    """Which model of ours the tensors of ``read_official`` fill, told by the branches among them."""
    branches = {name.split(".", 1)[0] for name in tensors}
    if "mask" not in branches:
        return "siamrpn" if "box" in branches else "siamfc"
    refined = "" if "refine" in branches else "_base"
    return f"siammask{'' if 'box' in branches else '_2b'}{refined}"


def write_official(network: nn.Module, path: Path) -> None:
    """Writes ``network`` as SiamMask's program reads it, by rename."""
    state = {official(name): _turned(name, tensor) for name, tensor in network.state_dict().items()}
    with written_whole(path) as beside:
        save_torch({"state_dict": state}, beside)


def model_of(path: Path) -> str:
    """Whose weights a file of ours or an official checkpoint holds. Raises WeightsError where it is neither."""
    return variant(read_official(path)) if is_checkpoint(path) else network_of(path)


def load_any(network: nn.Module, path: Path, *, name: str, takes: Collection[str] = ()) -> WeightsFile:
    """Fills ``network``, which is ``name``'s, from a file of ours or an official checkpoint, told apart by how they
    begin. ``takes``: as ``load_weights`` has it. Raises WeightsError as the readers of both do."""
    if not is_checkpoint(path):
        return load_weights(network, path, name=name, takes=takes)
    tensors = read_official(path)
    found = variant(tensors)
    if found not in (name, *takes):
        raise WeightsError(f"{path}: a checkpoint of '{found}', not of '{name}'; choose that --model")
    fill(network, tensors if found == name else parts_of(network, tensors), path)
    return WeightsFile(path, name, hashlib.sha256(path.read_bytes()).hexdigest(), {"origin": "official checkpoint"})


def is_checkpoint(path: Path) -> bool:
    """Whether a file begins as torch's do, a zip archive or a pickle, and not as safetensors, whose header is JSON
    after eight bytes of length."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(9)
    pickled = head[:1] == b"\x80" and head[1:2] <= b"\x05"
    return head[:4] == b"PK\x03\x04" or (pickled and head[8:9] != b"{")
