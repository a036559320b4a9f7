"""The page to look at: what it shows, in a real browser, and what makes it anew."""

import json
import shutil
from pathlib import Path

import browser
import pytest
from conftest import Game, make_picture
from PIL import Image

from scripts.chains import BaseFiles
from scripts.page import standing, story, thumbnails, write

HOSTILE = [
    "<script>document.title = 'broken into'</script>",
    'a "cow" with <b>bold</b> & an ampersand &amp;',
    "</script><img src=x onerror=\"document.title='broken into'\">",
    "גמל אדום ליד הבית",
    "a line\u2028separator and a 'quote' ` ${document.title='broken into'}",
]


def play(folder: Path, name: str, captions: list[str], **record: object) -> None:
    """Writes a chain as the game leaves it."""
    for number, caption in enumerate(captions, 1):
        make_picture(folder / name / f"round{number}.png", seed=number)
        (folder / name / f"round{number}.txt").write_text(f"{caption}\n", encoding="utf-8")
        told = {"seed": 100, "bundle": {"name": "storybook"}, "unknown_words": [], **record}
        (folder / name / f"round{number}.json").write_text(json.dumps(told))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Chains of four bases, one of them with another seed and with another bundle."""
    make_picture(tmp_path / "input" / "cow.png", size=(64, 32))
    make_picture(tmp_path / "input" / "what? #1 100%.png")
    (tmp_path / "input" / "wish.txt").write_text("<i>two</i> red kites")
    folder = tmp_path / "results"
    play(folder, "cow", ["a red cow", "a red cow on grass", "a blue cow on grass", "a kite"])
    play(folder, "cow@7", ["a red cow", "a green cow"], seed=7)
    play(folder, "cow+coco", ["a bull zebra"], bundle={"name": "coco"}, unknown_words=["zebra"])
    play(folder, "wish", ["<i>two</i> red kites", "two kites"])
    play(folder, "what? #1 100%", HOSTILE)
    play(folder, "lost base", ["a boat", "a boat"])
    (folder / "study").mkdir()
    (folder / "study" / "curves.svg").write_text("<svg/>")
    return folder


def make(results: Path) -> Path:
    write.front(results, find_base(results), seed=100, bundle="storybook")
    return results / "index.html"


def find_base(results: Path):
    return BaseFiles.read(results.parent / "input").find


def shown(page) -> list[str]:
    page.wait_for_selector(".tile")
    return page.eval_on_selector_all(".row", "rows => rows.map(row => row.dataset.game)")


@browser.needed
def test_every_chain_is_a_row_of_its_rounds_with_captions(results: Path):
    with browser.opened(make(results)) as page:
        names = ["cow", "cow+coco", "cow@7", "lost base", "what? #1 100%", "wish"]
        assert sorted(shown(page)) == sorted(names)
        row = page.locator('[data-game="cow"]')
        assert row.locator(".tile").count() == 5  # the base and four rounds
        assert row.locator(".caption").all_inner_texts()[0] == "a red cow"
        assert "seed 7, bundle storybook" in page.locator('[data-game="cow@7"]').inner_text()
        assert "not known to the painter: zebra" in page.inner_text('[data-game="cow+coco"]')
        assert "<i>two</i> red kites" in page.inner_text('[data-game="wish"] .thumb.text')
        assert row.locator(".spark").get_attribute("aria-label").endswith("33 % in round 4")


@browser.needed
def test_words_that_came_and_went_are_marked(results: Path):
    with browser.opened(make(results)) as page:
        third = page.locator('[data-game="cow"] li').nth(3)
        assert third.locator("ins").all_text_contents() == ["new: blue"]
        assert third.locator("del").all_inner_texts() == ["red"]
        page.select_option("select", "first")
        third = page.locator('[data-game="cow"] li').nth(3)
        assert third.locator("ins").all_text_contents() == ["new: blue", "new: on grass"]


@browser.needed
def test_what_captions_say_is_text(results: Path):
    with browser.opened(make(results)) as page:
        row = page.locator('[data-game="what? #1 100%"]')
        row.scroll_into_view_if_needed()
        row.locator(".caption").first.wait_for()
        told = [
            line.evaluate("p => { p.querySelectorAll('.hidden').forEach(h => h.remove());"
                          " return p.textContent }")
            for line in row.locator(".caption").all()
        ]  # fmt: skip
        assert told == HOSTILE
        assert "broken into" not in page.title()
        right = row.locator(".caption").nth(3)
        assert right.evaluate("p => getComputedStyle(p).direction") == "rtl"
        row.locator(".tile").nth(3).click()
        page.wait_for_selector("dialog[open]")
        assert page.locator("dialog .said").text_content().startswith("</new: script")
        assert page.evaluate("document.querySelector('dialog img.large').naturalWidth") == 32


@browser.needed
def test_a_game_is_looked_at_with_the_keyboard_alone(results: Path):
    with browser.opened(make(results)) as page:
        shown(page)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the games"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")  # the row, which scrolls
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "tile"
        assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("cow")
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog[open]")
        slider = page.locator("dialog input[type=range]")
        assert slider.evaluate("s => s === document.activeElement")
        for key, round_ in [("ArrowRight", "1"), ("End", "4"), ("ArrowLeft", "3"), ("Home", "0")]:
            page.keyboard.press(key)
            assert slider.input_value() == round_
        page.keyboard.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext") == "round 1: a red cow"
        assert page.url.endswith("#cow/1")
        page.keyboard.press("Escape")
        assert not page.locator("dialog[open]").count()


@browser.needed
def test_seeds_and_bundles_stand_side_by_side(results: Path):
    with browser.opened(make(results), "#cow/2") as page:
        page.wait_for_selector("dialog[open]")
        beside = page.locator("dialog .others li")
        assert beside.count() == 2
        assert "cow@7, round 2" in beside.filter(has_text="cow@7").inner_text()
        page.wait_for_function(
            "[...document.querySelectorAll('dialog img')].every(i => i.naturalWidth > 0)"
        )


@browser.needed
def test_figures_are_shown_on_demand_or_the_command_that_makes_them(results: Path):
    make_picture(results / "cow" / "candidates" / "round2.png", size=(90, 90))
    make_picture(results / "cow" / "film.gif")
    with browser.opened(make(results), "#cow/2") as page:
        page.wait_for_selector("dialog[open]")
        part = page.locator('dialog [data-part="candidates"]')
        part.locator("summary").click()
        page.wait_for_function(
            "document.querySelector('[data-part=candidates] img').naturalWidth === 90"
        )
        page.locator('dialog [data-part="attention"] summary').click()
        command = page.locator('dialog [data-part="attention"] code').inner_text()
        assert command == "snakemake --cores 1 results/cow/attention/round2.png"
        page.locator('dialog [data-part="film"], dialog [data-part="film.gif"]').first.click()
        assert page.locator('dialog [data-part="film.gif"] img').count() == 1
        page.get_by_role("button", name="Next round").click()
        assert part.get_attribute("open") is not None  # it stays open
        assert "candidates/round3.png" in part.locator("code").inner_text()


@browser.needed
def test_no_command_is_shown_for_attention_that_a_painter_lacks(results: Path):
    play(results, "cow+turbo", ["a red cow"], bundle={"name": "turbo"}, words=None)
    with browser.opened(make(results), "#cow+turbo/1") as page:
        page.wait_for_selector("dialog[open]")
        part = page.locator('dialog [data-part="attention"]')
        part.locator("summary").click()
        assert "has no attention maps" in part.inner_text()
        assert part.locator("code").count() == 0


@browser.needed
def test_games_are_found_by_a_word(results: Path):
    with browser.opened(make(results)) as page:
        shown(page)
        page.fill("input[type=search]", "green")
        page.wait_for_function("document.getElementById('count').textContent.startsWith('1 of')")
        assert page.locator(".row:visible").get_attribute("data-game") == "cow@7"


@browser.needed
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_legible_by_day_and_night_on_a_narrow_screen(results: Path, scheme: str):
    size = {"width": 360, "height": 740}
    with browser.opened(make(results), color_scheme=scheme, viewport=size) as page:
        shown(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        contrast = page.evaluate("""() => {
            const numbers = (c) => c.match(/[\\d.]+/g).slice(0, 3).map(Number);
            const light = (c) => numbers(c).map((v) => v / 255)
                .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
                .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
            const back = light(getComputedStyle(document.body).backgroundColor);
            return [...document.querySelectorAll('.caption, .about, .lost, .note, .lead, del')]
                .map((e) => light(getComputedStyle(e).color))
                .map((l) => (Math.max(l, back) + 0.05) / (Math.min(l, back) + 0.05));
        }""")
        assert min(contrast) >= 4.5  # WCAG AA
        page.locator('[data-game="cow"] .tile').nth(2).click()
        page.wait_for_selector("dialog[open]")
        assert page.evaluate("document.querySelector('dialog').scrollWidth") <= 360


@browser.needed
def test_a_long_chain_has_a_slider_through_all_its_rounds(tmp_path: Path):
    folder = tmp_path / "results"
    play(folder, "cow", [f"caption {n}" for n in range(1, 121)])
    with browser.opened(make(folder)) as page:
        shown(page)
        assert page.locator(".tile").count() == thumbnails.MOST
        assert "24 of 120 rounds are shown here" in page.inner_text("main")
        page.get_by_role("button", name="See them all").click()
        slider = page.locator("dialog input[type=range]")
        slider.fill("77")
        assert page.locator("dialog .said").inner_text().endswith("77")
    write.one(folder / "cow", find_base(folder), seed=100, bundle="storybook")
    with browser.opened(folder / "cow" / "index.html") as page:
        page.wait_for_selector(".every li")
        assert page.locator(".every li").count() < 120
        for _ in range(20):
            page.mouse.wheel(0, 4000)
            page.wait_for_timeout(30)
        page.wait_for_function("document.querySelectorAll('.every li').length === 121")


@browser.needed
def test_a_thousand_games_are_laid_out_only_where_one_looks(tmp_path: Path):
    folder = tmp_path / "results"
    play(folder, "first", ["a cow"] * 20)
    chain = standing.chain(folder / "first")
    told = story.tell(chain, None, 100, "storybook") | {"base": None}
    stories = [{**told, "name": f"game {n}", "image": f"game {n}"} for n in range(1000)]
    (folder / "index_files").mkdir()
    shutil.copy(make_picture(tmp_path / "any.png"), folder / "index_files" / "any.webp")
    data = write._script({"chains": stories})
    (folder / "index_files" / "data.js").write_text(f"telephone = {data};")
    write._render("front.html", folder / "index.html", chains=stories, beside="index_files")
    page_file = (folder / "index.html").read_text()
    (folder / "index.html").write_text(page_file.replace("box.style.backgroundImage", "box.none"))
    with browser.opened(folder / "index.html") as page:
        shown(page)
        assert page.locator(".row").count() == 1000
        for _ in range(30):
            page.mouse.wheel(0, 5000)
            page.wait_for_timeout(20)
        page.wait_for_timeout(200)
        assert page.locator(".row[data-filled]").count() < 30


def test_without_scripts_the_strips_can_still_be_found(results: Path):
    page = make(results).read_text()
    assert 'href="what%3F%20%231%20100%25/strip.png"' in page
    assert 'src="http' not in page and "@import" not in page


def test_thumbnails_are_small_and_made_once(results: Path):
    make(results)
    sheet = results / "index_files" / "cow.webp"
    with Image.open(sheet) as image:
        assert image.size == (5 * thumbnails.SIDE, thumbnails.SIDE)
        assert image.convert("RGBA").getpixel((10, 2))[3] == 0  # the base is wide: nothing above it
        assert image.convert("RGBA").getpixel((10, 112))[3] == 255
    assert sheet.stat().st_size < 5 * 30_000
    made = sheet.stat().st_mtime_ns
    make(results)
    assert sheet.stat().st_mtime_ns == made
    make_picture(results / "cow" / "round4.png", seed=99)
    make(results)
    assert sheet.stat().st_mtime_ns > made


def test_the_same_games_give_the_same_page(results: Path):
    first = make(results).read_bytes(), (results / "index_files" / "data.js").read_bytes()
    assert (make(results).read_bytes(), (results / "index_files" / "data.js").read_bytes()) == first


def test_many_chains_of_one_base_share_its_copy_on_many_threads(results: Path):
    """Each copy is written once, so that no thread takes another's half-written file away."""
    for seed in range(30):
        play(results, f"cow@{seed + 200}", ["a cow"], seed=seed + 200)
    make_picture(results.parent / "input" / "cow.png", size=(900, 900))  # slow enough to overlap
    count = write.front(results, find_base(results), seed=100, bundle="storybook", threads=8)
    assert count == 36
    data = (results / "index_files" / "data.js").read_text()
    assert data.count('"base":"index_files/cow.base.webp"') == 33


