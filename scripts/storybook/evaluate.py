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
from scripts.errors import UserError
from scripts.files import written
from scripts.storybook.grammar import read
from scripts.storybook.judge import SIDE, Judge, read_judge, train
from scripts.storybook.world import LAYOUT, Content
from scripts.training.captioner import describer
from scripts.training.damsm import padding_of, word_ids
from scripts.training.dataset import CaptionedPictures
from scripts.training.job import save
from scripts.training.known_noise import noise_for
from scripts.training.scores import bleu4, r_precision

JUDGE = {"steps": 1800, "batch": 32, "rate": 2e-3}
QUESTIONS = ("kind", "colour", "place", "count", "act", "both kinds")
AT_ONCE = 50
ROUNDS = {5: 200, 20: 100}  # after how many rounds: chains that are looked at
CANDIDATES = 8  # of one caption, whose distances are measured

Describe = Callable[[Tensor], list[str]]  # pictures (B, 3, S, S) in [-1, 1] -> captions
Paint = Callable[[list[str]], Tensor]  # captions -> pictures (B, 3, S, S) in [-1, 1]


@dataclass(frozen=True)
class Score:
    """Shares from 0 to 1 of `number` scenes of which each question was answered rightly."""

    number: int
    shares: dict[str, float]  # by question; "both kinds" is asked of scenes of two kinds


def score(
    seen: list[Content], true: list[Content], questions: tuple[str, ...] = QUESTIONS
) -> Score:
    """How often what was seen is what is true, question by question."""
    pairs = list(zip(seen, true, strict=True))
    shares = {}
    for question in questions:
        if question == "both kinds":
            asked = [(one.kind == other.kind and one.other == other.other)
                     for one, other in pairs if other.other]  # fmt: skip
        else:
            asked = [getattr(one, question) == getattr(other, question) for one, other in pairs]
        if asked:
            shares[question] = sum(asked) / len(asked)
    return Score(len(true), shares)


def captioner(
    describe: Describe,
    scenes: CaptionedPictures,
    number: int,
    questions: tuple[str, ...] = QUESTIONS,
) -> Score:
    """What its captions of rendered scenes say, against what is in the scenes."""
    said, true = [], []
    for indices in _chunks(number):
        said += [read(caption) for caption in describe(scenes.pictures(indices))]
        true += [read(scenes.records[index]["captions"][0]) for index in indices]
    return score(said, true, questions)


def painter(paint: Paint, judge: Judge, scenes: CaptionedPictures, number: int) -> Score:
    """What the judge sees in pictures painted of captions, against what the captions say."""
    seen, true = [], []
    for indices in _chunks(number):
        captions = [scenes.records[index]["captions"][0] for index in indices]
        seen += judge.look(_sized(paint(captions)))
        true += [read(caption) for caption in captions]
    return score(seen, true)


def judged(
    judge: Judge, scenes: CaptionedPictures, number: int, questions: tuple[str, ...] = QUESTIONS
) -> Score:
    """What the judge sees in rendered scenes: the most that it could grant a painter."""
    seen, true = [], []
    for indices in _chunks(number):
        seen += judge.look(scenes.pictures(indices))
        true += [read(scenes.records[index]["captions"][0]) for index in indices]
    return score(seen, true, questions)


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


def slopes(
    paint_as: Callable[[list[dict]], Tensor], scenes: CaptionedPictures, number: int
) -> float:
    """Energy of slopes inside the objects' boxes, painted as a share of rendered.

    Both show the same scenes: captions and layouts (`paint_as` has the noise say the codes). Energy
    is the mean square of the differences of neighbouring pixels, over all boxes.
    """
    energy = {"painted": 0.0, "rendered": 0.0}
    for indices in _chunks(number):
        records = [scenes.records[index] for index in indices]
        shown = {"painted": paint_as(records), "rendered": scenes.pictures(indices)}
        for who, pictures in shown.items():
            for picture, record in zip(pictures, records, strict=True):
                energy[who] += sum(_energy(picture, box) for box in record["boxes"])
    return energy["painted"] / energy["rendered"]


def _energy(picture: Tensor, box: list[float]) -> float:
    side = picture.shape[-1]
    left, top, right, bottom = (round(edge * side) for edge in box)
    part = picture[:, top:bottom, left:right]
    across, down = part[..., 1:] - part[..., :-1], part[:, 1:] - part[:, :-1]
    return (across.square().sum() + down.square().sum()).item()


def kid(one: Tensor, other: Tensor) -> float:
    """Kernel Inception distance (Bińkowski et al. 2018), by any features (N, D) and (M, D).

    The unbiased estimate of the squared MMD with the kernel (x y / D + 1)^3.
    """

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x: Tensor) -> Tensor:
        near = kernel(x, x)
        return (near.sum() - near.trace()) / (len(x) * (len(x) - 1))

    one, other = one.double(), other.double()
    return (within(one) + within(other) - 2 * kernel(one, other).mean()).item()


def likeness(
    paint: Paint, judge: Judge, scenes: CaptionedPictures, number: int
) -> dict[str, float]:
    """KID, by the judge's features, between painted pictures and scenes, and between scenes.

    Paintings of the first `number` captions are compared with the next `number` scenes, and so are
    the scenes of these captions themselves.
    """
    first, second = _chunks(number), _chunks(2 * number)[len(_chunks(number)) :]
    with torch.inference_mode():
        painted = torch.cat([
            judge.features(_sized(paint([scenes.records[i]["captions"][0] for i in some])))
            for some in first
        ])  # fmt: skip
        true, others = (
            torch.cat([judge.features(scenes.pictures(some)) for some in half])
            for half in (first, second)
        )
    return {"painted": kid(painted, others), "rendered": kid(true, others)}


