"""A painter's pictures of a dataset's captions, as a dataset: for captioners to learn from."""

import json
from pathlib import Path

import torch
from PIL import Image

from scripts.attngan.generator import Generator
from scripts.attngan.text_encoder import TextEncoder
from scripts.files import written
from scripts.training.damsm import word_ids
from scripts.training.dataset import CaptionedPictures
from scripts.words import Vocabulary


@torch.inference_mode()
def paint(
    dataset: CaptionedPictures,
    vocabulary: Vocabulary,
    text: TextEncoder,
    painter: Generator,
    records: Path | str,
    number: int,
    seed: int = 1,
) -> None:
    """Write a picture for each of `number` records drawn from the dataset, and its captions.

    `records` is the new folder's captions.jsonl. A picture is painted of one of a record's
    captions; the others say the same of it.
    """
    folder = Path(records).parent
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    sizes, device = painter.config, painter.conditioning.linear.weight.device
    chance = torch.Generator().manual_seed(seed)
    with written(records) as part, part.open("w", encoding="utf-8") as lines:
        for index in range(number):
            drawn = dataset.batch(1, seed, index)
            ids, lengths = word_ids(drawn.captions, vocabulary)
            words, sentence = text(ids.to(device), lengths)
            z = torch.randn(1, sizes.noise, generator=chance).to(device)
            eps = torch.randn(1, sizes.condition, generator=chance).to(device)
            padding = torch.zeros_like(ids, dtype=torch.bool, device=device)
            last = painter(z, eps, words, sentence, padding).pictures[-1][0]  # (3, S, S)
            pixels = ((last + 1) * 127.5).to(torch.uint8).permute(1, 2, 0).cpu().numpy()
            name = f"pictures/{index:06}.png"
            Image.fromarray(pixels).save(folder / name, compress_level=1)
            record = {"picture": name, "captions": drawn.records[0]["captions"]}
            lines.write(json.dumps(record) + "\n")
