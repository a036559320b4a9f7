"""Makes files in the formats of the published weights: old torch, Python 2."""

import io
import pickle
import struct
from collections.abc import Iterable

import torch

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
SYSTEM = {
    "protocol_version": 1001,
    "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}


class Global:
    """Pickles as the name of something that need not exist here."""

    def __init__(self, name: str) -> None:
        self.name = name  # "module name"


class Call:
    """Pickles as a call of a Global, and as a state that is set afterwards."""

    def __init__(self, function: Global, arguments: tuple, state: dict | None = None) -> None:
        self.function, self.arguments, self.state = function, arguments, state


class Python2Pickler(pickle._Pickler):
    """Writes text as Python 2 wrote its strings, and whatever names it is told to."""

    dispatch = pickle._Pickler.dispatch.copy()

    def __init__(self, file: io.BytesIO, protocol: int = 2, bytes_text: bool = True) -> None:
        super().__init__(file, protocol)
        self.bytes_text = bytes_text

    def save_text(self, text: str) -> None:
        if not self.bytes_text:
            return self.save_str(text)
        data = text.encode("utf-8")
        if self.proto == 0:
            body = repr(data)[1:].encode()
            self.write(pickle.STRING + body + b"\n")
        elif len(data) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(data)]) + data)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(text)

    def save_name(self, thing: Global) -> None:
        module, name = thing.name.split(" ")
        self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
        self.memoize(thing)

    def save_call(self, thing: Call) -> None:
        self.save(thing.function)
        self.save(thing.arguments)
        self.write(pickle.REDUCE)
        self.memoize(thing)
        if thing.state is not None:
            self.save(thing.state)
            self.write(pickle.BUILD)

    def persistent_id(self, thing: object) -> object:
        return thing.identity if isinstance(thing, Storage) else None

    dispatch[str] = save_text
    dispatch[Global] = save_name
    dispatch[Call] = save_call


class Storage:
    """Pickles as the reference to a storage in the old torch format."""

    def __init__(self, identity: tuple) -> None:
        self.identity = identity


def pickled(thing: object, protocol: int = 2, bytes_text: bool = True) -> bytes:
    buffer = io.BytesIO()
    Python2Pickler(buffer, protocol, bytes_text).dump(thing)
    return buffer.getvalue()


def vocabulary_pickle(words: Iterable[str], protocol: int = 0) -> bytes:
    """What yunjey's build_vocab.py wrote: up to protocol 2 with Python 2, later with Python 3."""
    idx2word = dict(enumerate(words))
    word2idx = {word: number for number, word in idx2word.items()}
    state = {"idx2word": idx2word, "word2idx": word2idx, "idx": len(idx2word)}
    python2 = protocol < 3
    kind, base = Global("__main__ Vocabulary"), Global("__builtin__ object")
    function = Global("copy_reg _reconstructor" if python2 else "copyreg _reconstructor")
    if not python2:
        base = Global("builtins object")
    return pickled(Call(function, (kind, base, None), state), protocol, bytes_text=python2)


def captions_pickle(words: Iterable[str], protocol: int = 2) -> bytes:
    """What AttnGAN's datasets.py wrote with Python 2."""
    ixtoword = dict(enumerate(words))
    wordtoix = {word: number for number, word in ixtoword.items()}
    captions = [[1, 2, 1], [2]]
    return pickled([captions, captions, ixtoword, wordtoix], protocol)


def legacy_checkpoint(
    state: dict[str, torch.Tensor],
    *,
    python2: bool = True,
    storage: str = "torch.cuda FloatStorage",
    location: str = "cuda:0",
) -> bytes:
    """A state dict as torch 0.3 wrote it: float tensors only, one storage each.

    Without python2 it is what today's torch writes in the old format, only tagged with `location`.
    """
    if not python2:
        buffer = io.BytesIO()
        torch.save(state, buffer, _use_new_zipfile_serialization=False)
        name = b"X\x03\x00\x00\x00cpu"
        assert name in buffer.getvalue()
        renamed = buffer.getvalue().replace(
            name, b"X" + struct.pack("<I", len(location)) + location.encode()
        )
        return renamed.replace(
            b"ctorch\nFloatStorage\n", f"c{storage.replace(' ', chr(10))}\n".encode()
        )
    entries, keys, data = [], [], b""
    kind = Global(storage)
    rebuild, ordered = Global("torch._utils _rebuild_tensor"), Global("collections OrderedDict")
    for number, (name, tensor) in enumerate(state.items()):
        key, tensor = str(94_000_000 + number), tensor.float().contiguous()
        reference = Storage(("storage", kind, key, location, tensor.numel(), None))
        size, stride = tuple(tensor.shape), tensor.stride()
        entries.append([name, Call(rebuild, (reference, 0, size, stride))])
        keys.append(key)
    for tensor in state.values():  # in the order of the keys, all of one length
        values = tensor.float().contiguous()
        data += struct.pack("<q", values.numel()) + values.numpy().tobytes()
    parts = [MAGIC, PROTOCOL, SYSTEM, Call(ordered, (entries,)), keys]
    return b"".join(pickled(part) for part in parts) + data