def train_judge(records: Path | str, backbone: Path | str, weights: Path | str) -> None:
    """Teach the judge on scenes, and write its weights."""
    scenes = CaptionedPictures(Path(records).parent, SIDE)
    save(train(scenes, load_file(backbone), Path(weights).with_suffix(""), **JUDGE), weights)


@dataclass(frozen=True)
class Scenes:
    """Folders of scenes that nothing was taught with."""

    held_out: Path | str  # the painter's world
    strangers: Path | str  # loose scenes in styles that are kept out of all training
    otherwise: Path | str  # known styles, laid out by another program

    def read(self, name: str, side: int = SIDE) -> CaptionedPictures:
        return CaptionedPictures(Path(getattr(self, name)).parent, side)


KINDS_ONLY = ("kind", "both kinds")


def measure(scenes: Scenes, judge: Path | str, bundle: Bundle, table: Path | str) -> None:
    """Write how good the bundle is as a table: who, how many scenes, what, and the figure."""
    taught = bundle.sizes("generator").get("codes")
    if taught != [*LAYOUT.values()]:
        raise UserError(
            f"{bundle.folder}: its painter was taught layouts with the codes {taught}, but the"
            f" storybook's scenes have {[*LAYOUT.values()]} now; teach it anew (snakemake train)."
        )
    home = scenes.read("held_out")
    strangers, otherwise = scenes.read("strangers"), scenes.read("otherwise")
    looker = read_judge(judge)
    describe = describer(bundle.network("captioner", "cpu"), bundle.words["captioner"])
    paint = painter_of(bundle)
    torch.manual_seed(0)
    scores = {
        "captions of rendered scenes": captioner(describe, home, 2000),
        "captions of drawings in two styles kept out": captioner(
            describe, strangers, len(strangers), KINDS_ONLY
        ),
        "captions of scenes of another layout program": captioner(
            describe, otherwise, len(otherwise), KINDS_ONLY
        ),
        "the judge, of rendered scenes": judged(looker, home, 2000),
        "the judge, of drawings in two styles kept out": judged(
            looker, strangers, len(strangers), KINDS_ONLY
        ),
        "painted pictures, by the judge": painter(paint, looker, home, 1000),
    }
    for rounds, after in kept(describe, paint, home, ROUNDS).items():
        scores[f"kept after {rounds} rounds"] = after
    rows = [
        (who, told.number, question, share)
        for who, told in scores.items()
        for question, share in told.shares.items()
    ]
    distances = likeness(paint, looker, home, 1000)
    rows += [
        ("captions of rendered scenes", 2000, "BLEU-4", bleu(describe, home, 2000)),
        ("painted pictures", 1000, "R-precision", precision(bundle, paint, home, 1000)),
        (
            "painted pictures",
            1000,
            "slopes",
            slopes(painter_as(bundle), scenes.read("held_out", 256), 200),
        ),
        ("candidates", 50, "variety", variety(paint, home, 50)),
        ("painted pictures", 1000, "KID", distances["painted"]),
        ("rendered scenes", 1000, "KID", distances["rendered"]),
    ]
    with written(table) as part, part.open("w", encoding="utf-8") as lines:
        lines.write("who\tnumber\twhat\tfigure\n")
        lines.writelines(f"{who}\t{number}\t{what}\t{x:.4f}\n" for who, number, what, x in rows)


def painter_as(bundle: Bundle) -> Callable[[list[dict]], Tensor]:
    """The bundle's painter, from records (captions and codes) to pictures of these very layouts."""
    text, generator = bundle.network("text_encoder", "cpu"), bundle.network("generator", "cpu")
    sizes = generator.config

    @torch.inference_mode()
    def paint(records: list[dict]) -> Tensor:
        ids, lengths = word_ids([r["captions"][0] for r in records], bundle.words["text_encoder"])
        words, sentence = text(ids, lengths)
        z = noise_for(torch.tensor([r["codes"] for r in records]), sizes.codes, sizes.noise)
        eps = torch.randn(len(ids), sizes.condition)
        padding = padding_of(lengths, ids.shape[1])
        return generator(z, eps, words, sentence, padding).pictures[-1]

    return paint


def painter_of(bundle: Bundle) -> Paint:
    """The bundle's painter, from sentences to pictures, each from noise of its own."""
    text, generator = bundle.network("text_encoder", "cpu"), bundle.network("generator", "cpu")
    sizes = generator.config

    @torch.inference_mode()
    def paint(captions: list[str]) -> Tensor:
        ids, lengths = word_ids(captions, bundle.words["text_encoder"])
        words, sentence = text(ids, lengths)
        z, eps = torch.randn(len(ids), sizes.noise), torch.randn(len(ids), sizes.condition)
        padding = padding_of(lengths, ids.shape[1])
        return generator(z, eps, words, sentence, padding).pictures[-1]

    return paint


def sentences_of(bundle: Bundle) -> Callable[[list[str]], Tensor]:
    """The bundle's text encoder, from B captions to their sentences (B, D)."""
    text = bundle.network("text_encoder", "cpu")

    def embed(captions: list[str]) -> Tensor:
        return text(*word_ids(captions, bundle.words["text_encoder"]))[1]

    return embed
