"""How good a storybook bundle is, on scenes that it never saw."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from scripts.storybook.grammar import read
from scripts.storybook.judge import Judge
from scripts.storybook.world import Content
from scripts.training.dataset import CaptionedPictures

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
    return [
        list(range(first, min(first + AT_ONCE, number))) for first in range(0, number, AT_ONCE)
    ]
