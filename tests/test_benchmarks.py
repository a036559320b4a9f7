"""Benchmarks that are prepared for machines which the tests do not have."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_benchmark_of_graphics_cards_runs_on_a_cpu(tmp_path):
    script = str(BENCHMARKS / "cuda.py")
    table = run(script, "--device", "cpu", "--small", folder=tmp_path).split("\n\n")[-1]
    header, _, *lines = [
        [cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()
    ]
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    by_precision = {
        name: [r for r in rows if r["precision"] == name] for name in ("float32", "bfloat16")
    }
    assert {row["batch"] for row in rows} == {"1", "2"}
    # In float32 and alone, the device is the CPU itself: no bit may differ. bfloat16 rounds.
    alone = by_precision["float32"][0]
    assert (alone["same captions"], alone["largest difference"]) == ("100.0%", "0")
    assert all(int(row["largest difference"]) > 1 for row in by_precision["bfloat16"])
    for row in rows:
        assert float(row["captions a second"]) > 0 and float(row["floor, ms a batch"]) > 0


def test_the_other_benchmarks_still_find_pytorch():
    """PyTorch imports NVIDIA's package `cuda`, which a script of that name could hide."""
    run("-c", "import torch, torch.cuda", folder=BENCHMARKS)
