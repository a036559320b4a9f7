"""What a study makes of its chains, held against values that can be computed by hand."""

import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import Game, make_bundle, make_picture

from scripts import plots
from scripts.drift import texts
from scripts.drift.attributes import Attributes, Truth
from scripts.drift.chain import table_of
from scripts.drift.measures import Played
from scripts.errors import UserError
from scripts.study import (
    attractors,
    attributes,
    comparisons,
    curves,
    decay,
    dynamics,
    exchange,
    intervals,
    page,
    semantic_drift,
    survival,
    themes,
)  # fmt: skip
from scripts.study.chance import Chance, mean_of_others, pack_chains, unpack_chains
from scripts.tables import read_rows, write_rows

EYES = {"backbone": "mobilenet_v3_small", "size": 32, "features": 16, "regions": "8"}


def chain(name: str, said: str, image: str = "", **more: object) -> list[dict]:
    """Rows of a chain whose captions are the letters of a text."""
    whose = {"chain": name, "image": image or name, "seed": None, "bundle": "b", "encoder": "b",
             "first": "image"} | more  # fmt: skip
    return [{**whose, "round": n, "caption": letter} for n, letter in enumerate(said, 1)]


def kept(name: str, said: str, image: str = "", **more: object) -> list[dict]:
    """Rows of a chain that keeps a kind (1) or does not (0), round by round."""
    rows = chain(name, said, image, **more)
    return [{**row, "kind": row["caption"], "kind_kept": int(row["caption"])} for row in rows]


# --- chains of several origins


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Game:
    """A study of one folder of chains under two names, and of no chain of its own."""
    game = Game(tmp_path_factory.mktemp("twice"))
    folder = make_bundle(game.path("models", "seeing"), image_encoder=EYES)
    signs = {"animal": {"cow": "cow", "bear": "bear"}}
    (folder / "attributes.yaml").write_text(yaml.safe_dump(signs))
    game.path("input").mkdir()
    root = game.path("one")
    for first in ("text-first", "image-first"):
        (root / first).mkdir(parents=True)
        for generation in range(5):
            for place, name in enumerate(("cow", "cow@7", "bear", "NA")):
                if (generation % 2 == 0) == (first == "text-first"):
                    caption = ("a cow", "NA", "null", "inf", "a small cow")[generation]
                    with (root / first / f"gen-{generation}.csv").open("a") as lines:
                        if not lines.tell():
                            lines.write("filename,caption\n")
                        lines.write(f"{name}.png,{caption if place else 'nan'}\n")
                else:
                    make_picture(
                        root / first / f"gen-{generation}" / f"{name}.png", 9 * generation + place
                    )
    (root / "truth.tsv").write_text("image\tanimal\ncow\tcow\nbear\tbear\n")
    shutil.copytree(root, game.path("two"))
    game.path("config.yaml").write_text(
        "bundle: seeing\nstudy: {bases: [], imported: [one, two]}\n"
    )
    game.play("study")
    return game


@pytest.mark.parametrize(
    "name",
    [
        *("chains", "curves", "mcd", "similarity", "attributes", "halflife", "survival", "ends"),
        *("attractors", "settled", "themes", "basins", "transitions", "diversity", "attraction"),
    ],
)
def test_the_same_folder_under_two_names_comes_out_alike(twice: Game, name: str):
    groups = {"one": [], "two": []}
    for row in read_rows(twice.path(f"results/study/{name}.tsv")):
        if row["bundle"] in groups:
            groups[row.pop("bundle")].append(row)
    assert groups["one"] == groups["two"]
    assert groups["one"] or name in ("settled", "attraction")


def test_imported_chains_are_counted_and_clustered_by_their_bases(twice: Game):
    ends = read_rows(twice.path("results/study/ends.tsv"))
    assert len(ends) == 2 * 8 and all(row["rounds"] == 2 + (row["first"] == "text") for row in ends)
    text = twice.path("results/study/README.md").read_text()
    assert "`two`: 8 chains of 2 to 3 rounds. Base pictures: 3; base texts: 3; seeds: 1." in text
    compared = read_rows(twice.path("results/study/comparisons.tsv"))
    assert {row["difference"] for row in compared} == {0}
    assert max(row["bases"] for row in compared) == 3
    chains = read_rows(twice.path("results/study/chains.tsv"))
    assert {row["image"] for row in chains} == {"cow", "bear", "NA"}


