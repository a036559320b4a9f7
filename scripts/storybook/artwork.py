"""Sprites: one object in one style and colour, cut out, from the artwork's own vector files.

Sets of emoji come from npm packages, fetched once and checked; a bear's body and the batter are
drawn here, since no set has them.
"""

import base64
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image

from scripts.errors import UserError
from scripts.files import written
from scripts.storybook.world import KINDS, MORE_STYLES, STYLES

# package version, sha512 of its archive as npm publishes it, licence of the artwork
PACKAGES = {
    "noto": (
        "1.2.9",
        "DQiuXENbun41ch+XPSV55H9FaWKpHTyz46YIKtSaKYD4fIDDzL1tR6H4np/T38jfrTAeI3rcKF0mqHYeZVAuaw==",
        "Apache-2.0",
    ),
    "fluent-emoji-flat": (
        "1.2.6",
        "RY47RgPb47fYUiyrA64sIOL0+UU02s29sXpNBbIQRBUlPlfNFTKUmZDERGuxDs/7yNGWqQYvuaSYM1M4fRXlUw==",
        "MIT",
    ),
    "twemoji": (
        "1.2.5",
        "uKpuIEV0v6K5BW3Mjdyl+XKFVAbbcPxAgifKvEMtZoUZB5+YiY5zaMm2uNNCxyXzAWU9yNLlj41WU6/mvgALsw==",
        "CC BY 4.0",
    ),
    "fluent-emoji": (
        "1.2.7",
        "D8G6bKAyIsyxP1rzZtIWr/gg/fO4Rg1+DyCWlfqKK4h8W+4Em/Y0P6QYgJUQTlUcagzJvSyg+9OBv4hz4Hc/QA==",
        "MIT",
    ),
    "emojione": (
        "1.2.3",
        "T9+T3HIbJNLKKsmxYKlaYhvnHYkz/HNYTV7SHCXVZPfeUi4FqskY70YeN8yYAZT8cCv7w5vJxS4Q1m8zb9CMMg==",
        "CC BY 4.0",
    ),
    "streamline-emojis": (
        "1.2.4",
        "iNr9T9XuZVTyQPJO8ZlLxBzPkpi7qMl+z1l0C31vpEMqhPMelth3n7CeWQYtixdetDPdI81yeG4ROqjWpYJE6A==",
        "CC BY 4.0",
    ),
    "noto-v1": (
        "1.2.5",
        "/DsVMius69Q0fRS53z7QK1TROSuar606jiIx+laXtdsYGMXpf6LtHBx6CGfoo3UHHb/XpBsw+1L1x3eyPqMuVA==",
        "Apache-2.0",
    ),
    "fxemoji": (
        "1.2.2",
        "UAasRaxzFUKfIGSmLwnoarsssA4LX0VLLuEmplIqM6ZNQqIQRtav8tZ4H1neTlBreXuMQyAifr5jP4kn78DpiQ==",
        "Apache-2.0",
    ),
}

TRAINED_STYLES = (*STYLES, *MORE_STYLES)

# Where a set calls an icon something else; None where it has none, or shows a head, a card or
# something that is not the kind.
OTHERWISE: dict[str, dict[str, str | None]] = {
    "twemoji": {"zebra": None, "surfer": None, "skier": None, "ship": None},
    "emojione": {
        "cow": None, "sheep": "ram", "dog": None, "cat": None, "bear": "bear-face",
        "laptop": "laptop-computer",
    },
    "streamline-emojis": {
        "sheep": "ram", "bear": "bear-face", "motorcycle": None, "pizza": "pizza-1",
        "cake": "shortcake", "ship": None,
    },
    "noto-v1": {"elephant": None, "surfer": None, "skier": None, "laptop": None},
    "fxemoji": {
        "cat": "catside", "dog": "dogside", "sheep": "sheep", "truck": "deliverytruck",
        "motorcycle": "motorcycle", "train": "steamlocomotive", "sailboat": None, "ship": None,
        "umbrella": None, "surfer": None, "pizza": "sliceofpizza", "cake": "birthdaycake",
        "apple": "redapple", "laptop": None,
    },
}  # fmt: skip

