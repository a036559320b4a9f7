"""Chains: their names, and the base files that they start from."""

import difflib
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.errors import UserError
from scripts.untrusted.files import PICTURES, TEXT, is_picture, is_text

TRUTH = "truth.tsv"  # beside base files: what is in them, for the figures of drift
ENDLESS = re.compile(r"(.+)\1{19}$")
PATHVAR = re.compile(r"<[a-z][a-z0-9_]*>")
LARGEST_SEED = 2**64 - 1
# Snakemake plans a chain as a whole: 3,000 rounds in 30 s and 1.1 GB, 10,000 in minutes and 4 GB.
MOST_ROUNDS = 4000
# What the game itself keeps in results/.
OWN_NAMES = ("study", "library", "verify.tsv", "index.html")


@dataclass(frozen=True)
class Chain:
    """One game: an image, the seed, the bundle and the passage that it is played with."""

    name: str
    image: str
    seed: int
    bundle: str  # of round 1
    bundles: tuple[str, ...] = ()  # that play in turn, a round each; none: the one above
    passage: tuple[str, ...] = ()  # what is between the rounds: see scripts/channel.py

    def bundle_at(self, round_: int) -> str:
        """The bundle that plays a round."""
        return self.bundles[(round_ - 1) % len(self.bundles)] if self.bundles else self.bundle

    @property
    def repeats(self) -> bool:
        """Whether the painter is given the first caption again and again."""
        return "repeat" in self.passage

    @property
    def played_by(self) -> str:
        """Bundles and passage, as the name writes them: what a study compares."""
        return "~".join([",".join(self.bundles) or self.bundle, *self.passage])


def parse(name: str, seed: int, bundle: str, passage: Sequence[str] = ()) -> Chain:
    """The chain called `<image>[@<seed>][+<bundle>[,<bundle>…][~<passage>…]]`.

    `seed`, `bundle` and `passage` are those of a name that has none. Raises UserError if the name
    is none of a chain, or not the one way to write it.
    """
    rest, plus, own = name.partition("+")
    own_bundle, tilde, own_passage = own.partition("~")
    image, at, own_seed = rest.partition("@")
    if not image or (plus and not own) or "+" in own or (tilde and not own_passage):
        raise UserError(
            f"{name}: this is not the name of a chain. "
            "Write an image, then @ and a seed, then + and a bundle, if you like: cow@7+coco."
        )
    if "@" in own_bundle:
        own_bundle, _, own_seed = own_bundle.partition("@")
        raise UserError(
            f"{name}: the seed comes before the bundle; write {image}@{own_seed}+{own_bundle}."
        )
    if at and not re.fullmatch(r"0|[1-9][0-9]*", own_seed):
        raise UserError(f"{name}: the seed after @ is {_read_number(own_seed)}; write {image}@7.")
    if at and (len(own_seed) > 20 or int(own_seed) > LARGEST_SEED):
        raise UserError(f"{name}: the seed after @ is too large; {LARGEST_SEED} is the largest.")
    check_image(image)
    turns = tuple((own_bundle or bundle).split(","))
    if not all(turns):
        raise UserError(
            f"{name}: a bundle is missing beside a comma; write {image}+coco,storybook."
        )
    if tilde:
        passage = () if own_passage == "none" else own_passage.split("~")
    return Chain(
        name,
        image,
        int(own_seed) if at else seed,
        turns[0],
        turns if len(turns) > 1 else (),
        tuple(passage),
    )


def parse_round(written: str, chain: str) -> int:
    """The number of a round. Raises UserError unless it is 1, 2, 3, …"""
    if re.fullmatch(r"[1-9][0-9]*", written):
        if len(written) > 6 or int(written) > MOST_ROUNDS:
            raise UserError(
                f"results/{chain}: a chain has {MOST_ROUNDS} rounds at the most. To play on from "
                "its last picture, copy that into input/ under another name."
            )
        return int(written)
    if written and not written.strip("0"):
        raise UserError(
            f"results/{chain}: there is no round 0 to play, since that is the base picture itself. "
            "Rounds are counted from 1; ask for round1."
        )
    raise UserError(
        f"results/{chain}: the round is {_read_number(written)}; rounds are round1, round2, …"
    )


def _read_number(written: str) -> str:
    """What was written where a whole number was wanted, in words."""
    if not written:
        return "missing"
    if re.fullmatch(r"0+[0-9]+", written):
        return f"written with leading zeros, {written!r}"
    return f"{written!r}, not a whole number"


def check_image(image: str) -> None:
    """Raises UserError if an image of this name cannot be played."""
    if wrong := _wrong_name(image):
        raise UserError(
            f"input/{_printable(image)}: the name of an image {wrong}. Rename the file."
        )


def _wrong_name(image: str) -> str:
    """Why an image cannot have this name, as part of a sentence; "" if it can."""
    odd = next((letter for letter in image if letter in "/@+{}" or not letter.isprintable()), None)
    if odd is not None:
        return f"cannot hold {odd!r}, since file names of the game are made from it"
    if found := PATHVAR.search(image):
        return f"cannot hold {found[0]!r}, which Snakemake takes for a variable"
    if again := ENDLESS.search(image):
        return f"cannot end in {again[1]!r} twenty times, which Snakemake takes for an endless loop"
    if image in OWN_NAMES:
        return f"cannot be {image!r}, since results/{image} is for something else"
    return ""


