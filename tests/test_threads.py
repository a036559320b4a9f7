"""What stages write does not depend on what other threads of the process do meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts import plots
from scripts.study.semantic_drift import sdr

THREADS, TIMES = 4, 12


def draw(path: Path) -> bytes:
    """A plot with clips and markers, whose names in the file are drawn from a process-wide salt."""
    sheet, axes = plots.figure(3)
    for number in range(3):
        plots.line(axes[0, 0], number, [0, 1, 2], [number, 1, 2], f"curve {number}")
    plots.legend(sheet, ["one", "two", "three"])
    plots.save(sheet, path)
    return path.read_bytes()


def test_plots_are_the_same_bytes_on_threads(tmp_path: Path):
    alone = draw(tmp_path / "alone.svg")
    with ThreadPoolExecutor(THREADS) as pool:
        paths = [tmp_path / f"{number}.svg" for number in range(TIMES)]
        assert set(pool.map(draw, paths)) == {alone}


FITS = [
    {1: 0.9, 2: 0.8, 3: 0.75, 4: 0.72, 5: 0.7},  # a decay
    {1: 0.5, 2: 0.50001, 3: 0.5, 4: 0.50002, 5: 0.9},
    {1: 0.9, 2: 0.7, 3: 0.6},  # as many points as parameters
    {1: 1.0, 2: 0.0, 3: 0.0, 4: 0.0, 5: 0.0},  # only the first counts: not determined
]


def test_fits_are_the_same_on_threads():
    alone = [sdr(similar) for similar in FITS]
    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(sdr, FITS * TIMES)) == alone * TIMES
