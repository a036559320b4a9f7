"""How good a storybook bundle is, on scenes that it never saw."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
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
from scripts.training.captioner import describer
from scripts.training.damsm import numbered, padding_of
from scripts.training.dataset import CaptionedPictures
from scripts.training.lessons import save
from scripts.training.scores import bleu4, r_precision

JUDGE = {"steps": 6000, "batch": 32, "rate": 2e-3}
SIDE = 128  # pixels, of the pictures that the judge looks at
QUESTIONS = ("kind", "colour", "place", "count", "act")
AT_ONCE = 50
ROUNDS = {5: 200, 20: 100}  # after how many rounds: chains that are looked at
CANDIDATES = 8  # of one caption, whose distances are measured

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
    act: float


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
        seen += judge.look(_sized(paint(captions)))
        true += [read(caption) for caption in captions]
    return score(seen, true)


def judged(judge: Judge, scenes: CaptionedPictures, number: int) -> Score:
    """What the judge sees in rendered scenes: the most that it could grant a painter."""
    seen, true = [], []
    for indices in _chunks(number):
        seen += judge.look(scenes.pictures(indices))
        true += [read(scenes.records[index]["captions"][0]) for index in indices]
    return score(seen, true)


def kept(
    describe: Describe, paint: Paint, scenes: CaptionedPictures, rounds: dict[int, int]
) -> dict[int, Score]:
    """After how many rounds: what is said then, against what is in the scene a game began with.

    `rounds` has the number of chains for each number of rounds, the shortest chains first.
    """
    scores, done = {}, 0
    pictures, true = [], []
    for indices in _chunks(next(iter(rounds.values()))):
        pictures.append(scenes.pictures(indices))
        true += [read(scenes.records[index]["captions"][0]) for index in indices]
    for last, number in rounds.items():
        pictures = pictures[: -(-number // AT_ONCE)]
        for _ in range(done, last):
            pictures = [paint(describe(some)) for some in pictures]
        said = [read(caption) for some in pictures for caption in describe(some)]
        scores[last] = score(said[:number], true[:number])
        done = last
    return scores


def bleu(describe: Describe, scenes: CaptionedPictures, number: int) -> float:
    """BLEU-4 of captions of rendered scenes against all their references, over the corpus."""
    said = [caption for some in _chunks(number) for caption in describe(scenes.pictures(some))]
    return bleu4(said, [record["captions"] for record in scenes.records[:number]])


def precision(bundle: Bundle, paint: Paint, scenes: CaptionedPictures, number: int) -> float:
    """R-precision of painted pictures (AttnGAN, section 4): the right caption first among 100."""
    look, embed = bundle.network("image_encoder", "cpu"), sentences_of(bundle)
    captions = [record["captions"][0] for record in scenes.records]
    same = [read(caption) for caption in captions]
    wholes = []
    with torch.inference_mode():
        for some in _chunks(number):
            wholes.append(look(paint([captions[index] for index in some]))[1])
        sentences = embed(captions)
    return r_precision(torch.cat(wholes), sentences[:number], sentences, same[:number], same)


def variety(paint: Paint, scenes: CaptionedPictures, captions: int) -> float:
    """How far candidates of one caption are apart, as a share of scenes that say the same.

    Distance is the root of the mean square of the pixels' differences, over all pairs.
    """
    groups = defaultdict(list)
    for index, record in enumerate(scenes.records):
        groups[read(record["captions"][0])].append(index)
    alike = [group for group in groups.values() if len(group) > 2][:captions]
    painted = [
        spread(_sized(paint([scenes.records[group[0]]["captions"][0]] * CANDIDATES)))
        for group in alike
    ]
    rendered = [spread(scenes.pictures(group)) for group in alike]
    return sum(painted) / sum(rendered)


def spread(pictures: Tensor) -> float:
    """Mean distance of all pairs of pictures (B, 3, S, S), B > 1."""
    return torch.pdist(pictures.flatten(1)).mean().item() / pictures[0].numel() ** 0.5


def _sized(pictures: Tensor) -> Tensor:
    """Pictures (B, 3, SIDE, SIDE), as the judge knows them."""
    if pictures.shape[-1] == SIDE:
        return pictures
    return functional.interpolate(pictures, size=SIDE, mode="area")


def _chunks(number: int) -> list[list[int]]:
    return [list(range(first, min(first + AT_ONCE, number))) for first in range(0, number, AT_ONCE)]


def teach_judge(records: Path | str, weights: Path | str) -> None:
    """Teach the judge on rendered scenes, and write its weights."""
    scenes = CaptionedPictures(Path(records).parent, SIDE)
    save(train(scenes, Path(weights).with_suffix(""), **JUDGE), weights)


def measure(records: Path | str, judge: Path | str, bundle: Bundle, table: Path | str) -> None:
    """Write how good the bundle is as a table: who, how many scenes, what, and the figure."""
    scenes = CaptionedPictures(Path(records).parent, SIDE)
    looker = Judge().eval()
    looker.load_state_dict(load_file(judge))
    describe = describer(bundle.network("captioner", "cpu"), bundle.words["captioner"])
    paint = painter_of(bundle)
    torch.manual_seed(0)
    shares = {
        "captions of rendered scenes": captioner(describe, scenes, 2000),
        "the judge, of rendered scenes": judged(looker, scenes, 2000),
        "painted pictures, by the judge": painter(paint, looker, scenes, 1000),
    }
    for rounds, score in kept(describe, paint, scenes, ROUNDS).items():
        shares[f"kept after {rounds} rounds"] = score
    rows = [
        (who, score.number, question, getattr(score, question))
        for who, score in shares.items()
        for question in QUESTIONS
    ]
    rows += [
        ("captions of rendered scenes", 2000, "BLEU-4", bleu(describe, scenes, 2000)),
        ("painted pictures", 1000, "R-precision", precision(bundle, paint, scenes, 1000)),
        ("candidates", 50, "variety", variety(paint, scenes, 50)),
    ]
    with written(table) as half, half.open("w", encoding="utf-8") as lines:
        lines.write("who\tnumber\twhat\tfigure\n")
        lines.writelines(f"{who}\t{number}\t{what}\t{x:.4f}\n" for who, number, what, x in rows)


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


def sentences_of(bundle: Bundle) -> Callable[[list[str]], Tensor]:
    """The bundle's text encoder, from B captions to their sentences (B, D)."""
    text = bundle.network("text_encoder", "cpu")

    def embed(captions: list[str]) -> Tensor:
        return text(*numbered(captions, bundle.words["text_encoder"]))[1]

    return embed