@dataclass(frozen=True)
class BaseFiles:
    """The base pictures and texts in a folder."""

    folder: Path
    files: dict[str, tuple[str, ...]]  # image: its files' names; one, if all is well
    misnamed: dict[str, str]  # names of pictures and texts that cannot be played: why not
    others: tuple[str, ...]  # names of files of other kinds

    @classmethod
    def read(cls, folder: Path | str) -> "BaseFiles":
        """Lists the folder. A folder that is not there is one without files.

        An image has the same name however its letters are encoded: é may be one character (NFC) or
        two (NFD, as macOS and some archives write it).
        """
        files: dict[str, tuple[str, ...]] = {}
        misnamed: dict[str, str] = {}
        others = []
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        for name in names:
            image, ending = os.path.splitext(name)
            image = composed(image)
            if is_picture(name) or is_text(name):
                if name.startswith("."):
                    misnamed[name] = "a file whose name begins with a dot is hidden"
                elif wrong := _wrong_name(image):
                    misnamed[name] = f"the name of an image {wrong}"
                else:
                    files[image] = (*files.get(image, ()), name)
            elif not name.startswith(".") and name != TRUTH:
                others.append(name)
        return cls(Path(folder), files, misnamed, tuple(others))

    def left_out(self, most: int = 20) -> list[str]:
        """A sentence for each picture and text that cannot be played because of its name, and for
        each file of another kind."""
        told = [
            f"{self.folder}/{_printable(name)} is left out: {why}. Rename it to play it."
            for name, why in self.misnamed.items()
        ]
        told += [
            f"{self.folder}/{_printable(name)} is left out: files of this kind cannot be played."
            for name in self.others
        ]
        more = [f"… and {len(told) - most} more are left out."] if len(told) > most else []
        return told[:most] + more

    def check_name(self, chain: str) -> None:
        """Raises UserError if the name of a chain is that of a file which cannot have it."""
        for name, why in self.misnamed.items():
            if os.path.splitext(name)[0] == chain:
                raise UserError(f"{self.folder}/{_printable(name)}: {why}. Rename the file.")

    def find(self, image: str) -> Path:
        """The base file of an image.

        Raises UserError if there is none, or more than one, or it lies elsewhere.
        """
        found = self.files.get(composed(image), ())
        if not found:
            raise UserError(self._missing(image))
        if len(found) > 1:
            both = " and ".join(f"{self.folder}/{name}" for name in found)
            raise UserError(f"{both}: which one is {image}? Rename or remove all but one.")
        path = self.folder / found[0]
        if path.is_symlink() and leads_out(path, self.folder):
            raise UserError(
                f"{path}: this is a link to a file outside of {self.folder}/. Copy the file there."
            )
        if not path.is_file():
            links = " It is a link to nothing." if path.is_symlink() else ""
            raise UserError(f"{path}: this is not a file.{links}")
        return path

    def _missing(self, image: str) -> str:
        wrong = [name for name in self.others if os.path.splitext(name)[0] == image]
        if wrong:
            return (
                f"{self.folder}/{wrong[0]}: a file of this kind cannot be played. "
                f"Base files end in {' '.join(PICTURES)} or {TEXT}."
            )
        start = f"{self.folder}/ holds no picture and no text called {image}."
        if not self.files:
            return f"{start} It holds none at all: put {image}.jpg there."
        if close := near(image, self.files):
            return f"{start} Did you mean {' or '.join(close)}? {self._held()}"
        return f"{start} {self._held()}"

    def _held(self, most: int = 20) -> str:
        images = sorted(self.files)
        more = f" and {len(images) - most} more" if len(images) > most else ""
        return f"It holds {', '.join(images[:most])}{more}."


def composed(name: str) -> str:
    """The name with é as one character (NFC)."""
    return unicodedata.normalize("NFC", name)


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def leads_out(link: Path, folder: Path) -> bool:
    """Whether a link leads to somewhere outside of a folder."""
    return not Path(os.path.realpath(link)).is_relative_to(os.path.realpath(folder))


def check_folders(path: Path, folder: Path) -> None:
    """Raises UserError if a file is where a chain's folder belongs, or one of those in it."""
    for one in (
        folder,
        path,
        *(path / name for name in ("captions", "candidates", "attention")),
    ):
        if one.exists() and not one.is_dir():
            raise UserError(
                f"{one}: this is a file, and the game needs a folder of that name. Move the file"
                " elsewhere."
            )


def check_links(path: Path, folder: Path) -> None:
    """Raises UserError if `path`, which lies in `folder`, is or holds a link that leads out of it.

    (The folder itself may be a link: results/ on a larger disk.)
    """
    if path.is_symlink():
        if leads_out(path, folder):
            raise UserError(
                f"{path}: this is a link out of {folder}/, where nothing is read or written. "
                "Remove it."
            )
    elif path.is_dir():
        for entry in os.scandir(path):
            if entry.is_symlink() or entry.is_dir():
                check_links(path / entry.name, folder)


def near(word: str, known: Iterable[str]) -> list[str]:
    """The known words that look like this one, best first; upper and lower case are alike."""
    by_lower = {candidate.lower(): candidate for candidate in sorted(known)}
    return [by_lower[found] for found in difflib.get_close_matches(word.lower(), by_lower)]
