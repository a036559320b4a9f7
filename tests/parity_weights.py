"""Weights that anyone can draw again, for comparing our networks with the original ones.

tests/data/parity/*.npz hold what the original networks gave with these weights. A tensor depends
on a salt, on its published name and on its shape alone; the scales keep activations healthy.
"""

import json
import math
import zlib
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from scripts.official.names import Table, rename, translate

FOLDER = Path(__file__).parent / "data" / "parity"
MANIFEST: dict[str, dict[str, list[int]]] = json.loads(
    (FOLDER / "state_dict_manifest.json").read_text()
)  # published file -> tensor name -> shape

Network = TypeVar("Network", bound=nn.Module)


def parity_tensor(name: str, shape: tuple[int, ...], salt: str, gain: float = 1.0) -> Tensor:
    """The tensor of a published name; `gain` scales matrices."""
    kind = name.split(".")[-1]
    if kind == "num_batches_tracked":
        return torch.tensor(1)
    seed = zlib.crc32(f"{salt}/{name}".encode())
    normal = np.random.RandomState(seed).standard_normal(shape).astype(np.float32)
    tenth = np.float32(0.1)
    if kind == "running_mean" or kind.startswith("bias"):
        normal = tenth * normal
    elif kind == "running_var":
        normal = 1 + np.float32(0.2) * abs(normal)
    elif len(shape) == 1:  # scales of batch normalisation
        normal = 1 + tenth * normal
        if name.endswith("bn3.weight"):  # the last of a bottleneck: many of them are summed up
            normal = np.float32(0.2) * normal
    elif len(shape) == 4:  # convolutions
        normal = normal * np.float32(math.sqrt(2 / math.prod(shape[1:])))
    else:
        normal = normal * np.float32(gain / math.sqrt(shape[-1]))
    return torch.from_numpy(np.ascontiguousarray(normal, dtype=np.float32))


def load_parity_weights(
    network: Network, published: str, table: Table, salt: str, gain: float = 1.0, part: str = ""
) -> Network:
    """Gives a network of any size the weights that its published sibling has under a salt.

    `published` is a file of the manifest, whose names count; names of stages that the network
    lacks are left out. `part` is the network's place in the one that the table is made for.
    """
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    state = {}
    for name in MANIFEST[published]:
        if (ours := rename(name, table).removeprefix(part)) in shapes:
            state[name] = parity_tensor(name, shapes[ours], salt, gain)
    ours = {name.removeprefix(part): value for name, value in translate(state, table).items()}
    network.load_state_dict(ours)
    return network.eval()
