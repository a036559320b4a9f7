"""`kind: diffusers`, painters of the diffusers library: Stable Diffusion, SDXL, PixArt, Sana, …"""

from __future__ import annotations

import copy
import inspect
import json
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import hub
from scripts.errors import UserError
from scripts.once import once
from scripts.players import Painter, Reading
from scripts.players.from_hub import FromHub, check_tokenizer, weights
from scripts.untrusted.texts import read_json

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Generator

INDEX = "model_index.json"
# Parts of a pipeline that no picture needs: what blackens pictures, and what it looks at them with.
UNASKED = ("safety_checker", "feature_extractor", "image_encoder")
WEIGHTS = {"diffusers": "diffusion_pytorch_model", "transformers": "model"}
VARIANTS = {"float16": "fp16", "bfloat16": "bf16"}  # weights in this precision, where there are any
TEXTS = (".json", ".txt", ".model")


@dataclass(frozen=True)
class Loaded:
    """A pipeline, shared; each thread plays with a copy of it, around the same networks.

    A pipeline notes what it is doing, schedulers count their steps, and tokenizers change a little
    when they are used. A graphics card does one thing at a time anyway; and a pipeline may lift its
    decoder to float32 while it decodes, and put it back.
    """

    pipeline: Any
    playing: Any
    copies: threading.local = field(default_factory=threading.local)

    def copy(self) -> Any:
        """This thread's pipeline."""
        if not hasattr(self.copies, "pipeline"):
            own = copy.copy(self.pipeline)
            for name, part in self.pipeline.components.items():
                if name.startswith("tokenizer") and part is not None:
                    setattr(own, name, copy.deepcopy(part))
            self.copies.pipeline = own
        own = self.copies.pipeline
        own.scheduler = type(own.scheduler).from_config(own.scheduler.config)
        return own


class Diffusers(FromHub, Painter):
    """Paints by removing noise, step by step.

    Of a picture's generator it draws, on the CPU and in the precision of `dtype`, first the latents
    that all begins from, then, at each step in turn, what the scheduler asks for (of those in use,
    Euler's ancestral and LCM's do, and others nothing at all).
    """

    kind = "diffusers"
    code = ("scripts.players.diffusers_painter",)
    packages = ("diffusers", "transformers", "tokenizers")

    def choose(self, names: list[str], read: Callable[[str], Any]) -> list[str]:
        parts = _parts(read(INDEX))
        variant = VARIANTS.get(self.dtype)
        needed = [INDEX]
        for part, library in parts.items():
            inside = [
                name for name in names if name.startswith(f"{part}/") and name.count("/") == 1
            ]
            if not inside:
                raise hub.Unfit(f"it has no folder {part}, which its {INDEX} names")
            needed += [
                name
                for name in inside
                if name.endswith(TEXTS) and not name.endswith((".index.json", ".fp16.json"))
            ]
            if _has_weights(part, inside):
                needed += weights(names, read, f"{part}/{WEIGHTS[library]}", variant)
        return needed

    def provenance(self) -> dict[str, Any]:
        folder = self.snapshot().folder
        scheduler = read_json(folder / "scheduler" / "scheduler_config.json")
        return {
            **super().provenance(),
            "class": read_json(folder / INDEX)["_class_name"],
            "dtype": self.dtype,
            "scheduler": {
                **scheduler,
                "_class_name": self.own.get("scheduler", scheduler.get("_class_name")),
            },
        }

    def load(self, folder: Path, device: str) -> Loaded:
        # Without accelerate, diffusers would fill in weights that are missing.
        import accelerate  # noqa: F401
        import diffusers
        import torch
        import transformers

        transformers.logging.set_verbosity_error()  # what matters is checked here
        transformers.logging.disable_progress_bar()
        diffusers.utils.logging.set_verbosity_error()
        diffusers.utils.logging.disable_progress_bar()
        index = read_json(folder / INDEX)
        kind = _pipeline(index["_class_name"])
        how = {
            "dtype": getattr(torch, self.dtype),
            "variant": _variant(VARIANTS.get(self.dtype), folder),
            "use_safetensors": True,
            "local_files_only": True,
        }
        unasked: dict[str, Any] = {name: None for name in UNASKED if name in index}
        if "requires_safety_checker" in inspect.signature(kind.__init__).parameters:
            unasked["requires_safety_checker"] = False
        readers = {
            name: _text_encoder(index[name][1], folder / name, how)
            for name, library in _parts(index).items()
            if library == "transformers" and (folder / name / "config.json").exists()
        }
        pipeline = kind.from_pretrained(folder, **how, **unasked, **readers)
        _check_parts(pipeline)
        if "scheduler" in self.own:
            pipeline.scheduler = _scheduler(self.own["scheduler"], pipeline.scheduler)
        pipeline.set_progress_bar_config(disable=True)
        alone = device != "cpu" or self.dtype != "float32"
        return Loaded(pipeline.to(device), threading.Lock() if alone else nullcontext())

    def read(self, caption: str) -> Reading:
        with self.explained():
            return Reading(unread=self._unread(caption))

    def _unread(self, caption: str) -> str | None:
        """What CLIP's text encoders do not see of a long caption: all behind 75 tokens."""
        folder = self.snapshot().folder.absolute()
        index = read_json(folder / INDEX)
        readers = [index[part][1] for part in _parts(index) if part.startswith("tokenizer")]
        if not readers or not all(kind.startswith("CLIPTokenizer") for kind in readers):
            return None  # another text encoder reads on
        digests = json.dumps(self.digests())
        words = once(("words", str(folder), digests), lambda: _clip_tokenizer(folder / "tokenizer"))
        tokens = words(caption)["input_ids"]
        most = words.model_max_length
        return words.decode(tokens[most - 1 : -1]).strip() if len(tokens) > most else None

    def paint(
        self, captions: Sequence[str], chance: Sequence[Generator], device: str
    ) -> list[Image]:
        import numpy as np

        loaded = self.network(device)
        with self.explained(), loaded.playing:
            pipeline = loaded.copy()
            pictures = pipeline(
                prompt=list(captions),
                generator=list(chance),
                output_type="np",
                **self._rules(pipeline, len(captions)),
            ).images
        if not np.isfinite(pictures).all():
            raise UserError(
                f"{self.description}: {self.own['model']}: what it paints is not a number; its "
                f"weights are damaged, or too large for {self.dtype}."
            )
        return pipeline.image_processor.numpy_to_pil(pictures)

    def _rules(self, pipeline: Any, pictures: int) -> dict[str, Any]:
        """How to paint, in the words of the pipeline; the rest is the model's own."""
        rules: dict[str, Any] = {}
        if "steps" in self.own:
            rules["num_inference_steps"] = self.own["steps"]
        if "guidance" in self.own:
            rules["guidance_scale"] = float(self.own["guidance"])
        if "negative_prompt" in self.own:
            rules["negative_prompt"] = [self.own["negative_prompt"]] * pictures
        if "size" in self.own:
            size = self.own["size"]
            rules["width"], rules["height"] = [size, size] if isinstance(size, int) else size
        known = inspect.signature(pipeline.__call__).parameters
        if unknown := [name for name in rules if name not in known]:
            raise hub.Unfit(f"a {type(pipeline).__name__} has no {unknown[0]}")
        return rules


