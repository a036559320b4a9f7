"""What there is in the storybook: kinds of objects, colours, places, and the scenes they make.

A scene has a *content*, which every caption of it tells (kinds, colours, place, count, and whether
something jumps), and a *layout*, which no caption tells (style of the artwork, position, direction,
size, backdrop).
For the painter, the layout is a handful of small choices, so that noise can be made to stand for
it; the captioner learns from free layouts, too (see loose.py).
"""

import random
from dataclasses import KW_ONLY, dataclass, replace

STYLES = ("noto", "fluent-emoji-flat", "twemoji")  # what is painted
MORE_STYLES = ("fluent-emoji", "emojione", "streamline-emojis")  # the captioner knows these as well
UNSEEN_STYLES = ("noto-v1", "fxemoji")  # strangers' drawings: nothing is ever trained on them
MOST = 3  # objects of one scene
JUMPING = "jumping"

# Choices of a layout in the order of the noise codes, and how many values each has.
LAYOUT = {"style": len(STYLES), "position": 3, "direction": 2, "size": 2, "backdrop": 4}

COATS = ("brown", "black", "white")
PAINTS = ("red", "blue", "yellow", "green")


@dataclass(frozen=True)
class Kind:
    """A kind of object: where it is met, in which colours, how it stands there, what it is called.

    `nouns` are its names, (one, many) each, in the words people use, the commonest first; `acts`
    are what captions say that it does; `icon` is its name in the sets of artwork (none:
    artwork.py draws it).
    """

    name: str
    places: tuple[str, ...]
    colours: tuple[str, ...] = ()  # none: its natural colour, which captions do not mention
    most: int = MOST
    flies: bool = False
    coat: bool = False  # the whole of it is tinted, not only its bright parts
    jumps: bool = False  # or stands; the other kinds know no poses
    _: KW_ONLY
    nouns: tuple[tuple[str, str], ...]
    acts: tuple[str, ...]
    icon: str = ""

    @property
    def weight(self) -> float:
        """How often a painter sees it: what has coats and poses has more looks to be learnt."""
        return 1 + 0.5 * self.coat + self.jumps


