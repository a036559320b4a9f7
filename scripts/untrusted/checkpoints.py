"""Torch checkpoints of strangers: tensors by name, and nothing else."""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import zipfile
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from scripts.errors import UserError
from scripts.untrusted.files import HEAD, MIB, file_size, open_file
from scripts.untrusted.pickles import MAX_THINGS, OPCODES, Record, refused

if TYPE_CHECKING:
    from torch import Tensor

MAX_BYTES = 4096 * MIB  # the largest official one has 225
MAX_PICKLE_BYTES = 64 * MIB  # of names and shapes
MAX_NESTS = 4  # {"model": {"netG": {"state_dict": …}}}

LEGACY = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # torch before 1.6: a pickled number
ZIPPED = b"PK\x03\x04"
# What else people keep in a checkpoint, and what nobody reads here: settings, dates, best scores.
IGNORED = (
    "argparse.Namespace",
    "types.SimpleNamespace",
    "collections.Counter",
    "numpy.dtype",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "pathlib.PosixPath",
    "datetime.datetime",
    *(f"builtins.{name}" for name in ("int", "float", "str", "list", "dict")),
)
DICTIONARIES = {"easydict.EasyDict": OrderedDict, "collections.defaultdict": lambda *_: {}}
GLOBALS = re.compile(
    r"collections OrderedDict"
    r"|torch\._utils _rebuild_(tensor|tensor_v2|parameter)"
    r"|torch(\.cuda)? (Float|Double|Half|BFloat16|Long|Int|Short|Char|Byte|Bool)Storage"
    r"|torch(\.cuda)? Complex(Float|Double)Storage"  # refused later, by a message of its own
    r"|torch (Size|device|float32|float64|float16|bfloat16|int64)"
    r"|_codecs encode|__builtin__ (int|long|float|str|list|dict|set)"
    "|"
    + "|".join(
        re.escape(name[::-1].replace(".", " ", 1)[::-1]) for name in (*IGNORED, *DICTIONARIES)
    )
)
CHECKPOINT_OPCODES = {*OPCODES, "BINPERSID"} - {"STACK_GLOBAL"}
ADVICE = (
    "Load it where it was made, and save the network's weights alone: "
    'torch.save(network.state_dict(), "weights.pth").'
)
# Where a state dict may be inside a checkpoint, the painter's first.
NESTS = """
    netG generator G netG_ema G_ema g_ema state_dict model_state_dict model network net module
    params weights ema
""".split()  # noqa: SIM905


def load_checkpoint(path: Path | str) -> dict[str, Tensor]:
    """The tensors in a torch checkpoint, by name, on the CPU.

    Takes the format of torch before 1.6 and the zipped one since; tensors saved on a GPU; a state
    dict inside of others (`netG`, `state_dict`, `model`, …), beside settings and scores; names with
    the `module.` of DataParallel. Raises UserError if the file is something else, asks for anything
    but tensors, or holds none, or values that are complex or not finite.
    """
    path = Path(path)
    import torch

    with open_file(path, MAX_BYTES) as file:
        head = file.read(HEAD)
        file.seek(0)
        try:
            _check(file, head)
            file.seek(0)
            _ignore()
            found = torch.load(file, map_location="cpu", weights_only=True)
            return _checked(path, _plain_names(_state(path, found)))
        except UserError:
            raise
        except Exception as error:
            head = b"" if head.startswith(ZIPPED) else head
            raise refused(path, head, "a checkpoint of PyTorch", error, ADVICE) from None


@cache
def _ignore() -> None:
    """Has torch build an empty record where a checkpoint asks for anything of IGNORED."""
    import torch

    # torch looks classes up by name, so that each needs one of its own.
    ignored = [(type(name.rpartition(".")[2], (_Ignored,), {}), name) for name in IGNORED]
    built = [(build, name) for name, build in DICTIONARIES.items()]
    torch.serialization.add_safe_globals([*ignored, *built])


class _Ignored(Record):
    """Takes whatever a checkpoint sets in it, and keeps nothing."""

    def __setstate__(self, state: Any) -> None:
        pass

    def __new__(cls, *_: Any, **__: Any) -> _Ignored:
        return super().__new__(cls)