# More icons that show a kind: those who look at pictures learn from all of them (see loose.py), the
# painter paints the first one only.
MORE_ICONS = {
    "dog": ("guide-dog", "service-dog", "poodle"),
    "cat": ("black-cat",),
    "cow": ("ox", "water-buffalo"),
    "sheep": ("ram", "ewe", "ewe-1", "ewe-2"),
    "penguin": ("penguin-2",),
    "car": ("sport-utility-vehicle", "taxi", "oncoming-automobile"),
    "bus": ("minibus", "trolleybus", "oncoming-bus"),
    "truck": ("articulated-lorry", "pickup-truck"),
    "motorcycle": ("motorcycle",),
    "airplane": ("small-airplane",),
    "ship": ("passenger-ship", "ferry"),
    "umbrella": ("umbrella-on-ground",),
    "pizza": ("pizza-2",),
    "cake": ("shortcake", "shortcake-1", "birthday-cake-2"),
}

# Hue (in turns), how colourful, how bright: what a saturated part of the artwork becomes.
PAINT = {
    "red": (0.99, 0.85, 0.85),
    "blue": (0.61, 0.85, 0.85),
    "yellow": (0.14, 0.90, 1.00),
    "green": (0.36, 0.80, 0.62),
    "purple": (0.77, 0.65, 0.75),
}

# What is painted where it is not the commonest hue: hues from, to; colourfulness from, to.
PAINTED = {
    ("bus", "noto"): (0.0, 0.17, 0.12, 1.0),
    ("bus", "fluent-emoji-flat"): (0.06, 0.17, 0.4, 1.0),
    ("bus", "twemoji"): (0.0, 1.0, 0.0, 0.35),
    ("kite", "noto"): (0.0, 1.0, 0.3, 1.0),
    ("kite", "fluent-emoji-flat"): (0.0, 1.0, 0.3, 1.0),
    ("sailboat", "fluent-emoji-flat"): (0.09, 0.17, 0.3, 1.0),
}

# Dark tone, bright tone, and the bend between: below 1 the middle tones are bright.
COAT = {
    "brown": ((62, 32, 14), (176, 112, 62), 1.0),
    "black": ((8, 8, 10), (84, 82, 86), 1.0),
    "white": ((72, 70, 74), (252, 250, 246), 0.25),
}


DRAWN = 320  # pixels, of an icon before it is cut out and brought to its size
TILT = 24  # degrees, of what jumps


def fetch(style: str, destination: Path | str) -> None:
    """Write the icons of one set, taken from its npm package, as iconify's JSON.

    Raises UserError where npm is missing or the package is not the one that we know.
    """
    version, integrity, _ = PACKAGES[style]
    package = f"@iconify-json/{style}@{version}"
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, package]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except FileNotFoundError:
            raise UserError(
                "npm is missing: it fetches the storybook's artwork. Install Node.js."
            ) from None
        except subprocess.CalledProcessError as error:
            raise UserError(f"npm could not fetch {package}: {error.stderr.strip()}") from None
        (archive,) = Path(folder).iterdir()
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if digest != integrity:
            raise UserError(f"{package} is not the package we know: its sha512 is {digest}.")
        with tarfile.open(archive) as tar:
            icons = tar.extractfile("package/icons.json")
            with written(destination) as part:
                part.write_bytes(icons.read())