@pytest.mark.parametrize("rounds", [1, 5, 24, 25, 1000])
def test_a_row_shows_base_and_end_and_not_too_much_between(rounds: int):
    numbers = thumbnails.shown(rounds)
    assert numbers[0] == 0 and numbers[-1] == rounds
    assert len(numbers) == min(rounds + 1, thumbnails.MOST)


def test_what_is_kept_is_counted_in_words():
    assert story.kept_words(["a red cow", "a cow", "zebra"]) == [1, pytest.approx(2 / 3), 0]
    assert story.kept_words(["…", "a cow"]) == [1, 1]


def test_the_curve_is_that_of_the_drift_where_it_was_measured(results: Path):
    table = "round\tcaption\tcosine_first\n1\ta red cow\t1.000000\n2\ta green cow\t0.250000\n"
    (results / "cow@7" / "drift.tsv").write_text(table)
    told = story.tell(standing.chain(results / "cow@7"), None, 100, "storybook")
    assert told["kept"] == [1, 0.25] and "meaning" in told["kept_of"]
    (results / "cow@7" / "drift.tsv").write_text(table.replace("green", "old"))
    told = story.tell(standing.chain(results / "cow@7"), None, 100, "storybook")
    assert told["kept"][1] == pytest.approx(0.667) and "words" in told["kept_of"]


