"""Captions of scenes in COCO's manner, and the way back: what a caption says of a scene."""

import random
import re
from pathlib import Path

import yaml

from scripts.files import written
from scripts.storybook.world import COLOURS, JUMPING, KINDS, Content

SETTINGS = {
    "field": ("in a green field", "on a grassy hill", "in the grass"),
    "forest": ("in a forest", "in the woods", "near some trees"),
    "snow": ("in the snow", "on a snowy hill", "on snow covered ground"),
    "beach": ("on a beach", "on the sand by the water", "at a sandy beach"),
    "desert": ("in the desert", "among the sand dunes", "in a dry desert"),
    "street": ("on a city street", "in front of tall buildings", "on the street"),
    "ocean": ("in the ocean", "on the water", "out at sea"),
    "room": ("in a living room", "in a room with a window", "inside a room"),
    "sky": ("in a blue sky", "up in the clouds", "in the sky"),
    "ballpark": ("on a baseball field", "at a baseball game", "on a baseball diamond"),
    "table": ("on a table", "on a wooden table", "on a kitchen table"),
}

# What flies is above a place, not in it.
SETTINGS_ABOVE = {
    "field": ("over a green field", "above a grassy hill", "over the grass"),
    "beach": ("over a beach", "above the sand by the water", "over a sandy beach"),
    "street": ("over a city street", "above tall buildings", "over the street"),
    "sky": SETTINGS["sky"],
}

# What of a setting tells the place, asked in this order: a sandy beach is no desert.
SIGNS = {
    "ballpark": r"baseball (field|game|diamond)",
    "table": r"\btable\b",
    "beach": r"beach|sand by",
    "desert": r"desert|dunes",
    "snow": r"snow",
    "forest": r"forest|woods|trees",
    "room": r"room",
    "street": r"street|buildings",
    "ocean": r"ocean|on the water|at sea",
    "sky": r"sky|clouds",
    "field": r"field|grass",
}

NUMBERS = {1: ("a",), 2: ("two", "a couple of"), 3: ("three", "a group of three")}

DRESSED = ("batter",)  # their colour is that of their clothes

TEMPLATES = (
    "{things} {act} {setting}",
    "{things} {act} {setting}",
    "{things} that {be} {act} {setting}",
    "{things} {be} {act} {setting}",
    "there {be} {things} {act} {setting}",
    "{setting} {be} {doing}",
    "a picture of {doing} {setting}",
)

# Of two kinds, one of each.
TOGETHER = (
    "{one} beside {other} {setting}",
    "{one} next to {other} {setting}",
    "{one} and {other} {setting}",
    "there is {one} next to {other} {setting}",
    "{setting} there is {one} beside {other}",
    "a picture of {one} and {other} {setting}",
)
TURNED = 0.2  # how often the one that is usually told last is told first

NOUN_SIGNS = {
    kind: re.compile(r"\b(" + "|".join(sorted({w for pair in nouns for w in pair})) + r")\b")
    for kind, nouns in ((kind.name, kind.nouns) for kind in KINDS.values())
}

# The same with the colour before or behind the noun.
COLOURED = {
    kind: re.compile(
        rf"(?:\b(?P<before>{'|'.join(COLOURS)}) )?{sign.pattern}"
        rf"(?: in (?P<behind>{'|'.join(COLOURS)})\b)?"
    )
    for kind, sign in NOUN_SIGNS.items()
}


# A single thing, with what may stand before its noun.
ONE = re.compile(
    rf"\b(?:an?|one) (?:(?:{'|'.join((*COLOURS, JUMPING))}) )*"
    rf"(?:{'|'.join(sorted({one for kind in KINDS.values() for one, _ in kind.nouns}))})\b"
)


def _counted(number: str, noun: str) -> str:
    if number == "a" and noun[0] in "aeiou":
        return f"an {noun}"
    return f"{number} {noun}"


def _named(kind: str, colour: str, number: int, chance: random.Random) -> str:
    """A noun with its colour, in the singular or the plural, without a number."""
    one, many = chance.choice(KINDS[kind].nouns)
    noun = one if number == 1 else many
    if not colour:
        return noun
    return f"{noun} in {colour}" if kind in DRESSED else f"{colour} {noun}"


def describe(content: Content, flies: bool, chance: random.Random) -> str:
    """One sentence, lower case, with all of the content in it."""
    if content.other:
        return _describe_two(content, chance)
    noun = _named(content.kind, content.colour, content.count, chance)
    number = chance.choice(NUMBERS[content.count])
    settings = SETTINGS_ABOVE if flies else SETTINGS
    return chance.choice(TEMPLATES).format(
        things=_counted(number, noun),
        doing=_counted(number, f"{content.act} {noun}" if content.act else noun),
        act=content.act or chance.choice(KINDS[content.kind].acts),
        be="is" if content.count == 1 else "are",
        setting=chance.choice(settings[content.place]),
    )