def test_captions_that_look_like_gaps_and_numbers_are_captions(twice: Game):
    chains = read_rows(twice.path("results/study/chains.tsv"))
    assert {row["caption"] for row in chains} == {
        "a cow",
        "NA",
        "null",
        "nan",
        "inf",
        "a small cow",
    }
    assert all(row["bleu_first"] is not None for row in chains)


def test_what_is_known_of_bases_is_the_reference(twice: Game):
    chains = read_rows(twice.path("results/study/chains.tsv"))
    pictures = [row for row in chains if row["first"] == "image" and row["round"] == 1]
    # gen-1 says "NA" of all: nothing was kept of the bases, and nothing is there to be kept after
    assert [row["animal_true"] for row in pictures] == [None, 0, 0, 0] * 2
    assert {row["animal_kept"] for row in pictures} == {None}
    lives = read_rows(twice.path("results/study/halflife.tsv"))
    (row,) = [
        row for row in lives
        if (row["bundle"], row["first"], row["reference"]) == ("one", "image", "the base")
    ]  # fmt: skip
    assert (row["chains"], row["bases"], row["last"], row["half_life"]) == (3, 2, 0, 1)


def test_a_study_of_nothing_is_refused(twice: Game):
    call = twice.call("study", study="{bases: [], imported: []}")
    assert call.code != 0 and "no chain to measure" in call.text and "Traceback" not in call.text


def test_what_was_exported_comes_back_with_its_bases_seeds_and_truth(tmp_path: Path):
    make_picture(tmp_path / "cow.jpg")
    make_picture(tmp_path / "round1.png", 2)
    (tmp_path / "round1.txt").write_text('a cow, "standing"\n')
    played = [
        exchange.Played(name, "b", tmp_path / "cow.jpg", [tmp_path / "round1.txt"],
                        [tmp_path / "round1.png"])
        for name in ("cow", "cow@7", "cow@8+b")
    ]  # fmt: skip
    exchange.export(played, tmp_path / "out", {"cow": {"caption": "a cow"}})
    taken = exchange.read(tmp_path / "out" / "b")
    assert [one.captions for one in taken] == [['a cow, "standing"']] * 3
    named = [exchange.CHAIN.fullmatch(one.name) for one in taken]
    assert [(one["image"], one["seed"]) for one in named] == [
        ("cow", None), ("cow", "7"), ("cow", "8"),
    ]  # fmt: skip
    known = Attributes({"animal": {"cow": __import__("re").compile("cow")}})
    assert Truth.read(tmp_path / "out" / "b").of("cow", known) == {"animal": "cow"}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("filename,caption\nx,a cow, standing\n", "line 2 has more cells .* stands in quotes"),
        ("filename,caption\nx,a cow\ny,a bear\n", "gen-2: y is here, which gen-0 lacks"),
    ],
)
def test_nothing_of_a_table_is_dropped_in_silence(tmp_path: Path, lines: str, said: str):
    root = tmp_path / "text-first"
    make_picture(root / "gen-1" / "x.png")
    (root / "gen-0.csv").write_text("filename,caption\nx,a cow\n")
    (root / "gen-2.csv").write_text(lines)
    with pytest.raises(UserError, match=said):
        exchange.read(tmp_path)
    (root / "gen-2.csv").write_text("filename,caption\nx,a cow\n")
    make_picture(root / "gen-1" / "x.jpeg")
    with pytest.raises(UserError, match="which one is x"):
        exchange.read(tmp_path)


# --- words


