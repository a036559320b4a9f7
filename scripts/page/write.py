"""The page to look at: results/index.html of all chains, results/<chain>/index.html of one.

Both work from the disk, without a server. What a page tells is data; its script lays it out, and
puts every caption and name into the page as text, never as markup.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from scripts.chains import parse
from scripts.errors import UserError
from scripts.files import written
from scripts.page import standing, story, thumbnails
from scripts.page.standing import Standing
from scripts.untrusted.files import is_text
from scripts.untrusted.pictures import open_picture

HERE = Path(__file__).parent
BESIDE = "index_files"  # the folder of what a page needs, named as browsers name it
FindBase = Callable[[str], Path]  # the base file of an image; raises UserError


def front(
    results: Path | str, find_base: FindBase, *, seed: int, bundle: str, threads: int = 1
) -> int:
    """Writes the page of all chains in a results folder, and tells how many there are.

    Thumbnails that are newer than their pictures are kept. Raises UserError if a file cannot be
    written.
    """
    folder = Path(results)
    chains = [chain for chain in standing.every_chain(folder) if chain.rounds]
    bases: dict[str, Path | None] = {}  # by image: chains of one image share a copy

    def tell(chain: Standing) -> dict[str, Any] | None:
        try:
            base = _base(chain, find_base, seed, bundle)
            told = story.tell(chain, base, seed, bundle)
        except (UserError, OSError):
            return None  # not a chain, or one that changes while we look
        bases[told["image"]] = base
        _draw_thumbnails(chain, base, told["shown"], folder / BESIDE)
        return told

    def copy(image: str) -> str | None:
        return _copy_base(bases[image], image, folder / BESIDE)

    with ThreadPoolExecutor(threads) as pool:
        stories = [told for told in pool.map(tell, chains) if told is not None]
        copies = dict(zip(bases, pool.map(copy, bases), strict=True))
    for told in stories:
        told["base"] = copies[told["image"]]
    with written(folder / BESIDE / "data.js") as part:
        part.write_text(f"telephone = {_script({'chains': stories})};\n", encoding="utf-8")
    _render("front.html", folder / "index.html", chains=stories, beside=BESIDE)
    return len(stories)


def one(folder: Path | str, find_base: FindBase, *, seed: int, bundle: str) -> None:
    """Writes the page of one chain, which needs no file besides the chain's own.

    Raises UserError if no round of the chain is there, or a file cannot be written.
    """
    folder = Path(folder)
    chain = standing.chain(folder)
    if chain is None or not chain.rounds:
        raise UserError(f"{folder}: no round of this chain has been played.")
    base = _base(chain, find_base, seed, bundle)
    told = story.tell(chain, base, seed, bundle)
    picture = _picture(base)
    if picture is not None:
        content = base64.b64encode(thumbnails.encoded(picture)).decode()
        told["base"] = f"data:image/webp;base64,{content}"
    data = _script({"chains": [told], "alone": True})
    beside = (folder.parent / "index.html").exists()
    _render("chain.html", folder / "index.html", chain=told, data=data, all_games=beside)


def _base(chain: Standing, find_base: FindBase, seed: int, bundle: str) -> Path | None:
    """The base file of a chain; None where it is gone. Raises UserError if it is no chain."""
    image = parse(chain.name, seed, bundle).image
    try:
        return find_base(image)
    except UserError:
        return None


def _picture(base: Path | None):
    """The base picture; None of a text, or where it is gone or cannot be read."""
    if base is None or is_text(base):
        return None
    try:
        return open_picture(base)
    except UserError:
        return None


def _copy_base(base: Path | None, image: str, beside: Path) -> str | None:
    """The name of a copy of the base picture that browsers can show, made where it is missing."""
    copy = beside / f"{image}.base.webp"
    if base is not None and not thumbnails.is_newer(copy, [base]):
        picture = _picture(base)
        if picture is None:
            return None
        thumbnails.large(picture, copy)
    return f"{BESIDE}/{copy.name}" if copy.exists() else None


def _draw_thumbnails(chain: Standing, base: Path | None, rounds: list[int], beside: Path) -> None:
    out = beside / f"{chain.name}.webp"
    pictures = [chain.folder / f"round{n}.png" for n in rounds if n]
    sources = pictures if base is None else [base, *pictures]
    if not thumbnails.is_newer(out, sources):
        thumbnails.draw([_picture(base), *pictures], out)


def _script(data: Any) -> str:
    """Data as a JavaScript literal that no caption can break out of, in a file or in a page."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _render(template: str, out: Path, **told: Any) -> None:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    own = {name: (HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js")}
    page = environment.get_template(template).render(css=own["page.css"], js=own["page.js"], **told)
    with written(out) as part:
        # A caption may hold half of a character pair, which UTF-8 has no bytes for.
        part.write_text(page, encoding="utf-8", errors="replace", newline="\n")
