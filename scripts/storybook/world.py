"""What there is in the storybook: kinds of objects, colours, places, and the scenes they make.

A scene has a *content*, which every caption of it tells (kind, colour, place, count, and whether
it jumps), and a *layout*, which no caption tells (style of the artwork, position, direction,
backdrop).
The layout is a handful of small choices, so that noise can be made to stand for it.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

STYLES = ("noto", "fluent-emoji-flat", "twemoji")
MOST = 3  # objects of one scene
JUMPING = "jumping"

# Choices of a layout in the order of the noise codes, and how many values each has.
LAYOUT = {"style": len(STYLES), "position": 3, "direction": 2, "backdrop": 3}

COATS = ("brown", "black", "white")
PAINTS = ("red", "blue", "yellow", "green")


@dataclass(frozen=True)
class Kind:
    """A kind of object: where it is met, in which colours, and how it stands there."""

    name: str
    places: tuple[str, ...]
    colours: tuple[str, ...] = ()  # none: its natural colour, which captions do not mention
    most: int = MOST
    flies: bool = False
    coat: bool = False  # the whole of it is tinted, not only its bright parts
    jumps: bool = False  # or stands; the other kinds know no poses


KINDS = {
    kind.name: kind
    for kind in (
        Kind("cow", ("field", "forest", "snow", "beach"), COATS, coat=True),
        Kind("bear", ("forest", "field", "snow"), COATS, coat=True),
        Kind("sheep", ("field", "snow", "desert"), COATS, coat=True, jumps=True),
        Kind("horse", ("field", "beach", "desert", "snow"), COATS, coat=True, jumps=True),
        Kind("dog", ("field", "beach", "room", "street"), jumps=True),
        Kind("penguin", ("snow", "ocean", "beach")),
        Kind("elephant", ("field", "desert", "forest")),
        Kind("giraffe", ("field", "desert", "forest")),
        Kind("car", ("street", "desert", "snow"), PAINTS),
        Kind("bus", ("street", "desert", "snow"), PAINTS),
        Kind("truck", ("street", "desert", "forest"), PAINTS),
        Kind("motorcycle", ("street", "beach", "forest"), PAINTS),
        Kind("train", ("desert", "snow", "field")),
        Kind("airplane", ("sky", "street", "beach"), ("red", "blue", "green"), flies=True),
        Kind("kite", ("sky", "beach", "field"), (*PAINTS, "purple"), flies=True),
        Kind("sailboat", ("ocean", "beach"), PAINTS),
        Kind("couch", ("room", "street"), PAINTS, most=2),
        Kind("teddy bear", ("room", "street", "ballpark")),
        Kind("umbrella", ("beach", "street", "field"), (*PAINTS, "purple")),
        Kind("surfer", ("ocean", "beach"), most=2),
        Kind("batter", ("ballpark", "field"), ("red", "blue"), most=2),
    )
}

PLACES = tuple(sorted({place for kind in KINDS.values() for place in kind.places}))
COLOURS = tuple(sorted({colour for kind in KINDS.values() for colour in kind.colours}))


@dataclass(frozen=True)
class Content:
    """What every caption of a scene says."""

    kind: str
    colour: str  # "" where the kind has its natural colour
    place: str
    count: int
    act: str = ""  # "jumping", or "" for what the kind does anyway


@dataclass(frozen=True)
class Layout:
    """What no caption says; each choice is a number below that of LAYOUT."""

    style: int
    position: int
    direction: int
    backdrop: int

    def codes(self) -> list[int]:
        return [getattr(self, choice) for choice in LAYOUT]


@dataclass(frozen=True)
class Scene:
    content: Content
    layout: Layout

    def shown(self) -> "Scene":
        """The scene that has the same picture as this one and all its like.

        Groups fill the picture, whatever position the layout says.
        """
        if self.content.count == 1:
            return self
        return replace(self, layout=replace(self.layout, position=0))


def draw(chance: random.Random) -> Scene:
    """A scene in which kinds, and then all that belongs to them, are equally likely."""
    kind = KINDS[chance.choice(tuple(KINDS))]
    content = Content(
        kind=kind.name,
        colour=chance.choice(kind.colours) if kind.colours else "",
        place=chance.choice(kind.places),
        count=chance.randint(1, kind.most),
        act=chance.choice(("", JUMPING)) if kind.jumps else "",
    )
    return Scene(content, Layout(*(chance.randrange(ways) for ways in LAYOUT.values())))


def every() -> Iterator[Scene]:
    """All scenes that show something else than any other one."""
    layouts = [Layout(*choices) for choices in product(*map(range, LAYOUT.values()))]
    for kind in KINDS.values():
        contents = product(
            [kind.name],
            kind.colours or ("",),
            kind.places,
            range(1, kind.most + 1),
            ("", JUMPING) if kind.jumps else ("",),
        )
        for content, layout in product(contents, layouts):
            scene = Scene(Content(*content), layout)
            if scene.shown() == scene:
                yield scene
