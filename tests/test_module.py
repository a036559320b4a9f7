"""Another workflow uses this one as a module."""

from collections.abc import Callable

import pytest
from conftest import ROOT, Call, Game

OTHER = """
configfile: "config.yaml"

rule mine:
    input:
        "results/cow/round2.png",
        "results/cow/strip.png",
    output:
        "mine.txt",
    shell:
        "ls {{input}} > {{output}}"

module telephone:
    snakefile: "{snakefile}"
    config: config["telephone"]
{more}
use rule * from telephone as telephone_*
"""


class Using(Game):
    """A game that is played by another workflow, which uses this one as a module."""

    def call(self, *arguments: str, more: str = "", **settings: object) -> Call:
        text = OTHER.format(snakefile=ROOT / "Snakefile", more=more)
        self.path("Snakefile").write_text(text)
        self.path("config.yaml").write_text("mine: 1\ntelephone: {bundle: tiny, rounds: 2}\n")
        return super().call("-s", str(self.path("Snakefile")), *arguments, **settings)


@pytest.fixture
def using(new_game: Callable[[], Game]) -> Using:
    return Using(new_game().folder)


def test_another_workflow_plays_the_same_game(using: Using, game: Game):
    said = using.play()
    assert "Rule: telephone_generate" in said.text  # it has Snakemake's messages, and its own rules
    assert using.path("mine.txt").read_text().split() == [
        "results/cow/round2.png",
        "results/cow/strip.png",
    ]
    game.play("results/cow/strip.png")
    mine = {name: text for name, text in using.contents().items() if name.startswith("cow/")}
    assert mine == game.contents()
    assert using.call().nothing
    assert using.call("--list").text.startswith("mine\n")


def test_mistakes_in_a_module_are_one_message(using: Using):
    using.path("models/tiny/generator.safetensors").write_bytes(b"damaged")
    failed = using.call("--keep-going")
    assert failed.code == 1 and "Traceback" not in failed.text
    assert "generator.safetensors: these are no weights" in failed.text


def test_a_prefix_is_refused_with_what_to_do(using: Using):
    refused = using.call("-n", more='    prefix: "game"')
    assert refused.code == 1 and "Traceback" not in refused.text
    assert "prefix" in refused.text and "--directory" in refused.text