def _parts(index: dict[str, Any]) -> dict[str, str]:
    """The parts of a pipeline that are played with, and the library of each."""
    if not isinstance(index.get("_class_name"), str):
        raise hub.Unfit("it needs code of its own, and no code from a hub is run here")
    parts = {}
    for name, entry in index.items():
        if name in UNASKED or not isinstance(entry, list) or entry == [None, None]:
            continue
        if len(entry) != 2 or not all(isinstance(each, str) for each in entry):
            raise hub.Unfit(f"its {INDEX} is damaged at {name}")
        if entry[0] not in WEIGHTS:
            raise hub.Unfit(f"its {name} needs code of its own, and no code from a hub is run here")
        parts[name] = entry[0]
    return parts


def _has_weights(part: str, inside: list[str]) -> bool:
    """Whether the part is a network, rather than a tokenizer, a scheduler or a processor."""
    return f"{part}/config.json" in inside


def _pipeline(name: str) -> Any:
    """The class of diffusers that paints with all parts."""
    import diffusers

    kind = getattr(diffusers, name, None)
    if kind is None:
        raise hub.Unfit(f"diffusers {diffusers.__version__} has no {name}")
    asked = inspect.signature(kind.__call__).parameters
    if "prompt" not in asked or ("image" in asked and asked["image"].default is not None):
        raise hub.Unfit(f"a {name} does not paint captions alone")
    return kind


def _variant(wanted: str | None, folder: Path) -> str | None:
    """The variant of weights, if the model has any of it; otherwise diffusers would refuse it."""
    return wanted if any(folder.rglob(f"*.{wanted}[.-]*")) else None


def _clip_tokenizer(folder: Path) -> Any:
    from transformers import CLIPTokenizer, logging

    logging.set_verbosity_error()  # that a caption is too long is told in the record
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def _text_encoder(kind: str, folder: Path, how: dict[str, Any]) -> Any:
    """A network of the transformers library; diffusers would fill in weights that are missing."""
    import transformers

    if not hasattr(transformers, kind):
        raise hub.Unfit(f"transformers {transformers.__version__} has no {kind}")
    how = {**how, "variant": _variant(how["variant"], folder)}
    network, found = getattr(transformers, kind).from_pretrained(
        folder, output_loading_info=True, **how
    )
    if lacking := sorted(found["missing_keys"]):
        raise hub.Unfit(
            f"the weights of its {folder.name} lack {len(lacking)} tensors, {lacking[0]} for one"
        )
    return network


def _check_parts(pipeline: Any) -> None:
    """Raises hub.Unfit if weights are missing, or a tokenizer is not that of its text encoder."""
    import torch

    for name, part in pipeline.components.items():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
            lacking = [weight for weight, tensor in part.state_dict().items() if tensor.is_meta]
            if lacking:
                raise hub.Unfit(
                    f"the weights of its {name} lack {len(lacking)} tensors, {lacking[0]} for one"
                )
        reader = getattr(pipeline, name.replace("tokenizer", "text_encoder"), None)
        if name.startswith("tokenizer") and part is not None and reader is not None:
            check_tokenizer(len(part), reader.config.vocab_size, name)


def _scheduler(name: str, own: Any) -> Any:
    """The scheduler of this class of diffusers, with the settings of the model's own."""
    import diffusers
    from diffusers.schedulers.scheduling_utils import SchedulerMixin

    kind = getattr(diffusers, name, None)
    if not (isinstance(kind, type) and issubclass(kind, SchedulerMixin)):
        raise hub.Unfit(f"diffusers {diffusers.__version__} has no scheduler called {name}")
    fitting = {kind.__name__ for kind in own.compatibles} | {type(own).__name__}
    if name not in fitting and type(own).__name__ not in kind._compatibles:
        raise hub.Unfit(
            f"{name} does not fit this model, whose own is {type(own).__name__}; these do: "
            f"{', '.join(sorted(fitting))}"
        )
    return kind.from_config(own.config)
