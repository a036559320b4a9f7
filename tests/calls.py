"""Calls of Snakemake that do not begin by importing for seconds.

A process that has imported Snakemake and PyTorch waits, and each call is a fork of it, with a
folder, an environment and a module path of its own. Nothing of the project is imported beforehand.
"""

import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

OURS = {str(Path(__file__).parent), str(Path(__file__).parent.parent)}
IMPORTED = [
    *("snakemake.cli", "snakemake.report", "smart_open", "requests", "jsonschema"),
    *("snakemake_executor_plugin_slurm", "snakemake_executor_plugin_slurm_jobstep"),
    *("torch", "torchvision.models", "torchvision.transforms.functional", "safetensors.torch"),
    *("matplotlib.figure", "matplotlib.backends.backend_svg", "PIL.ImageDraw"),
]

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(IMPORTED)


def snakemake(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
) -> tuple[int, str]:
    """What `snakemake <arguments>`, called in the folder, returns and says.

    Raises TimeoutError, and ends the call, if it takes longer than `timeout` seconds.
    """
    with tempfile.NamedTemporaryFile() as said:
        process = start(arguments, folder, environment, said.name)
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(Path(said.name).read_text())
        return process.exitcode, Path(said.name).read_text()


def start(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], said: str = os.devnull
) -> multiprocessing.process.BaseProcess:
    """Begins a call, as the leader of a process group; all that it says goes to the file `said`."""
    given = (list(arguments), str(folder), dict(environment), said)
    process = context.Process(target=_main, args=given)
    process.start()
    return process


def _main(arguments: list[str], folder: str, environment: dict[str, str], said: str) -> None:
    """Becomes what `python -m snakemake` would be."""
    os.setsid()
    # Where tests run in the background of a script, SIGINT is ignored, and so it would be here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    file = os.open(said, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.path[:] = [folder, *(place for place in sys.path if place not in OURS)]
    sys.argv = ["snakemake", *arguments]
    from snakemake.cli import main

    main(arguments)
