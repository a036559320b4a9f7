"""The house: its picture is current, and the game plays without the training wing."""

import re
import shutil
from collections.abc import Callable

import rooms
from conftest import ROOT, Call, Game

WING = tuple(
    f'include: "rules/{name}.smk"' for name in ("common/training", "training", "storybook")
)


class Wingless(Game):
    """A game with a copy of the workflow from which the training wing was taken away."""

    def call(self, *arguments: str, **settings: object) -> Call:
        return super().call("-s", str(self.path("Snakefile")), *arguments, **settings)


def test_the_game_plays_without_the_training_wing(new_game: Callable[[], Game]):
    game = Wingless(new_game().folder)
    ignored = shutil.ignore_patterns("__pycache__", "training", "storybook", "training.smk")
    for name in ("rules", "scripts", "profiles"):
        shutil.copytree(ROOT / name, game.path(name), ignore=ignored)
    lines = (ROOT / "Snakefile").read_text().splitlines(keepends=True)
    left = [line for line in lines if line.strip() not in WING]
    assert len(left) == len(lines) - len(WING)
    game.path("Snakefile").write_text("".join(left))
    game.path("rules/storybook.smk").unlink()
    game.play("results/cow/strip.png", "results/cow/drift.svg")
    assert game.call("results/cow/strip.png").nothing


def test_the_workstation_profile_plays_what_it_can(game: Game):
    game.path("input/broken.png").write_bytes(b"no picture")
    called = game.call("all", "--workflow-profile", str(ROOT / "profiles/workstation"))
    assert called.code == 1 and "broken.png" in called.text  # and yet:
    assert game.path("results/cow/strip.png").is_file()


def test_the_picture_of_the_rooms_is_current():
    text = (ROOT / "docs/design.md").read_text()
    assert rooms.picture() in text, "run python tests/rooms.py, which writes it into docs/design.md"


def test_arrows_between_rooms_run_one_way():
    """No room sees one that sees it, however many rooms are between the two."""
    left = rooms.arrows()
    while last := {(one, other) for one, other in left if other not in {a for a, _ in left}}:
        left -= last
    assert left == set()


def test_run_blocks_say_what_they_need():
    """What a job needs is among its params: nothing reads the config, or unpacks a dictionary."""
    for path in (ROOT / "rules").glob("*.smk"):
        blocks = re.findall(r"^    run:\n((?: {8}.*\n|\n)+)", path.read_text(), re.MULTILINE)
        assert not [block for block in blocks if "config[" in block or "**" in block], path


def test_helpers_of_tests_are_imported_under_one_name():
    """As `conftest`, not as `tests.conftest`, too: fixtures and classes would be there twice."""
    for path in (ROOT / "tests").glob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert not [line for line in lines if line.startswith(("from tests", "import tests"))], path
