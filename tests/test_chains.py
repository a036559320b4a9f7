"""Names of chains, rounds, and base files."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.chains import BaseFiles, Chain, check_links, parse, parse_round
from scripts.errors import UserError
from scripts.study.chains import expand, names


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
        ("<cow>", "takes for a variable"),
        ("study", "for something else"),
        ("cow@18446744073709551616", "too large; 18446744073709551615 is the largest"),
        (f"cow@{'9' * 5000}", "too large"),
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


@pytest.mark.parametrize(
    "written", ["0", "00", "-1", "05", "", "x", "1.0", "1 ", "²", "100001", "9" * 5000]
)
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
    assert not fill(tmp_path, ".DS_Store", "notes.md", "cow.svg", ".png", "jpg").files


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
    with pytest.raises(UserError, match=r"cow\.svg: a file of this kind"):
        fill(tmp_path, "cow.svg").find("cow")


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


ACCENT = {"NFC": "caf\u00e9", "NFD": "cafe\u0301"}


@pytest.mark.parametrize("on_disk", ACCENT.values(), ids=ACCENT)
@pytest.mark.parametrize("asked", ACCENT.values(), ids=ACCENT)
def test_a_name_is_found_however_its_accents_are_encoded(on_disk: str, asked: str, tmp_path: Path):
    files = fill(tmp_path, f"{on_disk}.png")
    assert files.find(asked).exists()
    assert list(files.files) == [ACCENT["NFC"]]
    study = {"bases": [asked], "seeds": [], "bundles": []}
    assert names(files.files, study, 100, "tiny") == [ACCENT["NFC"]]


def test_one_name_in_two_encodings_is_two_files_of_one_name(tmp_path: Path):
    files = fill(tmp_path, *(f"{name}.png" for name in ACCENT.values()))
    with pytest.raises(UserError, match="which one is café"):
        files.find("café")


@pytest.mark.parametrize(
    "name",
    ["photo@2", "plus+sign", "at@home", "a{b}", "<a>", "._cow", "verify.tsv", "study", "library"],
)
def test_a_file_that_cannot_be_played_stops_no_other(name: str, tmp_path: Path):
    files = fill(tmp_path, "cow.png", "photo[1].png", f"{name}.png")
    assert sorted(files.files) == ["cow", "photo[1]"]
    (told,) = files.left_out()
    assert told.startswith(f"{tmp_path}/{name}.png is left out: ") and "Rename" in told
    with pytest.raises(UserError, match="Rename the file"):
        files.check_name(name)
    files.check_name("cow")


def test_many_files_that_cannot_be_played_are_told_in_few_lines(tmp_path: Path):
    files = fill(tmp_path, *(f"._{number}.png" for number in range(50)))
    assert len(files.left_out()) == 21 and "30 more" in files.left_out()[-1]


def test_a_name_with_brackets_is_a_name_in_a_study_too():
    known = ["photo1", "photo[1]", "photo[2]"]

    def chosen(*bases: str) -> list[str]:
        return names(known, {"bases": bases, "seeds": [], "bundles": []}, 100, "tiny")

    assert chosen("photo[1]") == ["photo[1]"]
    assert chosen("photo[13]") == ["photo1"]
    assert chosen("*") == known


@pytest.mark.parametrize("seeds", ["0-999999999999", "7-3", "1-99999999999999999999"])
def test_ranges_of_seeds_have_bounds(seeds: str):
    with pytest.raises(UserError, match="study.seeds"):
        expand([seeds])
