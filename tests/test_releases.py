"""Other releases of Snakemake that the engine room names as tested play the same games.

They are downloaded, so that this is asked for: TELEPHONE_RELEASES="9.26.1 9.25.2" pytest
tests/test_releases.py, or make releases.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Game, make_picture

RELEASES = os.environ.get("TELEPHONE_RELEASES", "").split()


class Older(Game):
    """A game that is played with another release of Snakemake."""

    packages: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "PYTHONPATH": str(self.packages)}


@pytest.mark.skipif(not RELEASES, reason="TELEPHONE_RELEASES names no release to download")
@pytest.mark.parametrize("release", RELEASES)
def test_another_release_plays_the_same_game_with_all_patches(
    release: str, new_game: Callable[[], Game], tmp_path: Path
):
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--target", str(tmp_path), f"snakemake=={release}"], check=True)
    known, older = new_game(), Older(new_game().folder, fresh=True)
    older.packages = tmp_path
    for game in (known, older):
        make_picture(game.path("input/bear.png"), 4)
    assert older.call("--version").text.strip() == release
    for game in (known, older):
        said = game.play("all", cores=2)
        assert "was not tried" not in said.text
        assert game.call("all", cores=2).nothing
    assert known.contents() == older.contents()
    weights = older.path("models/tiny/generator.safetensors")
    weights.write_bytes(b"damaged")
    before = older.contents()
    failed = older.call("all", cores=2)
    assert failed.code == 1 and "these are no weights" in failed.text
    assert "Traceback" not in failed.text
    assert older.contents() == before
    assert "Did you mean" in older.call("results/cwo/strip.png").text