def test_a_text_is_itself_in_any_script_and_of_any_length():
    for text in ("cow", "a cow", "牛", "赤い凧が空を飛ぶ", "красный змей", "ว่าวสีแดง", "लाल पतंग",
                 "🐄 🌳", "!", "NA"):  # fmt: skip
        assert texts.bleu(text, text) == pytest.approx(1), text
        assert texts.change(text, text).lost == 0 and texts.change(text, text).kept > 0, text
    assert texts.words("Лошадь, café_2 — नमस्ते") == ("лошадь", "café_2", "नमस्ते")
    assert texts.words("赤い凧") == ("赤", "い", "凧")
    assert texts.words("한국어 연") == ("한국어", "연")
    assert texts.bleu("красный змей в небе", "синий змей в море") < 0.5
    assert texts.bleu("a dog", "a cow") == pytest.approx(math.sqrt(1 / 2 * 0.1))


# --- attributes


def test_a_name_that_tables_use_is_no_attribute(tmp_path: Path):
    path = tmp_path / "attributes.yaml"
    for name in ("caption", "round", "meaning", "kind_kept", "bleu_first", "bundle"):
        path.write_text(yaml.safe_dump({name: {"cow": "cow"}}))
        with pytest.raises(UserError, match=f"cannot be called {name}"):
            Attributes.read(path)
    path.write_text("kind: {NA: cow}")
    with pytest.raises(UserError, match="a value cannot be called NA"):
        Attributes.read(path)


def test_truth_is_the_denominator_and_chance_is_that_of_other_bases():
    signs = Attributes({"kind": {k: __import__("re").compile(k) for k in ("cow", "bear")}})
    rows = []
    for name, said in (("x", ["a cow", "a cow"]), ("y", ["a tree", "a cow"])):
        played = Played(said, np.ones((2, 1)), base_pixels=np.zeros(1), pixels=(np.zeros(1),) * 2)
        true = {"kind": {"x": "cow", "y": "bear"}[name]}
        whose = {"chain": name, "image": name, "bundle": "b", "first": "image"}
        rows += [{**whose, **row} for row in table_of(played, signs, true)]
    assert attributes.columns_of(rows) == ["kind_true", "kind_kept"]
    found = {
        (row["measure"], row["round"]): (row["mean"], row["chains"], row["chance"])
        for row in curves.table(rows, ["kind_true", "kind_kept"], Chance())
    }
    assert found["kind_true", 1] == (0.5, 2, 0) and found["kind_true", 2] == (0.5, 2, 0.5)
    assert found["kind_kept", 1][:2] == (1, 1) and found["kind_kept", 2] == (1, 1, 1)


def test_truth_tables_that_would_be_misread_are_refused(tmp_path: Path):
    assert Truth.read(tmp_path).rows == {}
    for text, said in (
        ("image,kind\nx,cow\n", "expected the column image"),
        ("image\tkind\nx\n", "line 2 has not as many cells"),
        ("image\tkind\nx\ta\nx\tb\n", "x is there twice"),
    ):
        (tmp_path / "truth.tsv").write_text(text)
        with pytest.raises(UserError, match=said):
            Truth.read(tmp_path)


def test_survival_is_kaplan_and_meiers():
    rows = [
        row
        for name, said in (("a", "1110"), ("b", "10"), ("c", "11"), ("d", "1111"), ("e", "1011"))
        for row in kept(name, said)
    ]
    table = survival.table(rows, ["kind_kept"])
    assert [row["at_risk"] for row in table] == [5, 5, 2, 2]
    assert [row["lost"] for row in table] == [0, 2, 0, 1]
    assert [row["ended"] for row in table] == [0, 1, 0, 1]
    assert [row["mean"] for row in table] == pytest.approx([1, 3 / 5, 3 / 5, 3 / 5 / 2])
    assert all(row["low"] <= row["mean"] <= row["high"] for row in table[1:])


def test_a_chain_that_ends_moves_no_mean():
    rows = [row for n in range(3) for row in kept(f"long{n}", "1" * 9)]
    rows += [row for n in range(3) for row in kept(f"short{n}", "000")]
    table = curves.table(rows, ["kind_kept"])
    assert [row["mean"] for row in table] == pytest.approx([0.5] * 9)
    assert [row["chains"] for row in table] == [6] * 3 + [3] * 6
    # of chains of one length it is the plain mean, gaps or not
    values = np.array([[1, 2, np.nan], [3, 5, 7.0]])
    means, _ = intervals.linked(values, np.array([3, 3]), np.array(["a", "b"]))
    assert means.tolist() == [2, 3.5, 7]