def _describe_two(content: Content, chance: random.Random) -> str:
    told = [_counted("a", _named(kind, colour, 1, chance)) for kind, colour in content.things]
    if chance.random() < TURNED:
        told.reverse()
    setting = chance.choice(SETTINGS[content.place])
    return chance.choice(TOGETHER).format(one=told[0], other=told[1], setting=setting)


def captions(content: Content, flies: bool, chance: random.Random, number: int = 5) -> list[str]:
    """Several sentences that differ from each other, as those of several people do."""
    told: dict[str, None] = {}
    while len(told) < number:
        told[describe(content, flies, chance)] = None
    return list(told)


def things_of(caption: str) -> list[tuple[str, str]]:
    """The kinds that a caption names, in the order of KINDS, each with the colour said of it."""
    found = {}
    for kind in sorted(KINDS, key=lambda kind: -len(kind)):  # a teddy bear is no bear
        match = COLOURED[kind].search(caption)
        if match:
            found[kind] = match["before"] or match["behind"] or ""
            caption = NOUN_SIGNS[kind].sub("", caption)
    return [(kind, found[kind]) for kind in KINDS if kind in found]


def colour_of(caption: str) -> str:
    """The first colour in a caption; a green field and a blue sky are not its colour."""
    caption = re.sub(r"\b(green field|blue sky)\b", "", caption)
    return next((word for word in re.findall(r"\w+", caption) if word in COLOURS), "")


def place_of(caption: str) -> str:
    return next((place for place, sign in SIGNS.items() if re.search(sign, caption)), "")


def count_of(caption: str) -> int:
    """How many things a caption tells of; 0 if it does not say."""
    if re.search(r"\bthree\b", caption):
        return 3
    if re.search(r"\b(two|couple)\b", caption):
        return 2
    return 1 if ONE.search(caption) else 0


def act_of(caption: str) -> str:
    return JUMPING if re.search(rf"\b{JUMPING}\b", caption) else ""


def read(caption: str) -> Content:
    """What a caption says; "" where it says nothing. The inverse of `describe`."""
    things = things_of(caption)
    two = len(things) > 1
    kind, colour = things[0] if things else ("", "")
    other, other_colour = things[1] if two else ("", "")
    return Content(
        kind,
        colour if two else colour or colour_of(caption),
        place_of(caption),
        count_of(caption),
        act_of(caption),
        other,
        other_colour,
    )


def attributes() -> dict[str, dict[str, str]]:
    """The signs by which captions are read, as a table (models/storybook/attributes.yaml).

    Of two kinds, the table reads the one that `read` calls the first as `kind`, and then `second`;
    of two colours, the first in the alphabet. (In KINDS, teddy bears come before bears.)
    """
    return {
        "kind": {kind: NOUN_SIGNS[kind].pattern for kind in KINDS},
        "second": {kind: _second_sign(kind) for kind in reversed([*KINDS][1:])},
        "colour": {
            colour: rf"\b{colour}\b" + {"green": "(?! field)", "blue": "(?! sky)"}.get(colour, "")
            for colour in COLOURS
        },
        "place": dict(SIGNS),
        "count": {"3": r"\bthree\b", "2": r"\b(two|couple)\b", "1": ONE.pattern},
        "act": {JUMPING: rf"\b{JUMPING}\b"},
    }


def _second_sign(kind: str) -> str:
    """An expression found in captions with this kind and one that comes before it in KINDS."""
    kinds = [*KINDS]
    before = [noun for other in kinds[: kinds.index(kind)] for noun, _ in KINDS[other].nouns]
    tails = [noun.removesuffix(kind) for noun in before if noun.endswith(f" {kind}")]
    alone = "".join(f"(?<!{tail})" for tail in tails)  # a teddy bear is no bear
    return rf"^(?=.*\b(?:{'|'.join(before)})\b).*{alone}{NOUN_SIGNS[kind].pattern}"


def write_attributes(path: Path | str) -> None:
    """Write the table of `attributes` as models/storybook/attributes.yaml has it."""
    about = (
        "# What captions tell of a scene, by which drift is read: attribute, value, regular\n"
        "# expression. The first value whose expression is found is what a caption says. Made by\n"
        "# `snakemake training/storybook/attributes.yaml` from the storybook's grammar.\n"
    )
    with written(path) as part:
        part.write_text(about + yaml.safe_dump(attributes(), sort_keys=False, width=100))