def _check(file: BinaryIO, head: bytes) -> None:
    """Looks through the checkpoint's pickles before torch does; raises if they want more.

    torch's own list of what is allowed is longer than what tensors need: it lets a file ask for a
    billion bytes by name.
    """
    if head.startswith(LEGACY):
        # A number, the protocol, the machine, then the tensors' names and shapes, then keys.
        for _ in range(5):
            _check_opcodes(file)
    elif head.startswith(ZIPPED):
        with zipfile.ZipFile(file) as archive:
            # Members that share their bytes would let a small file fill the memory.
            if sum(member.file_size for member in archive.infolist()) > file_size(file):
                raise pickle.UnpicklingError("larger inside")
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise pickle.UnpicklingError("compressed")
            (names,) = (one for one in archive.infolist() if one.filename.endswith("/data.pkl"))
            if names.file_size > MAX_PICKLE_BYTES:
                raise pickle.UnpicklingError("too many names")
            _check_opcodes(io.BytesIO(archive.read(names)))
    else:
        raise pickle.UnpicklingError("neither format")


def _check_opcodes(file: BinaryIO) -> None:
    for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if number > MAX_THINGS:
            raise pickle.UnpicklingError("too many opcodes")
        if opcode.name not in CHECKPOINT_OPCODES:
            raise pickle.UnpicklingError(f"it uses {opcode.name}")
        if opcode.name == "GLOBAL" and not GLOBALS.fullmatch(argument):
            raise pickle.UnpicklingError(f"it asks for {argument.replace(' ', '.')}")


def _state(path: Path, found: Any) -> dict[str, Any]:
    """The state dict in what torch loaded, which may be inside of others under a usual name."""
    import torch

    for _ in range(MAX_NESTS):
        if not isinstance(found, dict) or not found:
            raise UserError(
                f"{path}: this checkpoint is empty, a decoy without weights. Get it from elsewhere."
            )
        holding = [name for name, inner in found.items() if _holds_tensors(inner)]
        usual = [name for name in NESTS if isinstance(found.get(name), dict)]
        inner = [name for name in usual if name in holding] or holding or usual
        if not inner or (inner is holding and any(map(torch.is_tensor, found.values()))):
            return found
        if inner is holding and len(holding) > 1:
            held = ", ".join(repr(str(name)[:40]) for name in holding[:8])
            raise UserError(
                f"{path}: which of {held} in this checkpoint are the weights? Save them alone: "
                'torch.save(checkpoint["…"], "weights.pth").'
            )
        found = found[inner[0]]
    raise UserError(f"{path}: the weights in this checkpoint are nested too deeply. {ADVICE}")


def _holds_tensors(thing: Any, deep: int = MAX_NESTS) -> bool:
    """Whether this is a dictionary of tensors, or of dictionaries of them; not an optimizer's."""
    import torch

    if not isinstance(thing, dict) or not deep or "param_groups" in thing:
        return False
    return any(isinstance(x, torch.Tensor) or _holds_tensors(x, deep - 1) for x in thing.values())


def _plain_names(state: dict[str, Any]) -> dict[str, Any]:
    """The same without what DataParallel and torch.compile put before each name."""
    for prefix in ("module.", "_orig_mod.", "module."):
        if all(isinstance(name, str) and name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def _checked(path: Path, state: dict[str, Any]) -> dict[str, Tensor]:
    """Raises UserError unless these are tensors of real, finite numbers, of their true size."""
    import torch

    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise UserError(f"{path}: {str(name)[:80]!r} in this checkpoint is not a tensor.")
        # A small file may claim a huge tensor by counting the same numbers again and again.
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise UserError(f"{path}: {name} claims to be larger than the file.")
        if tensor.is_complex():
            raise UserError(f"{path}: {name} holds complex numbers; weights here are real ones.")
        if not torch.isfinite(tensor).all():
            raise UserError(f"{path}: {name} holds values that are not finite (NaN or infinity).")
    return {name: tensor.detach() for name, tensor in state.items()}