class Artwork:
    """Sprites of icon sets, which are files called `<style>.json` as `fetch` writes them."""

    def __init__(self, files: Iterable[Path | str]) -> None:
        self.sets = {Path(file).stem: json.loads(Path(file).read_text()) for file in files}
        self.whole = lru_cache(maxsize=None)(self._whole)
        self.sprite = lru_cache(maxsize=None)(self._sprite)

    def styles_of(self, kind: str, among: Iterable[str]) -> list[str]:
        """Those of some styles that have such an object."""
        drawn = kind == "batter"
        return [style for style in among if drawn or self._icon(kind, style) is not None]

    def painted_style(self, kind: str, number: int) -> str:
        """The style that a layout's number stands for; a set without the object gives way."""
        having = self.styles_of(kind, STYLES)
        style = STYLES[number]
        return style if style in having else having[number % len(having)]

    def _sprite(
        self, kind: str, style: int, colour: str, side: int, mirrored: bool, tilted: bool
    ) -> Image.Image:
        """RGBA, the object cut to its outline, its larger side `side` pixels."""
        picture = self.whole(kind, self.painted_style(kind, style), colour)
        scale = side / max(picture.size)
        if tilted:  # the artwork's animals look to the left: their heads go up
            picture = picture.rotate(-TILT, Image.Resampling.BICUBIC, expand=True)
            picture = _cut(picture)
        size = tuple(max(1, round(edge * scale)) for edge in picture.size)
        picture = picture.resize(size, Image.Resampling.LANCZOS)
        return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else picture

    def _whole(self, kind: str, style: str, colour: str, name: str = "") -> Image.Image:
        """RGBA, the object in its colour as it is drawn, cut to its outline.

        `name` is one of `icons_of` this kind and style; without it, the first one is drawn.
        """
        picture = _cut(draw_svg(self._svg(kind, style, colour, name), DRAWN))
        if not colour or kind == "batter":
            return picture
        part = None if name else PAINTED.get((kind, style))
        return _tint(picture, colour) if KINDS[kind].coat else _paint(picture, colour, part)

    def icons_of(self, kind: str, style: str) -> list[str]:
        """The names of a set's icons that show a kind; "" is the one that the painter paints."""
        first = [""] if kind == "batter" or self._icon(kind, style) is not None else []
        others = MORE_ICONS.get(kind, ())
        return first + [name for name in others if self._icon(kind, style, name) is not None]

    def _icon(self, kind: str, style: str, name: str = "") -> dict | None:
        """The icon of a set, or None."""
        icons = self.sets[style]
        name = name or OTHERWISE.get(style, {}).get(kind, KINDS[kind].icon)
        if name is None:
            return None
        alias = icons.get("aliases", {}).get(name)
        return icons["icons"].get(alias["parent"] if alias else name)

    def _svg(self, kind: str, style: str, colour: str, name: str = "") -> str:
        if kind == "batter":
            return _batter(style, colour)
        icons, icon = self.sets[style], self._icon(kind, style, name)
        width = icon.get("width", icons.get("width", 16))
        height = icon.get("height", icons.get("height", 16))
        if kind == "bear":
            return _bear(icon["body"], width, style)
        return svg(f"0 0 {width} {height}", icon["body"])


def svg(box: str, body: str) -> str:
    link = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {link} viewBox="{box}">{body}</svg>'


def draw_svg(svg: str, side: int) -> Image.Image:
    """RGBA, `side` pixels wide and high."""
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side))
    return Image.open(io.BytesIO(png)).convert("RGBA")


def _cut(picture: Image.Image) -> Image.Image:
    return picture.crop(picture.getchannel("A").getbbox())


def _bear(face: str, side: float, style: str) -> str:
    """A bear on four legs under the set's own face."""
    fur, shade = {
        "noto": ("#795548", "#5d4037"),
        "fluent-emoji-flat": ("#a56953", "#8c5543"),
        "twemoji": ("#c1694f", "#a0503a"),
    }.get(style, ("#8d6248", "#6f4a35"))
    scale = 46 / side
    return svg(
        "0 0 100 76",
        f'<g fill="{shade}"><rect x="34" y="44" width="13" height="30" rx="6"/>'
        f'<rect x="72" y="44" width="13" height="30" rx="6"/></g>'
        f'<circle cx="94" cy="34" r="5" fill="{shade}"/>'
        f'<ellipse cx="60" cy="38" rx="37" ry="22" fill="{fur}"/>'
        f'<ellipse cx="56" cy="48" rx="26" ry="9" fill="{shade}" opacity="0.35"/>'
        f'<g fill="{fur}"><rect x="24" y="44" width="14" height="32" rx="6"/>'
        f'<rect x="82" y="42" width="14" height="34" rx="6"/></g>'
        f'<g transform="translate(2 2) scale({scale})">{face}</g>',
    )


