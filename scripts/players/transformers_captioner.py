"""`kind: transformers`, captioners of the transformers library: BLIP, GIT, Florence-2, LLaVA, …"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import hub
from scripts.errors import UserError
from scripts.once import once
from scripts.players import Captioner, Said, Sampling
from scripts.players.from_hub import FromHub, check_tokenizer, weights
from scripts.sampling import draw
from scripts.untrusted.texts import read_json
from scripts.words import printable, tidy

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

TOKENS = 50  # of the longest caption, if bundle.yaml says nothing
NEEDED = (  # beside weights; * stands for no folder, as only names without a / are looked at
    "config.json",
    "generation_config.json",
    "*processor_config.json",
    "*token*.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "chat_template.*",
)
HERE = {"local_files_only": True, "trust_remote_code": False}


@dataclass(frozen=True)
class Translators:
    """What turns pictures and words into numbers, and back."""

    pictures: Any  # the image processor
    words: Any  # the tokenizer
    both: Any | None  # the processor of both, if the model has one
    # Tokenizers change a little when they are used.
    using: threading.Lock = field(default_factory=threading.Lock)

    @property
    def chats(self) -> bool:
        """Whether the model is asked as in a conversation."""
        return bool(getattr(self.both, "chat_template", None))


@dataclass(frozen=True)
class Loaded:
    """A model, ready to be asked."""

    model: Any
    translators: Translators
    # Some models keep what they count between words; and a graphics card does one thing at a time.
    playing: Any = field(default_factory=nullcontext)


@dataclass(frozen=True)
class Drawn:
    """Has `generate` say a token that is drawn, as the last of the rules that change its logits.

    Its own sampling takes chance from a generator that all threads share.
    """

    drawn: Sampling

    def __call__(self, tokens: Tensor, logits: Tensor) -> Tensor:
        """Of one sequence: logits (1, V) of which only that of the drawn token is not -inf."""
        how = self.drawn
        only = logits.new_full(logits.shape, -math.inf)
        only[0, draw(logits[0], how.temperature, how.top_p, how.chance)] = 0.0
        return only


class Transformers(FromHub, Captioner):
    """Says what `generate` makes of a picture, after the prompt if there is one.

    Decoding is greedy, a beam search, or drawn by chance, one number a token. The captions of a
    search come as it ranks them: not by their probability alone, but with the length penalty. The
    log probability is that of the caption's tokens, its end included, under the model itself,
    whatever rules guided the search.
    """

    kind = "transformers"
    code = ("scripts.players.transformers_captioner",)
    packages = ("transformers", "tokenizers")
    samples = True

    def choose(self, names: list[str], read: Callable[[str], Any]) -> list[str]:
        config = read("config.json")
        if "auto_map" in config and not _is_known(config.get("model_type", "")):
            raise hub.Unfit(
                f"it needs code of its own ({config.get('model_type')}), and no code from a hub is "
                "run here; look for a version in the format of transformers"
            )
        texts = [
            name
            for name in names
            if "/" not in name and any(fnmatch(name, pattern) for pattern in NEEDED)
        ]
        return [*texts, *weights(names, read, "model")]

    def provenance(self) -> dict[str, Any]:
        folder = self.snapshot().folder.absolute()
        config = read_json(folder / "config.json")
        return {
            **super().provenance(),
            "class": (config.get("architectures") or [None])[0],
            "dtype": self.dtype,
            "image_processor": type(self._translators(folder).pictures).__name__,
        }

    def load(self, folder: Path, device: str) -> Loaded:
        import torch
        import transformers

        translators = self._translators(folder)
        model, found = transformers.AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=getattr(torch, self.dtype),
            use_safetensors=True,
            output_loading_info=True,
            **HERE,
        )
        if lacking := sorted(found["missing_keys"]):
            raise hub.Unfit(f"its weights lack {len(lacking)} tensors, {lacking[0]} for one")
        config = model.config
        texts = getattr(config, "text_config", None) or getattr(config, "decoder", None) or config
        check_tokenizer(len(translators.words), texts.vocab_size, "tokenizer")
        self._check_lengths(texts)
        if not config.is_encoder_decoder:
            translators.words.padding_side = "left"
        model = model.eval().requires_grad_(False).to(device)
        alone = device != "cpu" or any("rope_deltas" in vars(part) for part in model.modules())
        return Loaded(model, translators, threading.Lock() if alone else nullcontext())

    def _check_lengths(self, texts: Any) -> None:
        """Raises hub.Unfit if no caption is long enough, or one is too long for the model."""
        longest, shortest = self.own.get("max_tokens", TOKENS), self.own.get("min_tokens", 1)
        if shortest > longest:
            raise hub.Unfit(f"`min_tokens` is {shortest}, and `max_tokens` {longest}")
        places = getattr(texts, "max_position_embeddings", None) or math.inf
        if longest > places:
            raise hub.Unfit(f"`max_tokens` is {longest}, but it says {places} at the most")

    def _translators(self, folder: Path) -> Translators:
        digests = json.dumps(self.digests())
        return once(("translators", str(folder), digests), lambda: _read_translators(folder))

    def describe(self, pictures: Sequence[Image], device: str, beam: int = 1) -> list[list[Said]]:
        beams = max(beam, self.own.get("beams", 1))
        said = self._say(pictures, device, num_beams=beams, num_return_sequences=beam)
        return [said[first : first + beam] for first in range(0, len(said), beam)]

    def sample(self, picture: Image, device: str, drawn: Sampling) -> list[Said]:
        return self._say([picture], device, num_beams=1, logits_processor=[Drawn(drawn)])

    def _say(self, pictures: Sequence[Image], device: str, **how: Any) -> list[Said]:
        """What `generate` makes of each picture, one caption or several."""
        loaded = self.network(device)
        with self.explained():
            with loaded.translators.using:
                inputs, start = self._ask(loaded, pictures)
            inputs = inputs.to(device, loaded.model.dtype)  # whole numbers stay whole
            with loaded.playing:
                made = loaded.model.generate(
                    **inputs,
                    **self._rules,
                    **how,
                    do_sample=False,
                    return_dict_in_generate=True,
                    output_logits=True,
                )
            scores = log_probabilities(made, _ends(loaded))
            with loaded.translators.using:
                texts = loaded.translators.words.batch_decode(
                    made.sequences, skip_special_tokens=True
                )
        if not all(math.isfinite(score) for score in scores):
            raise UserError(
                f"{self.description}: {self.own['model']}: what it computes is not a number; its "
                f"weights are damaged, or too large for {self.dtype}."
            )
        return [
            Said(tidy(printable(text.removeprefix(start))), score)
            for text, score in zip(texts, scores, strict=True)
        ]

    @property
    def _rules(self) -> dict[str, Any]:
        """How to search for captions, in the words of `generate`; the rest is the model's own."""
        names = {
            "max_tokens": "max_new_tokens",
            "min_tokens": "min_new_tokens",
            "length_penalty": "length_penalty",
            "repetition_penalty": "repetition_penalty",
            "no_repeat_ngram": "no_repeat_ngram_size",
        }
        settings = {"max_tokens": TOKENS, **self.own}
        return {name: settings[ours] for ours, name in names.items() if ours in settings}

    def _ask(self, loaded: Loaded, pictures: Sequence[Image]) -> tuple[Any, str]:
        """What the model is given, and how its answers begin if they repeat the question."""
        prompt, translators = self.own.get("prompt"), loaded.translators
        if translators.chats:
            if prompt is None:
                raise hub.Unfit(
                    "it answers questions; ask one, such as `prompt: Describe this picture in one "
                    "sentence.`"
                )
            inputs = translators.both.apply_chat_template(
                [_question(picture, prompt) for picture in pictures],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                processor_kwargs={"padding": True},
            )
        elif prompt is None:
            inputs = translators.pictures(images=list(pictures), return_tensors="pt")
        elif translators.both is None:
            raise hub.Unfit("it takes no prompt; delete `prompt`")
        else:
            inputs = translators.both(
                images=list(pictures), text=[prompt] * len(pictures), return_tensors="pt"
            )
        if "input_ids" not in inputs or loaded.model.config.is_encoder_decoder:
            return inputs, ""
        return inputs, translators.words.decode(inputs["input_ids"][0], skip_special_tokens=True)