def test_chains_that_began_otherwise_are_never_pooled():
    rows = kept("x", "11") + kept("y", "00", first="text")
    table = curves.table(rows, ["kind_kept"])
    assert [(row["first"], row["mean"]) for row in table] == [("image", 1)] * 2 + [("text", 0)] * 2


# --- which curve


def series(curve) -> dict[int, float]:
    return {g: round(float(curve(g)), 6) for g in range(2, 21, 2)}


def test_a_constant_is_no_decay():
    for value in (0.764913, 0.8, 1.0, 0.0, -0.2):
        constant = series(lambda g, value=value: value)
        assert decay.decide(constant).curve == "constant"
        assert semantic_drift.sdr(constant).note
    chance = np.random.default_rng(1)
    curves_ = [decay.decide(series(lambda g: 0.7 + chance.normal(0, 0.01))) for _ in range(200)]
    assert sum(found.curve == "constant" for found in curves_) / 200 > 0.75
    assert all(found.weight < 0.99 for found in curves_ if found.curve != "constant")


def test_curves_are_told_apart():
    fall = decay.decide(series(lambda g: 0.5 * np.exp(-0.2 * g) + 0.4))
    assert fall.curve == "exponential" and fall.weight > 0.99
    assert (fall.a, fall.b, fall.c) == pytest.approx((0.5, 0.2, 0.4), rel=1e-3)
    assert decay.decide(series(lambda g: 0.5 * g**-0.7 + 0.3)).curve == "power"
    assert decay.decide(series(lambda g: 0.9 if g < 9 else 0.6)).curve == "step"
    assert decay.decide({g: 0.9 - 0.01 * g for g in range(2, 21, 2)}).straight
    assert decay.decide(dict.fromkeys(range(5), 0.5)).curve is None


def test_three_generations_on_an_exponential_get_its_rate():
    fit = semantic_drift.sdr({g: 0.5 * math.exp(-0.3 * g) + 0.4 for g in (2, 4, 6)})
    assert (fit.a, fit.b, fit.c) == pytest.approx((0.5, 0.3, 0.4), rel=1e-4)
    assert fit.error is None and "nothing is left to check" in fit.note


def mapped(bases: int, curve, column: str = "meaning_base") -> list[dict]:
    slower = np.random.default_rng(bases).normal(1, 0.1, bases)
    return [
        {**row, column: float(curve(2 * row["round"] * slower[n]))}
        for n in range(bases)
        for seed in (1, 2)
        for row in chain(f"x{n}@{seed}", "a" * 10, f"x{n}")
    ]


def test_rates_and_mcd_have_intervals_and_only_valid_rates_count():
    rows = mapped(12, lambda g: 0.5 * np.exp(-0.2 * g) + 0.4)
    for row in rows:
        row["caption_base"] = 0.764913
    found = {row["mapping"]: row for row in semantic_drift.table(rows)}
    falls, level, mean = (found[n] for n in ("image to image", "image to text", "mean"))
    assert falls["curve"] == "exponential" and falls["sdr_b_low"] <= 0.2 <= falls["sdr_b_high"]
    assert falls["mcd_low"] < falls["mcd"] < falls["mcd_high"]
    assert falls["bases"] == 12 and falls["chains"] == 24
    assert level["curve"] == "constant" and level["sdr_b"] is None
    assert "a constant describes it better" in level["note"]
    assert mean["sdr_b"] == falls["sdr_b"] and "image to text" in mean["note"]
    assert mean["chains"] == 24
    plain = [np.mean([row["meaning_base"] for row in rows if row["round"] == n])
             for n in range(1, 11)]  # fmt: skip
    assert falls["mcd"] == pytest.approx(np.mean(plain))


# --- ends