def _batter(style: str, colour: str) -> str:
    """A baseball player with the bat over his shoulder."""
    cloth = {"red": "#d32f2f", "blue": "#1e63c8"}[colour]
    skin, trousers, bat = {
        "noto": ("#e0ac7b", "#f2f2f2", "#c08a4a"),
        "fluent-emoji-flat": ("#8d5a3b", "#d9d9e3", "#5d4037"),
        "twemoji": ("#f7d3b1", "#fafafa", "#e0b060"),
    }.get(style, ("#d9a074", "#e8e4da", "#a8713c"))
    lean = {"fluent-emoji-flat": -6, "twemoji": 5}.get(style, 0)
    return svg(
        "0 0 100 110",
        f'<g transform="rotate({lean} 50 80)" fill="none"'
        ' stroke-linecap="round" stroke-linejoin="round">'
        f'<path d="M66 38 L86 4" stroke="{bat}" stroke-width="7"/>'
        f'<path d="M52 68 L36 84 L32 104" stroke="{trousers}" stroke-width="12"/>'
        f'<path d="M54 68 L70 82 L74 104" stroke="{trousers}" stroke-width="12"/>'
        f'<path d="M26 106 h10 M70 106 h10" stroke="#222" stroke-width="7"/>'
        f'<path d="M52 44 L53 64" stroke="{cloth}" stroke-width="22"/>'
        f'<path d="M48 42 L60 50 L68 38" stroke="{cloth}" stroke-width="8"/>'
        f'<path d="M62 48 L68 38" stroke="{skin}" stroke-width="6"/></g>'
        f'<g transform="rotate({lean} 50 80)"><circle cx="47" cy="24" r="11" fill="{skin}"/>'
        f'<path d="M36 24 a11 11.5 0 0 1 22 -1 z" fill="{cloth}"/>'
        f'<rect x="28" y="21" width="16" height="4" rx="2" fill="{cloth}"/></g>',
    )


def _tint(picture: Image.Image, colour: str) -> Image.Image:
    """The whole animal between a coat's dark and bright tone, by the artwork's own brightness."""
    pixels = np.asarray(picture).astype(np.float32)
    bright = pixels[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)
    low, high = np.percentile(bright[pixels[..., 3] > 128], [2, 98])
    share = ((bright - low) / max(high - low, 1)).clip(0, 1)[..., None]
    dark, light, bend = COAT[colour]
    dark, light = np.array(dark, np.float32), np.array(light, np.float32)
    pixels[..., :3] = dark + (light - dark) * share**bend
    return Image.fromarray(pixels.round().astype(np.uint8))


def _paint(picture: Image.Image, colour: str, part: tuple[float, ...] | None) -> Image.Image:
    """The colourful parts in another colour; glass, wheels and wood keep theirs."""
    alpha = picture.getchannel("A")
    hsv = np.asarray(picture.convert("RGB").convert("HSV")).astype(np.float32) / 255
    seen = np.asarray(alpha) > 128
    strong = _part(hsv, part) if part else _main_part(hsv, seen)
    hue, vivid, bright = PAINT[colour]
    if not (strong & seen).any():
        strong = _part(hsv, (0, 1, 0, 0.35))  # a grey or white body
    reference = hsv[..., 2][strong & seen].mean()
    hsv[..., 0][strong] = hue
    hsv[..., 1][strong] = vivid
    hsv[..., 2][strong] = (hsv[..., 2][strong] * bright / reference).clip(0, 1)
    painted = Image.fromarray((hsv * 255).round().astype(np.uint8), "HSV").convert("RGB")
    painted.putalpha(alpha)
    return painted


def _part(hsv: np.ndarray, part: tuple[float, ...]) -> np.ndarray:
    """Where hue and colourfulness lie in (least hue, most hue, least, most colourful)."""
    hue, vivid, bright = hsv[..., 0], hsv[..., 1], hsv[..., 2]
    first, last, least, most = part
    return (hue >= first) & (hue <= last) & (vivid >= least) & (vivid <= most) & (bright > 0.25)


def _main_part(hsv: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Where the hue is near the commonest among the colourful pixels."""
    strong = _part(hsv, (0, 1, 0.35, 1))
    votes, edges = np.histogram(hsv[..., 0][strong & seen], bins=24, range=(0, 1))
    main = edges[votes.argmax()] + 0.5 / 24
    return strong & (np.abs((hsv[..., 0] - main + 0.5) % 1 - 0.5) < 0.11)