def test_damaged_results_are_left_out_and_nothing_else(results: Path):
    (results / "cow" / "round1.json").write_text("{")
    (results / "cow@7" / "round2.txt").unlink()
    (results / "empty").mkdir()
    (results / "lost base" / "round1.png").write_bytes(b"no picture")
    make(results)
    told = (results / "index_files" / "data.js").read_text()
    games = json.loads(told.removeprefix("telephone = ").removesuffix(";\n"))["chains"]
    rounds = {game["name"]: len(game["captions"]) for game in games}
    assert rounds["cow"] == 4 and rounds["cow@7"] == 1 and rounds["lost base"] == 2
    assert "empty" not in rounds


def test_a_page_shows_the_figures_of_its_own_call(game: Game):
    wanted = ("film.gif", "drift.svg", "candidates/round1.png")
    figures = [f"results/cow/{name}" for name in wanted]
    call = ("all", "results/cow/index.html", *figures)
    game.play(*call, cores=2, candidates=2)
    told = game.path("results", "index_files", "data.js").read_text()
    alone = game.path("results", "cow", "index.html").read_text()
    for page in (told, alone):
        assert '"film.gif"' in page and '"drift.svg"' in page and '"candidates":[1]' in page
    assert '"strip.png"' in told
    assert game.call(*call, candidates=2).nothing


def test_the_page_follows_the_games(game: Game):
    game.play("all")
    page = game.path("results", "index.html")
    assert "cow" in page.read_text()
    assert game.call("all").nothing
    before = page.stat().st_mtime_ns
    game.play("results/cow@7/round3.png")  # others, which the call for the page does not make
    game.play("results/cow/film.gif")
    game.play("all")
    assert page.stat().st_mtime_ns > before
    told = game.path("results", "index_files", "data.js").read_text()
    assert '"cow@7"' in told and "film.gif" in told
    assert game.call("all").nothing
    game.play("results/cow@7/index.html")
    alone = game.path("results", "cow@7", "index.html").read_text()
    assert "3 rounds" in alone and "data:image/webp" in alone
    assert game.call("all", "results/cow@7/index.html").nothing