@pytest.mark.parametrize(
    ("said", "since", "period", "cycles", "settled"),
    [
        ("abbabb", 1, 3, 2, False),
        ("abbabbabb", 1, 3, 3, True),
        ("abcccccc", 3, 1, 6, True),
        ("abccc", 3, 1, 3, False),
        ("aaaaaaabaaaaaa", 9, 1, 6, False),  # it has left that caption before, after longer
        ("xyxyxyxy", 1, 2, 4, True),
        ("abcdefg", None, None, None, False),
    ],
)
def test_a_chain_settles_on_evidence(said, since, period, cycles, settled):
    found = attractors.rest(said)
    assert (found.since, found.period, found.cycles, found.settled) == (
        since, period, cycles, settled,
    )  # fmt: skip


def test_it_is_measured_how_many_stay_settled():
    rows = (
        chain("x", "a" * 20) + chain("y", "a" * 10 + "b" * 10) + chain("z", "abcdefghijklmnopqrst")
    )
    (half,) = [r for r in attractors.stays(rows) if r["what"] == "caption" and r["seen"] == 0.5]
    assert (half["called_settled"], half["stay"], half["chains"]) == (2, 0.5, 3)


def test_ends_count_bases_beside_chains():
    rows = [row for n in range(4) for row in chain(f"x@{n}", "ab", "x")] + chain("y", "ac")
    shares = attractors.shares(attractors.chains(rows))
    assert [(row["caption"], row["chains"], row["bases"]) for row in shares] == [
        ("b", 4, 1), ("c", 1, 1),
    ]  # fmt: skip
    assert shares[0]["share"] == 0.8 and shares[0]["base_share"] == 0.5


def test_themes_gather_captions_of_one_meaning_and_tell_basins():
    vectors = np.eye(4)[[0, 1, 2, 3]]
    near = vectors[0] * 0.999 + vectors[1] * 0.04
    rows, kept_ = [], {}
    for n, (base, end) in enumerate((("x", vectors[0]), ("x", near / np.linalg.norm(near)),
                                     ("y", vectors[2]), ("z", vectors[2]))):  # fmt: skip
        rows += chain(f"c{n}", f"{n}{'p' if n > 1 else n}", base)
        kept_["b", f"c{n}"] = {"meant": np.stack([vectors["xyz".index(base)], end])}
    found, basins = themes.find(rows, kept_)
    assert [(row["chains"], row["bases"], row["captions"]) for row in found] == [
        (2, 1, 2), (2, 2, 1),
    ]  # fmt: skip
    assert [(row["image"], row["themes"]) for row in basins] == [("x", 1), ("y", 1), ("z", 1)]


def test_the_level_of_chance_is_the_mean_over_all_other_bases():
    chance = np.random.default_rng(0)
    bases = ["x", "x", "y", "z"]
    begun = [*chance.normal(size=(4, 3))]
    later = [*chance.normal(size=(4, 2, 3))]
    pairs = [begun[i] @ later[j][1] for i in range(4) for j in range(4) if bases[i] != bases[j]]
    assert mean_of_others(begun, later, bases, 1) == pytest.approx(np.mean(pairs))


def test_vectors_of_many_chains_keep_their_places(tmp_path: Path):
    chains = [
        {"meant": np.full((3, 2), 1.0), "base": np.full(4, 2.0)},
        {"meant": np.full((2, 2), 3.0), "told": np.full((2, 4), 4.0)},
    ]
    np.savez(tmp_path / "all.npz", **pack_chains(chains))
    with np.load(tmp_path / "all.npz") as arrays:
        found = unpack_chains(arrays, [("b", "x"), ("b", "y")])
    for own, kept_ in zip(found.values(), chains, strict=True):
        assert set(own) == set(kept_)
        assert all((own[name] == kept_[name]).all() for name in own)


# --- how chains move


def test_transitions_come_to_their_long_run():
    chances = np.array([[0.9, 0.1], [0.5, 0.5]])
    assert dynamics.long_run(chances, np.array([1.0, 0])) == pytest.approx([5 / 6, 1 / 6])
    flip = np.array([[0.0, 1], [1, 0]])
    assert dynamics.long_run(flip, np.array([1.0, 0])) == pytest.approx([0.5, 0.5])
    assert dynamics.closed_classes(np.eye(3)) == 3 and dynamics.closed_classes(chances) == 1
    absorbing = np.array([[0.5, 0.5], [0, 1.0]])
    assert dynamics.closed_classes(absorbing) == 1
    assert dynamics.long_run(absorbing, np.array([1.0, 0])) == pytest.approx([0, 1])


