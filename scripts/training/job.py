"""One training job: what it is told, and where its checkpoints, losses and samples lie."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import networks
from scripts.bundles import Bundle
from scripts.errors import UserError
from scripts.files import digest, written
from scripts.words import Vocabulary

if TYPE_CHECKING:
    from torch import Tensor, nn

    from scripts.training.dataset import CaptionedPictures
    from scripts.training.recipe import Dataset


@dataclass(frozen=True)
class TrainingJob:
    """What a training job works with.

    `said` is what the recipe says to this job and to no other, so that nothing else can have a
    part in what is learnt. `told` is that and all else that the result depends on beside the files
    which it reads: sizes, captions, pictures, code. Rules have it as a parameter.
    """

    bundle: Bundle
    said: dict[str, Any]
    dataset: Dataset
    device: str = "cpu"
    told: dict[str, Any] = field(default_factory=dict)

    def notes(self, made: Path | str, *files: Path | str) -> Path:
        """The folder of a training job, training/<bundle>/<part>/<digest>/ for <part>.safetensors.

        The digest is of all that the job depends on: after a change it begins anew.
        """
        depends = [self.said, self.told, [digest(file) for file in files]]
        name = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:12]
        return Path(made).with_suffix("") / name

    def pictures(self, side: int, *, whole: bool = True) -> CaptionedPictures:
        """The training job's pictures, `side` pixels square."""
        from scripts.training.dataset import CaptionedPictures

        return CaptionedPictures(self.dataset.folder, side, self.dataset.annotations, whole=whole)

    def sizes(self, part: str, words: Vocabulary | None = None) -> Any:
        """The sizes of a network: see networks.configure."""
        return networks.configure(self.bundle, part, words)

    def trained(self, part: str, weights: Path | str, words: Vocabulary | None = None) -> nn.Module:
        """A network that an earlier training job taught."""
        from safetensors.torch import load_file

        network = networks.build(self.bundle, part, words).to(self.device).eval()
        network.load_state_dict(load_file(weights))
        return network

    def image_encoder(self, eyes: Path | str) -> nn.Module:
        """The image encoder with the eyes in a file, which may have more layers than it keeps."""
        from safetensors.torch import load_file

        network = networks.build(self.bundle, "image_encoder")
        own = network.state_dict()
        kept = {
            name: seen
            for name, seen in load_file(eyes).items()
            if name in own and seen.shape == own[name].shape
        }
        network.load_state_dict(kept, strict=False)
        return network.to(self.device).eval()

    @contextmanager
    def building(self) -> Iterator[None]:
        """Turns what networks say of impossible sizes into a word to who wrote them."""
        try:
            yield
        except ValueError as error:
            raise UserError(f"{self.bundle.folder}/bundle.yaml: {error}.") from None


def save(network: nn.Module, path: Path | str) -> None:
    """Write a network's weights, whole or not at all. Raises UserError if they are not finite."""
    write({name: w.contiguous().cpu() for name, w in network.state_dict().items()}, path)


def write(state: dict[str, Tensor], path: Path | str) -> None:
    """Write weights. Raises UserError if they are not finite."""
    import torch
    from safetensors.torch import save_file

    for name, tensor in state.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise UserError(
                f"{path}: {name} would hold values that are not finite numbers, and is not written."
                " Lower the learning rate (`rate` in training.yaml), and train again."
            )
    with written(path) as half:
        save_file(state, half)
        half.chmod(0o644)  # safetensors lets nobody else read it
