"""A folder of strangers' files, played in one call: who can play plays, the others are named."""

import io
import os
from collections.abc import Callable

import pytest
from conftest import Call, Game, make_picture
from PIL import Image
from test_untrusted import BAD_CHECKSUM, JPEG, PNG, SVG, archive, bomb, encoded, picture

REFUSED = {
    "empty.png": (b"", "empty"),
    "short.png": (PNG[: len(PNG) // 2], "cut short"),
    "short-too.jpg": (JPEG[: len(JPEG) // 2], "cut short"),
    "checksum.png": (BAD_CHECKSUM, "damaged"),
    "page.jpg": (b"<!DOCTYPE html><html><title>404</title>", "web page"),
    "bomb.png": (bomb(), "pixels"),
    "drawing.png": (SVG, "SVG"),
    "archive.jpg": (archive(), "zip archive"),
    "endless.png": (encoded(Image.new("1", (70_000, 1)), "PNG"), "sides of more than 65,535"),
    "mislabelled.png": (encoded(picture(), "JPEG"), "Rename it"),
    "none.txt": (b"", "empty"),
    "binary.txt": (b"a\x00cow", "not plain text"),
    "long.txt": (b"cow " * 25_000, "100,000 bytes"),
    "strange.txt": (b"zebra xylophone", "zebra xylophone"),
}


def film() -> bytes:
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    return buffer.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(picture(), "JPEG", exif=exif)


PLAYED = {
    "grey.png": encoded(picture("L"), "PNG"),
    "palette.png": encoded(picture("P"), "PNG"),
    "bilevel.png": encoded(picture("1"), "PNG"),
    "sixteen.png": encoded(picture("I;16"), "PNG"),
    "print.jpg": encoded(picture("CMYK"), "JPEG"),
    "glass.png": encoded(picture("RGBA"), "PNG"),
    "turned.jpg": turned(),
    "film.webp": film(),
    "dance.gif": encoded(picture(), "GIF", save_all=True, append_images=[picture("L")]),
    "phone.heic": encoded(picture(), "HEIF"),
    "browser.avif": encoded(picture(), "AVIF"),
    "scan.jp2": encoded(picture(), "JPEG2000"),
    "noted.png": encoded(picture(), "PNG", icc_profile=bytes(2_000_000)),
    "dot.png": encoded(picture(size=(1, 1)), "PNG"),
    "horizon.png": encoded(picture(size=(3000, 2)), "PNG"),
    "UPPER.JPG": encoded(picture(), "JPEG"),
    "two words v1.2.png": encoded(picture(), "PNG"),
    "größe-牛.png": encoded(picture(), "PNG"),
}


@pytest.fixture(scope="module")
def played(new_game: Callable[[], Game]) -> tuple[Game, Call]:
    game = new_game()
    game.path("config.yaml").write_text("bundle: tiny\nrounds: 1\n")
    for name, (content, _) in REFUSED.items():
        game.path("input", name).write_bytes(content)
    for name, content in PLAYED.items():
        game.path("input", name).write_bytes(content)
    return game, game.call("--keep-going", cores=2)


@pytest.mark.parametrize("name", PLAYED)
def test_it_plays(name: str, played: tuple[Game, Call]):
    game, _ = played
    with Image.open(game.path("results", os.path.splitext(name)[0], "round1.png")) as painted:
        assert painted.size == (64, 64)


def test_each_that_cannot_is_told_once_and_why(played: tuple[Game, Call]):
    game, call = played
    assert call.code != 0 and "Traceback" not in call.text
    messages = [line for line in call.text.splitlines() if line.startswith("Error: ")]
    assert len(messages) == len(REFUSED), call.text
    for name, (_, reason) in REFUSED.items():
        image = os.path.splitext(name)[0]
        (told,) = [m for m in messages if f"/{name}" in m or f"results/{image}/" in m]
        assert reason in told
        left = list(game.folder.glob(f"results/{image}/*.png"))
        assert not left, f"{name} left {left}"


@pytest.mark.parametrize(
    "target", ["../cow/round1.png", "cow/../../round1.png", "/etc/round1.png", "../../x.png"]
)
def test_no_name_leads_out_of_results(target: str, new_game: Callable[[], Game]):
    game = new_game()
    before = {path for path in game.folder.parent.rglob("*.png")}
    call = game.call(f"results/{target}")
    assert call.code != 0 and "Traceback" not in call.text
    after = {path for path in game.folder.parent.rglob("*.png")}
    assert after == before


def test_no_link_leads_out(new_game: Callable[[], Game]):
    game = new_game()
    game.path("secret.png").write_bytes(PNG)
    game.path("elsewhere").mkdir()
    game.path("results/bear").mkdir(parents=True)
    make_picture(game.path("input/bear.png"))
    os.symlink("../secret.png", game.path("input/link.png"))
    os.symlink("cow.png", game.path("input/inside.png"))
    os.symlink("../elsewhere", game.path("results/cow"))
    os.symlink("../../secret.png", game.path("results/bear/round1.png"))
    for target, reason in (
        ("link/round1.png", "input/link.png: this is a link to a file outside of input/"),
        ("cow/round1.txt", "results/cow: this is a link out of results/"),
        ("bear/round2.txt", "results/bear/round1.png: this is a link out of results/"),
    ):
        call = game.call(f"results/{target}")
        assert call.code != 0 and "Traceback" not in call.text and reason in call.text
    assert not os.listdir(game.path("elsewhere"))
    assert game.path("secret.png").read_bytes() == PNG
    game.play("results/inside/round1.png")


def test_what_is_no_file_is_named_and_never_waited_for(new_game: Callable[[], Game]):
    game = new_game()
    os.mkfifo(game.path("input/pipe.png"))
    call = game.call("results/pipe/round1.png")
    assert call.code != 0 and "Traceback" not in call.text
    assert "input/pipe.png: this is not a file." in call.text