def _read_translators(folder: Path) -> Translators:
    import transformers

    transformers.logging.set_verbosity_error()  # what matters is checked here
    transformers.logging.disable_progress_bar()
    both = transformers.AutoProcessor.from_pretrained(folder, **HERE)
    if hasattr(both, "tokenizer"):
        return Translators(both.image_processor, both.tokenizer, both)
    return Translators(
        transformers.AutoImageProcessor.from_pretrained(folder, **HERE),
        transformers.AutoTokenizer.from_pretrained(folder, **HERE),
        None,
    )


def _is_known(model_type: str) -> bool:
    """Whether the library itself has code for this type of models.

    Asked while a game is planned, so the library is looked at, not imported.
    """
    library = find_spec("transformers")
    models = Path(library.origin).parent / "models"
    return bool(model_type) and (models / model_type.replace("-", "_")).is_dir()


def _question(picture: Image, prompt: str) -> list[dict[str, Any]]:
    content = [{"type": "image", "image": picture}, {"type": "text", "text": prompt}]
    return [{"role": "user", "content": content}]


def _ends(loaded: Loaded) -> set[int]:
    """The tokens that end a caption."""
    parts = [loaded.model, *loaded.model.modules()]
    found = [getattr(part, "generation_config", None) for part in parts]
    ends = {loaded.translators.words.eos_token_id, loaded.translators.words.sep_token_id}
    for config in found:
        end = getattr(config, "eos_token_id", None)
        ends |= set(end) if isinstance(end, list) else {end}
    return ends - {None}


def log_probabilities(made: Any, ends: set[int]) -> list[float]:
    """The log probability of each sequence that `generate` gives, under the model itself.

    `made` has sequences (N, L), the logits of S steps (R, V), and of a beam search the row of each
    token, beam_indices (N, up to S); a sequence counts up to its first token in `ends`.
    """
    import torch

    steps = len(made.logits)
    rows: Tensor | None = getattr(made, "beam_indices", None)
    if rows is None:
        rows = torch.arange(len(made.sequences)).view(-1, 1).expand(-1, steps)
    steps = min(steps, int((rows >= 0).sum(1).max()))
    tokens = made.sequences[:, -steps:]  # (N, S)
    scores = []
    for sequence, places in zip(tokens.tolist(), rows.tolist(), strict=True):
        score = 0.0
        for token, place, logits in zip(sequence, places, made.logits, strict=False):
            if place < 0:
                break
            score += float(logits[place].float().log_softmax(-1)[token])
            if token in ends:
                break
        scores.append(score)
    return scores
