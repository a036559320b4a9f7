"""Names of chains, rounds, and base files."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.chains import BaseFiles, Chain, check_links, parse, parse_round
from scripts.errors import UserError


@pytest.mark.parametrize(
    ("name", "seed", "bundle"),
    [
        ("cow", 100, "storybook"),
        ("cow@7", 7, "storybook"),
        ("cow+coco", 100, "coco"),
        ("cow@7+coco", 7, "coco"),
        ("cow@0", 0, "storybook"),
    ],
)
def test_a_name_says_what_the_game_is_played_with(name: str, seed: int, bundle: str):
    assert parse(name, 100, "storybook") == Chain(name, "cow", seed, bundle)


@pytest.mark.parametrize("image", ["a b", "v1.2", "größe", "雪", "-x", "100", "a(b)", "a'b", "~"])
def test_an_image_may_be_called_nearly_anything(image: str):
    assert parse(f"{image}@7", 100, "storybook").image == image


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cow@", "seed after @ is missing"),
        ("cow@x", "'x', not a whole number"),
        ("cow@-1", "'-1', not a whole number"),
        ("cow@1.5", "'1.5', not a whole number"),
        ("cow@007", "leading zeros"),
        ("cow@٣", "not a whole number"),
        ("cow@7@8", "not a whole number"),
        ("cow+", "not the name of a chain"),
        ("@7", "not the name of a chain"),
        ("+coco", "not the name of a chain"),
        ("cow+a+b", "not the name of a chain"),
        ("cow+coco@7", "write cow@7+coco"),
        ("{cow}", "Rename the file"),
        ("co\nw", "Rename the file"),
        ("co\x1b[31mw", r"^input/co\\x1b\[31mw: .* cannot hold"),
        ("ha" * 20, "'ha' twenty times"),
    ],
)
def test_other_names_are_refused_in_words(name: str, says: str):
    with pytest.raises(UserError, match=says.replace("+", r"\+")):
        parse(name, 100, "storybook")


@given(st.text())
def test_any_text_is_a_chain_or_refused_in_words(name: str):
    try:
        chain = parse(name, 100, "storybook")
    except UserError as error:
        assert str(error)
    else:
        seed, bundle = f"@{chain.seed}", f"+{chain.bundle}"
        assert name in {chain.image + a + b for a in ("", seed) for b in ("", bundle)}


def test_rounds_are_counted_from_one():
    assert [parse_round(n, "cow") for n in ("1", "10", "1000")] == [1, 10, 1000]


@pytest.mark.parametrize("written", ["0", "00", "-1", "05", "", "x", "1.0", "1 ", "²"])
def test_there_are_no_other_rounds(written: str):
    with pytest.raises(UserError, match="round"):
        parse_round(written, "cow")


def fill(folder: Path, *names: str) -> BaseFiles:
    for name in names:
        (folder / name).touch()
    return BaseFiles.read(folder)


@pytest.mark.parametrize("ending", ["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "txt"])
def test_endings_may_be_in_any_case(ending: str, tmp_path: Path):
    for number, name in enumerate((ending, ending.upper(), ending.title())):
        found = fill(tmp_path, f"v1.{number}.{name}").find(f"v1.{number}")
        assert found == tmp_path / f"v1.{number}.{name}"


def test_other_files_are_no_base_files(tmp_path: Path):
    assert not fill(tmp_path, ".DS_Store", "notes.md", "cow.gif", ".png", "jpg").files


@pytest.mark.parametrize("names", [("cow.png", "cow.jpg"), ("cow.txt", "cow.JPG")])
def test_two_files_of_one_name_are_both_named(names: tuple[str, str], tmp_path: Path):
    with pytest.raises(UserError) as refused:
        fill(tmp_path, *names).find("cow")
    assert all(f"{tmp_path}/{name}" in str(refused.value) for name in names)


def test_an_unknown_image_is_met_with_the_near_ones(tmp_path: Path):
    files = fill(tmp_path, "cow.png", "kite.jpg", "baseball.txt")
    with pytest.raises(UserError, match="Did you mean baseball") as refused:
        files.find("Basebal")
    assert "baseball, cow, kite" in str(refused.value)


def test_a_file_of_another_kind_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"cow\.gif: a file of this kind"):
        fill(tmp_path, "cow.gif").find("cow")


def test_an_empty_or_missing_folder_says_what_to_do(tmp_path: Path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(UserError, match="put cow.jpg there"):
            BaseFiles.read(folder).find("cow")


def test_links_stay_inside_the_folder(tmp_path: Path):
    (tmp_path / "secret.png").touch()
    folder = tmp_path / "input"
    folder.mkdir()
    os.symlink(tmp_path / "secret.png", folder / "out.png")
    (folder / "cow.png").touch()
    os.symlink("cow.png", folder / "calf.png")
    files = BaseFiles.read(folder)
    assert files.find("calf") == folder / "calf.png"
    with pytest.raises(UserError, match="outside"):
        files.find("out")


def test_what_is_no_file_is_told(tmp_path: Path):
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "nothing.png").symlink_to("nowhere.png")
    (tmp_path / "circle.png").symlink_to("circle.png")
    (tmp_path / "inside.png").symlink_to("cow.png")
    (tmp_path / "cow.png").write_bytes(b"moo")
    bases = BaseFiles.read(tmp_path)
    assert bases.find("inside") == tmp_path / "inside.png"
    for image in ("folder", "pipe"):
        with pytest.raises(UserError, match=rf"{image}\.png: this is not a file\.$"):
            bases.find(image)
    for image in ("nothing", "circle"):
        with pytest.raises(UserError, match=rf"{image}\.png: this is not a file. It is a link to"):
            bases.find(image)


def test_links_may_lead_about_in_results_but_not_out(tmp_path: Path):
    results, disk = tmp_path / "results", tmp_path / "disk"
    (disk / "cow" / "captions").mkdir(parents=True)
    (disk / "bear").mkdir()
    results.symlink_to(disk)  # the whole folder may lie elsewhere
    (disk / "cow" / "again").symlink_to("../cow")
    (disk / "cow" / "round1.png").symlink_to("../bear")
    for name in ("cow", "bear", "new"):
        check_links(results / name, results)
    deep = disk / "cow" / "captions" / "round1.json"
    for target in ("../../../secret", "/etc", str(tmp_path)):
        deep.symlink_to(target)
        with pytest.raises(UserError, match=r"cow/captions/round1\.json: this is a link out"):
            check_links(results / "cow", results)
        deep.unlink()
    (disk / "dog").symlink_to("..")
    with pytest.raises(UserError, match="results/dog: this is a link out"):
        check_links(results / "dog", results)