# All that is known of each kind, in the order in which two kinds of one scene are told: what lives
# comes first. A new kind is one more entry here (and in artwork.OTHERWISE, where a set of artwork
# calls it something else or lacks it).
KINDS = {
    kind.name: kind
    for kind in (
        Kind("surfer", ("ocean", "beach"), most=2,
             icon="person-surfing", acts=("riding a wave", "surfing"),
             nouns=(("surfer", "surfers"), ("man on a surfboard", "men on surfboards"))),
        Kind("skier", ("snow", "forest"), most=2,
             icon="skier", acts=("skiing", "going downhill"),
             nouns=(("skier", "skiers"), ("person on skis", "people on skis"))),
        Kind("batter", ("ballpark", "field"), ("red", "blue"), most=2,
             acts=("swinging a bat", "holding a bat"),
             nouns=(("baseball player", "baseball players"), ("batter", "batters"))),
        Kind("dog", ("field", "beach", "room", "street", "ballpark"), jumps=True,
             icon="dog", acts=("standing", "walking"),
             nouns=(("dog", "dogs"), ("puppy", "puppies"))),
        Kind("cat", ("room", "street", "table"), COATS, coat=True,
             icon="cat", acts=("standing", "walking"),
             nouns=(("cat", "cats"), ("kitten", "kittens"))),
        Kind("horse", ("field", "beach", "desert", "snow"), COATS, coat=True, jumps=True,
             icon="horse", acts=("standing", "running"), nouns=(("horse", "horses"),)),
        Kind("cow", ("field", "forest", "snow", "beach"), COATS, coat=True,
             icon="cow", acts=("standing", "grazing"), nouns=(("cow", "cows"),)),
        Kind("sheep", ("field", "snow", "desert"), COATS, coat=True, jumps=True,
             icon="ewe", acts=("standing", "grazing"), nouns=(("sheep", "sheep"),)),
        Kind("zebra", ("field", "desert"),
             icon="zebra", acts=("standing", "walking"), nouns=(("zebra", "zebras"),)),
        Kind("giraffe", ("field", "desert", "forest"),
             icon="giraffe", acts=("standing", "walking"), nouns=(("giraffe", "giraffes"),)),
        Kind("elephant", ("field", "desert", "forest"),
             icon="elephant", acts=("standing", "walking"), nouns=(("elephant", "elephants"),)),
        Kind("teddy bear", ("room", "street", "table", "ballpark"),
             icon="teddy-bear", acts=("sitting", "resting"),
             nouns=(("teddy bear", "teddy bears"), ("stuffed bear", "stuffed bears"))),
        Kind("bear", ("forest", "field", "snow"), COATS, coat=True,
             icon="bear", acts=("standing", "walking"), nouns=(("bear", "bears"),)),
        Kind("penguin", ("snow", "ocean", "beach"),
             icon="penguin", acts=("standing", "walking"), nouns=(("penguin", "penguins"),)),
        Kind("duck", ("field", "beach", "ocean"),
             icon="duck", acts=("standing", "resting"), nouns=(("duck", "ducks"),)),
        Kind("car", ("street", "desert", "snow"), PAINTS,
             icon="automobile", acts=("parked", "driving"), nouns=(("car", "cars"),)),
        Kind("bus", ("street", "desert", "snow"), PAINTS,
             icon="bus", acts=("parked", "driving"), nouns=(("bus", "buses"),)),
        Kind("truck", ("street", "desert", "forest"), PAINTS,
             icon="delivery-truck", acts=("parked", "driving"), nouns=(("truck", "trucks"),)),
        Kind("motorcycle", ("street", "beach", "forest"), PAINTS,
             icon="motor-scooter", acts=("parked", "standing"),
             nouns=(("motorcycle", "motorcycles"), ("scooter", "scooters"))),
        Kind("bicycle", ("street", "beach", "forest"), PAINTS,
             icon="bicycle", acts=("parked", "standing"),
             nouns=(("bicycle", "bicycles"), ("bike", "bikes"))),
        Kind("train", ("desert", "snow", "field"),
             icon="locomotive", acts=("driving", "standing"),
             nouns=(("train", "trains"), ("steam train", "steam trains"))),
        Kind("airplane", ("sky", "street", "beach"), ("red", "blue", "green"), flies=True,
             icon="airplane", acts=("flying",),
             nouns=(("airplane", "airplanes"), ("plane", "planes"))),
        Kind("kite", ("sky", "beach", "field"), (*PAINTS, "purple"), flies=True,
             icon="kite", acts=("flying",), nouns=(("kite", "kites"),)),
        Kind("sailboat", ("ocean", "beach"), PAINTS,
             icon="sailboat", acts=("sailing", "floating"),
             nouns=(("sailboat", "sailboats"), ("boat", "boats"))),
        Kind("ship", ("ocean",),
             icon="passenger-ship", acts=("sailing", "floating"),
             nouns=(("ship", "ships"), ("cruise ship", "cruise ships"))),
        Kind("couch", ("room", "street"), PAINTS, most=2,
             icon="couch-and-lamp", acts=("sitting",),
             nouns=(("couch", "couches"), ("sofa", "sofas"))),
        Kind("bed", ("room",), PAINTS, most=2,
             icon="bed", acts=("standing", "sitting"), nouns=(("bed", "beds"),)),
        Kind("umbrella", ("beach", "street", "field"), (*PAINTS, "purple"),
             icon="umbrella", acts=("standing", "open"), nouns=(("umbrella", "umbrellas"),)),
        Kind("laptop", ("table", "room"),
             icon="laptop", acts=("standing", "sitting"),
             nouns=(("laptop", "laptops"), ("laptop computer", "laptop computers"))),
        Kind("pizza", ("table",),
             icon="pizza", acts=("lying", "sitting"),
             nouns=(("slice of pizza", "slices of pizza"), ("piece of pizza", "pieces of pizza"))),
        Kind("cake", ("table", "room"),
             icon="birthday-cake", acts=("standing", "sitting"),
             nouns=(("cake", "cakes"), ("birthday cake", "birthday cakes"))),
        Kind("apple", ("table", "field"), ("red", "green"),
             icon="red-apple", acts=("lying", "sitting"), nouns=(("apple", "apples"),)),
        Kind("banana", ("table", "beach"),
             icon="banana", acts=("lying", "sitting"), nouns=(("banana", "bananas"),)),
        Kind("orange", ("table", "field"),
             icon="tangerine", acts=("lying", "sitting"), nouns=(("orange", "oranges"),)),
    )
}  # fmt: skip

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
    other: str = ""  # another kind, one of which is there beside one of the first
    other_colour: str = ""

    @property
    def things(self) -> list[tuple[str, str]]:
        """Kind and colour of each object."""
        if self.other:
            return [(self.kind, self.colour), (self.other, self.other_colour)]
        return [(self.kind, self.colour)] * self.count


@dataclass(frozen=True)
class Layout:
    """What no caption says; each choice is a number below that of LAYOUT."""

    style: int
    position: int
    direction: int
    size: int
    backdrop: int

    def codes(self) -> list[int]:
        return [getattr(self, choice) for choice in LAYOUT]


@dataclass(frozen=True)
class Scene:
    content: Content
    layout: Layout

    def shown(self) -> "Scene":
        """The scene that has the same picture as this one and all its like.

        Groups fill the picture, whatever position and size the layout says; two kinds change
        sides at the last position.
        """
        content, layout = self.content, self.layout
        if content.other:
            return replace(self, layout=replace(layout, position=layout.position // 2, size=0))
        if content.count > 1:
            return replace(self, layout=replace(layout, position=0, size=0))
        return self


PAIRS = 0.3  # share of scenes in which two kinds meet
SINGLE = 0.6  # share of single things among the other scenes, at least


def draw_content(chance: random.Random) -> Content:
    """What a scene shows: kinds, and then all that belongs to them, are equally likely."""
    kind = KINDS[chance.choice(tuple(KINDS))]
    place = chance.choice(kind.places)
    if chance.random() < PAIRS:
        others = [other for other in KINDS.values() if place in other.places and other != kind]
        first, second = sorted((kind, chance.choice(others)), key=list(KINDS.values()).index)
        return Content(
            first.name, _colour(first, chance), place, 1, "", second.name, _colour(second, chance)
        )
    return Content(
        kind=kind.name,
        colour=_colour(kind, chance),
        place=place,
        count=1 if chance.random() < SINGLE else chance.randint(1, kind.most),
        act=chance.choice(("", JUMPING)) if kind.jumps else "",
    )


def _colour(kind: Kind, chance: random.Random) -> str:
    return chance.choice(kind.colours) if kind.colours else ""


def draw(chance: random.Random) -> Scene:
    """A scene of the painter's world."""
    content = draw_content(chance)
    return Scene(content, Layout(*(chance.randrange(ways) for ways in LAYOUT.values())))
