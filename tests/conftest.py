"""A small game to test with: the real networks at tiny sizes, with random weights."""

import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import calls
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from scripts.bundles import Bundle
from scripts.networks import build
from scripts.words import Vocabulary

ROOT = Path(__file__).parent.parent
WORDS = """
a the on with near and red green blue small large old new wooden happy grey
cow bear kite ball room wave dog cat tree house car boat
""".split()  # noqa: SIM905
SIZES = {
    "captioner": {
        "backbone": "shufflenet_v2_x0_5",
        "size": 32,
        "embedding": 16,
        "hidden": 16,
        "max_words": 7,
    },
    "text_encoder": {"embedding": 12, "features": 16},
    "generator": {"noise": 8, "condition": 6, "width": 4, "stages": 1, "residuals": 1},
}


def make_bundle(folder: Path, seed: int = 0, **changes: dict) -> Path:
    """Writes a whole bundle of random weights; `changes` are to the sections of bundle.yaml."""
    folder.mkdir(parents=True)
    sizes = {part: SIZES.get(part, {}) | changes.get(part, {}) for part in (*SIZES, *changes)}
    (folder / "bundle.yaml").write_text(yaml.safe_dump(sizes))
    Vocabulary(("<pad>", "<start>", "<end>", "<unk>", *WORDS)).write(folder / "captioner.txt")
    Vocabulary(("<end>", *WORDS)).write(folder / "text_encoder.txt")
    bundle = Bundle(folder, sizes)
    for part in sizes:
        torch.manual_seed(seed)
        network = build(bundle, part)
        _liven(part, network)
        save_file(network.state_dict(), folder / f"{part}.safetensors")
        (folder / f"{part}.safetensors").chmod(0o644)
    return folder


@torch.no_grad()
def _liven(part: str, network: nn.Module) -> None:
    """Has untrained weights say and paint something else for each picture and caption."""
    for norm in network.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            norm.momentum = None  # statistics of all that it has seen
    if part == "captioner":
        network.encoder(torch.randn(64, 3, 32, 32))
        network.decoder.embedding.weight *= 3
        network.decoder.linear.weight *= 8
        network.decoder.linear.bias[:4] = -1e3  # it never says <end>
    if part == "image_encoder":
        network(torch.randn(64, 3, 32, 32) / 4 + torch.rand(64, 3, 1, 1) * 2 - 1)
    if part == "generator":
        sizes = network.config
        words = torch.rand(32, sizes.sentence, 5) - 0.5
        z, eps = torch.randn(32, sizes.noise), torch.randn(32, sizes.condition)
        network(z, eps, words, words.mean(dim=2), torch.zeros(32, 5, dtype=torch.bool))
        for paint in network.paint:
            paint.conv.weight *= 3


def make_picture(path: Path, seed: int = 1, size: tuple[int, int] = (32, 32)) -> Path:
    """Draws a small picture of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (size[1], size[0], 3), generator=generator, dtype=torch.uint8)
    Image.fromarray(pixels.numpy()).save(path)
    return path


@dataclass
class Call:
    """What a call of Snakemake did."""

    code: int
    text: str  # all that it said

    @property
    def nothing(self) -> bool:
        return self.code == 0 and "Nothing to be done" in self.text


@dataclass
class Game:
    """A folder to play in."""

    folder: Path
    fresh: bool = False  # whether each call begins as a person's: with nothing imported

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.folder)}

    def command(self, *arguments: str, cores: int = 1, **settings: object) -> list[str]:
        """What follows the word snakemake."""
        config = [f"{key}={value}" for key, value in settings.items()]
        return [
            *("-s", str(ROOT / "Snakefile"), "--directory", str(self.folder)),
            *("--cores", str(cores), *arguments, *(["--config", *config] if config else [])),
        ]

    def start(
        self, *arguments: str, cores: int = 1, said: Path | str = os.devnull
    ) -> multiprocessing.process.BaseProcess:
        """Begins a call, to be disturbed; all that it says goes to the file `said`."""
        command = self.command(*arguments, cores=cores)
        if said != os.devnull:
            Path(said).write_text("")
        return calls.start(command, self.folder, self.environment, str(said))

    def call(self, *arguments: str, cores: int = 1, timeout: int = 600, **settings: object) -> Call:
        """Calls snakemake on the project's workflow, in the folder."""
        command = self.command(*arguments, cores=cores, **settings)
        if not self.fresh:
            return Call(*calls.snakemake(command, self.folder, self.environment, timeout))
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", *command],
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self.folder,
            env=self.environment,
        )
        return Call(done.returncode, done.stdout + done.stderr)

    def play(self, *arguments: str, **settings: object) -> Call:
        """As call; the call must succeed."""
        call = self.call(*arguments, **settings)
        assert call.code == 0, call.text
        return call

    def path(self, *parts: str) -> Path:
        return self.folder.joinpath(*parts)

    def times(self) -> dict[str, int]:
        """When each result was written."""
        return {
            str(path.relative_to(self.folder / "results")): path.stat().st_mtime_ns
            for path in sorted(self.folder.glob("results/**/*"))
            if path.is_file()
        }

    def contents(self) -> dict[str, bytes]:
        """What is in each result."""
        return {name: self.path("results", name).read_bytes() for name in self.times()}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of random weights, to be copied."""
    return make_bundle(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def new_game(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Game]:
    """Makes folders with the tiny bundle, a picture called cow, and two rounds to play."""

    def make() -> Game:
        folder = tmp_path_factory.mktemp("game")
        shutil.copytree(tiny, folder / "models" / "tiny")
        make_picture(folder / "input" / "cow.png")
        (folder / "config.yaml").write_text("bundle: tiny\nrounds: 2\n")
        return Game(folder)

    return make


@pytest.fixture
def game(new_game: Callable[[], Game]) -> Game:
    return new_game()
