"""Studies: which chains, and figures held against independent computations."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Game, make_bundle, make_picture
from scipy.optimize import least_squares

from scripts.drift import texts
from scripts.drift.chain import read_rows
from scripts.errors import UserError
from scripts.study import attributes, curves, exchange, semantic_drift
from scripts.study.attractors import Rest, rest
from scripts.study.chains import expand, names

EYES = {"backbone": "mobilenet_v3_small", "size": 32, "features": 16, "regions": "8"}
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


def independent(folder: Path) -> dict[str, list[float]]:
    """S(g) of the text mappings, straight from exported files and the definition."""

    def captions(generation: int) -> dict[str, str]:
        with (folder / "text-first" / f"gen-{generation}.csv").open() as lines:
            return {row["filename"]: row["caption"] for row in csv.DictReader(lines)}

    start = captions(0)
    found = []
    for generation in (2, 4):
        then = captions(generation)
        cosines = []
        for name, caption in start.items():
            one, other = texts.embed([caption]), texts.embed([then[name]])
            cosines.append(
                float((one @ other.T)[0, 0] / np.linalg.norm(one) / np.linalg.norm(other))
            )
        found.append(float(np.mean(cosines)))
    return {"text to text": found}


def test_mcd_is_that_of_an_independent_computation(studied: Game):
    rows = {row["mapping"]: row for row in read_rows(studied.path("results/study/mcd.tsv"))}
    similar = independent(studied.path("results/study/published"))["text to text"]
    assert rows["text to text"]["mcd"] == pytest.approx(np.mean(similar), abs=2e-6)
    assert rows["text to text"]["generations"] == 2
    assert rows["image to image"]["generations"] == 3
    four = [rows[name]["mcd"] for name in semantic_drift.MAPPINGS]
    assert rows["mean"]["mcd"] == pytest.approx(np.mean(four), abs=2e-6)


def test_imported_chains_are_measured_as_those_that_were_played(studied: Game):
    """What was exported comes back with the same figures, as another bundle of the study."""
    folder = studied.path("theirs")
    if not folder.exists():
        shutil.copytree(studied.path("results/study/published"), folder)
    played = {row["mapping"]: row for row in read_rows(studied.path("results/study/mcd.tsv"))}
    studied.play(
        "results/study/mcd.tsv",
        study="{bases: [cow], seeds: [100], imported: [theirs]}",
    )
    rows = read_rows(studied.path("results/study/mcd.tsv"))
    theirs = {row["mapping"]: row for row in rows if row["bundle"] == "theirs"}
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


def test_a_fit_that_cannot_be_had_says_so():
    assert "too few" in semantic_drift.sdr({1: 0.5, 3: 0.4}).note
    rising = semantic_drift.sdr({g: 0.1 * np.exp(0.08 * g) for g in range(1, 20, 2)})
    assert rising.note in ("similarity does not fall", "the fit does not converge")
    flat = semantic_drift.sdr(dict.fromkeys(range(1, 20, 2), 0.8))
    assert flat.note in ("similarity does not fall", "the fit does not converge")


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
    assert attributes.half_life([1, 2, 3, 4], [1, 0.8, 0.4, 0.2]) == pytest.approx(2.75)
    assert attributes.half_life([1, 2], [1, 0.6]) is None


def test_bands_hold_the_mean_and_grow_with_the_scatter_between_bases():
    values = np.array([0.1, 0.1, 0.5, 0.5, 0.9, 0.9])
    bases = np.array([*"aabbcc"])
    mean, low, high = curves.band(values, bases)
    assert mean == pytest.approx(0.5) and low < 0.5 < high
    # chains of one base are no independent samples: six of them would seem surer
    _, naive_low, naive_high = curves.band(values, np.arange(6))
    assert high - low > naive_high - naive_low
    assert np.isnan(curves.band(values, np.array(["a"] * 6))[1])


def test_a_generation_that_lacks_a_chain_is_named(studied: Game, tmp_path: Path):
    folder = shutil.copytree(studied.path("results/study/published"), tmp_path / "theirs")
    (folder / "image-first" / "gen-2" / "cow.png").unlink()
    with pytest.raises(UserError, match="image-first/gen-2: cow is missing, which gen-0 has"):
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
    (root / "gen-2.csv").write_text('caption,filename\n"a cow, standing",x\n')
    make_picture(root / "gen-3" / "x.png", 2)
    (chain,) = exchange.read(tmp_path)
    assert chain.captions == ["a café", "a cow, standing"]
    assert len(chain.pictures) == 2 and chain.base is None
