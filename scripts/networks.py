"""Our own networks, built from bundle.yaml in one place: for playing, converting and training."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import UserError
from scripts.files import digest
from scripts.once import once

if TYPE_CHECKING:
    from torch import Tensor, nn

    from scripts.bundles import Bundle
    from scripts.words import Vocabulary


COPIES = 2  # of the weights in memory while a network is loaded


@dataclass(frozen=True)
class Part:
    """Where the code of a network is. Names, so that nothing is imported before it is needed."""

    module: str
    network: str  # the class; that of its sizes is called <network>Config
    faster: str = ""  # a module whose `optimize` makes a trained network faster
    words: bool = False  # whether a vocabulary belongs to it


PARTS = {
    "captioner": Part(
        "scripts.captioner.network", "Captioner", "scripts.captioner.optimize", words=True
    ),
    "text_encoder": Part("scripts.attngan.text_encoder", "TextEncoder", words=True),
    "generator": Part("scripts.attngan.generator", "Generator", "scripts.attngan.optimize"),
    "image_encoder": Part("scripts.attngan.image_encoder", "ImageEncoder"),
}


def configure(bundle: Bundle, part: str, vocabulary: Vocabulary | None = None) -> Any:
    """The sizes of a part's network, a <network>Config; `vocabulary` stands in for the bundle's.

    Raises UserError if bundle.yaml describes no such network.
    """
    sizes = {name: size for name, size in bundle.sizes(part).items() if name != "kind"}
    if PARTS[part].words:
        sizes["vocabulary"] = len(bundle.words[part] if vocabulary is None else vocabulary)
    if part == "generator" and "sentence" not in sizes:  # words and sentence come from there
        text = _class("text_encoder", "Config")(1, **bundle.sizes("text_encoder"))
        sizes["sentence"] = text.features
    try:
        return _class(part, "Config")(**sizes)
    except (TypeError, ValueError) as error:
        raise _wrong(bundle, part, error) from None


def build(bundle: Bundle, part: str, vocabulary: Vocabulary | None = None) -> nn.Module:
    """The network that bundle.yaml describes, with random weights. Raises as `described`."""
    described(bundle, part, vocabulary)  # so that its weights are counted before they take memory
    return _construct(bundle, part, vocabulary)


def described(bundle: Bundle, part: str, vocabulary: Vocabulary | None = None) -> nn.Module:
    """As `build`, but names and shapes only, without memory for weights.

    Raises UserError as `configure`, or if its weights take more memory than this machine has.
    """
    import torch

    with torch.device("meta"):
        network = _construct(bundle, part, vocabulary)
    _check_memory(bundle, part, network)
    return network


def _construct(bundle: Bundle, part: str, vocabulary: Vocabulary | None) -> nn.Module:
    config = configure(bundle, part, vocabulary)
    try:
        return _class(part)(config)
    except (TypeError, ValueError) as error:
        raise _wrong(bundle, part, error) from None


def _check_memory(bundle: Bundle, part: str, network: nn.Module) -> None:
    """Raises UserError if the weights, and a copy while they are loaded, do not fit into memory."""
    import psutil

    weights = sum(tensor.numel() for tensor in network.state_dict().values())
    takes, has = COPIES * 4 * weights / 2**30, psutil.virtual_memory().total / 2**30
    if takes > has:
        raise UserError(
            f"{bundle.folder}/bundle.yaml: {part}: these sizes make {weights:,} weights, which "
            f"take {takes:,.0f} GiB of memory while they are loaded; this machine has "
            f"{has:,.0f} GiB. Make the sizes smaller."
        )


def network(bundle: Bundle, part: str, device: str) -> nn.Module:
    """The part's network on a device, ready to play: loaded once in a process, and shared.

    Networks keep nothing of what they compute, so threads may use one at once. Raises UserError if
    there are no weights, or they are not those of the network that bundle.yaml describes.
    """
    path = bundle.weights(part)
    if not path.is_file():
        raise UserError(f"{path}: missing; the {part} of the bundle {bundle.name} has no weights.")

    def load() -> nn.Module:
        trained = _load(bundle, part).to(device)
        faster = PARTS[part].faster
        return import_module(faster).optimize(trained, device) if faster else trained

    return once((str(path.absolute()), digest(path), device), load)


def _load(bundle: Bundle, part: str) -> nn.Module:
    """The network that bundle.yaml describes, built around the tensors in its file."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    network = described(bundle, part)  # no memory for weights that are replaced at once
    path = bundle.weights(part)
    try:
        _check_shapes(
            network,
            path,
            f"{path}: these weights are not those of the {part} that bundle.yaml describes",
        )
        # Copies, one by one: a tensor in the mapped file would keep all of it in memory, beside
        # what is made of its weights.
        weights = {name: _single(tensor) for name, tensor in load_file(path).items()}
    except SafetensorError as error:
        raise UserError(f"{path}: these are no weights, or damaged ones ({error}).") from None
    network.load_state_dict(weights, assign=True)
    return network.eval().requires_grad_(False)


def _check_shapes(network: nn.Module, path: Path, wrong: str) -> None:
    """Raises UserError unless the file holds the network's tensors; only its header is read."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        held = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    if lacking := sorted(wanted.keys() - held.keys()):
        raise UserError(f"{wrong}: {lacking[0]} is missing.")
    if more := sorted(held.keys() - wanted.keys()):
        raise UserError(f"{wrong}: it has no {more[0]}.")
    for name, shape in wanted.items():
        if held[name] != shape:
            raise UserError(f"{wrong}: {name} is {held[name]} instead of {shape}.")


def _single(tensor: Tensor) -> Tensor:
    """A copy in float32, whatever precision the numbers are kept in; whole numbers stay whole."""
    import torch

    kind = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return tensor.to(kind, copy=True)


def _class(part: str, ending: str = "") -> Any:
    return getattr(import_module(PARTS[part].module), PARTS[part].network + ending)


def _wrong(bundle: Bundle, part: str, error: Exception) -> UserError:
    return UserError(f"{bundle.folder}/bundle.yaml: {part}: {error}.")
