"""How good a storybook bundle is, on scenes that it never saw."""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from scripts.bundles import Bundle
from scripts.files import written
from scripts.storybook.grammar import read
from scripts.storybook.judge import Judge, train
from scripts.storybook.world import Content
from scripts.training.captioner import normalise
from scripts.training.damsm import numbered, padding_of
from scripts.training.dataset import CaptionedPictures
from scripts.training.lessons import save

JUDGE = {"steps": 2000, "batch": 32, "rate": 2e-3}
SIDE = 128  # pixels, of the pictures that the judge looks at
QUESTIONS = ("kind", "colour", "place", "count")
AT_ONCE = 50

Describe = Callable[[Tensor], list[str]]  # pictures (B, 3, S, S) in [-1, 1] -> captions
Paint = Callable[[list[str]], Tensor]  # captions -> pictures (B, 3, S, S) in [-1, 1]


@dataclass(frozen=True)
class Score:
    """Shares from 0 to 1 of `number` scenes of which each question was answered rightly."""

    number: int
    kind: float
    colour: float
    place: float
    count: float


def score(seen: list[Content], true: list[Content]) -> Score:
    """How often what was seen is what is true, question by question."""
    shares = {
        question: sum(
            getattr(one, question) == getattr(other, question)
            for one, other in zip(seen, true, strict=True)
        )
        / len(true)
        for question in QUESTIONS
    }
    return Score(len(true), **shares)


def captioner(describe: Describe, scenes: CaptionedPictures, number: int) -> Score:
    """What its captions of rendered scenes say, against what is in the scenes."""
    said, true = [], []
    for indices in _chunks(number):
        said += [read(caption) for caption in describe(scenes.pictures(indices))]
        true += [read(scenes.records[index]["captions"][0]) for index in indices]
    return score(said, true)


def painter(paint: Paint, judge: Judge, scenes: CaptionedPictures, number: int) -> Score:
    """What the judge sees in pictures painted of captions, against what the captions say."""
    seen, true = [], []
    for indices in _chunks(number):
        captions = [scenes.records[index]["captions"][0] for index in indices]
        seen += judge.look(paint(captions))
        true += [read(caption) for caption in captions]
    return score(seen, true)


def judged(judge: Judge, scenes: CaptionedPictures, number: int) -> Score:
    """What the judge sees in rendered scenes: the most that it could grant a painter."""
    seen, true = [], []
    for indices in _chunks(number):
        seen += judge.look(scenes.pictures(indices))
        true += [read(scenes.records[index]["captions"][0]) for index in indices]
    return score(seen, true)


def chain(
    describe: Describe, paint: Paint, scenes: CaptionedPictures, number: int, rounds: int
) -> Score:
    """What is said of the last picture of a game, against what is in the scene it began with."""
    said, true = [], []
    for indices in _chunks(number):
        pictures = scenes.pictures(indices)
        for _ in range(rounds):
            pictures = paint(describe(pictures))
        said += [read(caption) for caption in describe(pictures)]
        true += [read(scenes.records[index]["captions"][0]) for index in indices]
    return score(said, true)


def _chunks(number: int) -> list[list[int]]:
    return [list(range(first, min(first + AT_ONCE, number))) for first in range(0, number, AT_ONCE)]


def teach_judge(records: Path | str, weights: Path | str) -> None:
    """Teach the judge on rendered scenes, and write its weights."""
    scenes = CaptionedPictures(Path(records).parent, SIDE)
    save(train(scenes, Path(weights).with_suffix(""), **JUDGE), weights)


def measure(records: Path | str, judge: Path | str, bundle: Bundle, table: Path | str) -> None:
    """Write how good the bundle is as a table: a line for each who, a share for each what."""
    scenes = CaptionedPictures(Path(records).parent, SIDE)
    looker = Judge().eval()
    looker.load_state_dict(load_file(judge))
    describe, paint = describer(bundle), painter_of(bundle)
    torch.manual_seed(0)
    rows = {
        "captioner": captioner(describe, scenes, 2000),
        "judge of rendered scenes": judged(looker, scenes, 2000),
        "painter": painter(paint, looker, scenes, 1000),
        "after 5 rounds": chain(describe, paint, scenes, 200, 5),
        "after 20 rounds": chain(describe, paint, scenes, 100, 20),
    }
    with written(table) as half, half.open("w", encoding="utf-8") as lines:
        lines.write("\t".join(["who", "scenes", *QUESTIONS]) + "\n")
        for who, (number, *shares) in ((who, astuple(score)) for who, score in rows.items()):
            lines.write("\t".join([who, str(number), *(f"{x:.4f}" for x in shares)]) + "\n")


def describer(bundle: Bundle) -> Describe:
    """The bundle's captioner, from pictures to sentences."""
    network = bundle.network("captioner", "cpu")
    vocabulary = bundle.words["captioner"]

    def describe(pictures: Tensor) -> list[str]:
        if pictures.shape[-1] != network.config.size:
            pictures = functional.interpolate(pictures, size=network.config.size, mode="area")
        rows = network.describe(normalise(pictures)).tolist()
        sentences = (" ".join(vocabulary.spell(row)) for row in rows)
        return [said.partition("<end>")[0].replace("<start>", "").strip() for said in sentences]

    return describe


def painter_of(bundle: Bundle) -> Paint:
    """The bundle's painter, from sentences to pictures, each from noise of its own."""
    text, generator = bundle.network("text_encoder", "cpu"), bundle.network("generator", "cpu")
    sizes = generator.config

    @torch.inference_mode()
    def paint(captions: list[str]) -> Tensor:
        ids, lengths = numbered(captions, bundle.words["text_encoder"])
        words, sentence = text(ids, lengths)
        z, eps = torch.randn(len(ids), sizes.noise), torch.randn(len(ids), sizes.condition)
        padding = padding_of(lengths, ids.shape[1])
        return generator(z, eps, words, sentence, padding).pictures[-1]

    return paint
