"""An independent judge of pictures: a model that neither captions nor paints in the game.

Any model of transformers that brings pictures into one space (DINO and the like), or pictures and
texts (CLIP, SigLIP): then it also says how well a picture fits a text. It is named in the config
(`judge`), as a folder or as transformers knows it (`owner/name@commit`). A file of weights is the
storybook's own judge, which measures its model card: it answers what is in a scene.
"""

from __future__ import annotations

import os
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from scripts.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

WEIGHTS = ".safetensors"
_loading = Lock()


class Judge:
    """What pictures and texts are to a model of transformers, on the CPU."""

    def __init__(self, name: str) -> None:
        """`name` is a folder, or a model's name, which `@` and a commit may follow.

        Raises UserError if the model cannot be had.
        """
        from transformers import AutoImageProcessor, AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        where = source_of(name)
        try:
            self.model, loaded = AutoModel.from_pretrained(
                **where, use_safetensors=True, output_loading_info=True
            )
            self.model.eval()
            self.look = AutoImageProcessor.from_pretrained(**where)
            self.reads = hasattr(self.model, "get_text_features")
            self.tokens = AutoTokenizer.from_pretrained(**where) if self.reads else None
        except Exception as error:
            raise UserError(
                f"config: the judge {name} cannot be loaded ({str(error).splitlines()[0]}); give a"
                " folder with a model for transformers that sees pictures, or leave it out."
            ) from None
        # Where weights are missing, transformers draws random ones. DINO's have no pooler.
        missing = {name for name in loaded["missing_keys"] if not name.startswith("pooler.")}
        self.pools = len(missing) == len(loaded["missing_keys"])
        if missing:
            raise UserError(
                f"config: the judge {name} lacks {len(missing)} of its weights"
                f" ({sorted(missing)[0]}, …); give a model that is complete."
            )

    @staticmethod
    def called(name: str | None) -> Judge | AnswersJudge | None:
        """The judge of this name, loaded once; None of no name. Raises as the judges do."""
        with _loading:
            return _loaded(name) if name else None

    def picture(self, picture: Image.Image) -> np.ndarray:
        """An RGB picture, of unit length: (D,)."""
        import torch

        with torch.inference_mode():
            seen = self.look(images=picture, return_tensors="pt")
            if self.reads:
                return _unit(self.model.get_image_features(**seen))
            found = self.model(**seen)
            return _unit(found if self.pools else found.last_hidden_state[:, 0])

    def sentence(self, caption: str) -> np.ndarray | None:
        """A text, of unit length: (D,); None if the model reads none."""
        import torch

        if not self.reads:
            return None
        with torch.inference_mode():
            told = self.tokens(
                [caption], return_tensors="pt", truncation=True, padding="max_length",
                max_length=self._longest(),
            )  # fmt: skip
            return _unit(self.model.get_text_features(**told))

    def _longest(self) -> int:
        """Tokens that the model reads; those trained with padding (SigLIP) want as many."""
        return int(self.model.config.text_config.max_position_embeddings)


class AnswersJudge:
    """The storybook's own judge: a picture is how likely each answer to its questions is.

    A text is what it says in answer to them, so that the cosine of a picture and a text is high
    where the judge sees what the text says.
    """

    def __init__(self, weights: str) -> None:
        """Raises UserError if the file is missing or holds other weights than the judge's."""
        from scripts.storybook import judge

        self.storybook = judge
        self.network = judge.read_judge(weights)

    def picture(self, picture: Image.Image) -> np.ndarray:
        """An RGB picture, of unit length: (A,), one entry for each answer."""
        return _unit(self.network.answer(picture)[None])

    def sentence(self, caption: str) -> np.ndarray | None:
        """A text, of unit length: (A,); None if it answers no question."""
        told = self.storybook.answered(caption)
        return _unit(told[None]) if told.any() else None


def source_of(name: str) -> dict[str, str]:
    """Where transformers finds a model: a folder as it is, a name with the commit after `@`."""
    model, _, commit = name.rpartition("@")
    if os.path.isdir(name) or not model:
        return {"pretrained_model_name_or_path": name}
    return {"pretrained_model_name_or_path": model, "revision": commit}


@lru_cache
def _loaded(name: str) -> Judge | AnswersJudge:
    return AnswersJudge(name) if name.endswith(WEIGHTS) else Judge(name)


def _unit(found: Any) -> np.ndarray:
    """The vector of the whole, of what a model gives: features, its pooled or its first token."""
    if not hasattr(found, "shape"):
        pooled = getattr(found, "pooler_output", None)
        found = found.last_hidden_state[:, 0] if pooled is None else pooled
    vector = found[0].float().numpy()
    return vector / max(float((vector**2).sum() ** 0.5), 1e-12)