def test_what_captions_tell_of_bases_is_measured_in_bits():
    assert dynamics.entropy("aabb") == 1 and dynamics.entropy("aaaa") == 0
    assert dynamics.information("xxyy", "aabb") == pytest.approx(1)
    assert dynamics.information("xxyy", "abab") == pytest.approx(0)


def test_attraction_is_a_regression_of_the_last_on_the_first():
    rows = []
    for n, words in enumerate((2, 4, 6, 8)):
        for place, length in enumerate((words, words // 2 + 3)):
            row = chain(f"x{n}", "ab")[place]
            rows.append({**row, "caption": " ".join(["a"] * length)})
    found = {row["measure"]: row for row in dynamics.attraction(rows)}["words"]
    assert (found["m"], found["k"]) == pytest.approx((0.5, 3))
    assert (found["strength"], found["position"]) == pytest.approx((0.5, 6))


def test_bundles_are_compared_base_by_base():
    rows = []
    for bundle, shift in (("b", 0.1), ("c", 0.0)):
        for n, level in enumerate((0.2, 0.5, 0.7, 0.4)):
            rows += [{**row, "pixels_base": level + shift + (0.01 * n if shift else 0)}
                     for row in chain(f"x{n}", "ab", bundle=bundle)]  # fmt: skip
    (row,) = [r for r in comparisons.table(rows) if r["measure"] == "pixels_base"]
    assert row["difference"] == pytest.approx(0.115) and row["bases"] == 4
    assert 0.08 < row["low"] < row["high"] < 0.15  # far narrower than the bases' scatter


# --- plots and pages


def test_no_two_of_many_curves_look_alike():
    looks = {tuple(map(str, plots._look(number).values())) for number in range(100)}
    assert len(looks) == 100


def test_many_bundles_are_drawn_in_panels_of_their_own(tmp_path: Path):
    rows = [row for n in range(9) for base in "xyz"
            for row in kept(base, "110", bundle=f"bundle-{n}")]  # fmt: skip
    write_rows(rows, tmp_path / "chains.tsv")
    out = [tmp_path / f"{name}.tsv" for name in ("attributes", "halflife", "survival")]
    attributes.write(tmp_path / "chains.tsv", *out)
    attributes.draw(out[0], tmp_path / "attributes.svg")
    attributes.draw_survival(out[2], tmp_path / "survival.svg")
    said = re.findall("<!-- (.*?) -->", (tmp_path / "attributes.svg").read_text())
    for number in range(9):  # two lines, each of which is no wider than its panel
        title = [f"bundle-{number}", "kind, against round 1's caption"]
        assert title in [said[at : at + 2] for at in range(len(said))]
    assert not any("bundle" in one and "kind" in one for one in said)


def test_what_a_page_says_in_short_is_what_its_tables_say():
    mean = {"bundle": "b", "mcd": 0.96864, "mcd_low": 0.9, "mcd_high": 0.9996, "bases": 7,
            "note": None}  # fmt: skip
    life = {"bundle": "b", "first": "image", "attribute": "kind", "reference": "the base",
            "chains": 12, "bases": 3, "last": 0.125, "last_low": None, "last_high": None,
            "chance": 0.06666, "half_life": 2.25}  # fmt: skip
    other = {**life, "reference": "round 1's caption"}
    (told,) = page.in_short({"mcd": [mean], "halflife": [life, other]})
    assert told == (
        "`b`: MCD 0.969 (interval: 0.900 to 1.000) over 7 bases.\n\n- kind, from images: 12.5 % of"
        " 12 chains (3 bases) say in the last round what the base says; by chance 6.7 %; half had"
        " lost it by round 2.2."
    )


def test_pages_round():
    assert page.markdown([{"x": 0.96864, "y": 0.9996, "z": None}]).endswith(
        "| 0.969 | 1.000 | NA |"
    )
