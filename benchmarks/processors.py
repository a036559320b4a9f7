"""How much captions and pictures differ between processors: python benchmarks/processors.py

Plays the shipped games five rounds long, again and again, while PyTorch and its libraries are told
to do without the newer instructions of this machine. Each stage is also played alone, from what the
first game said and painted, so that a difference is one stage's own.
"""

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from scripts.bundles import Bundle  # noqa: E402
from scripts.chains import parse  # noqa: E402
from scripts.stages.caption import describe  # noqa: E402
from scripts.stages.generate import paint  # noqa: E402
from scripts.untrusted.pictures import open_picture  # noqa: E402

ROUNDS = 5
SETTINGS = {
    "as it is": {},
    "PyTorch: AVX2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "PyTorch: none": {"ATEN_CPU_CAPABILITY": "default"},
    "oneDNN: AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "oneDNN: SSE4.1": {"ONEDNN_MAX_CPU_ISA": "SSE41"},
    "MKL: AVX2": {"MKL_CBWR": "AVX2"},
    "MKL: oldest": {"MKL_CBWR": "COMPATIBLE"},
    "all three: AVX2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_CBWR": "AVX2",
    },
    "all three: oldest": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
    },
}
Played = dict[tuple[str, int], tuple[str, np.ndarray]]  # caption and pixels of image and round


def play(known: Played | None) -> Played:
    """Every round of every shipped game; each from what is known of the round before, if given."""
    bundle, played = Bundle.read("storybook", ROOT / "models"), {}
    for base in sorted((ROOT / "input").glob("*.png")):
        chain, picture = parse(base.stem, 100, bundle.name), open_picture(base)
        for round_ in range(1, ROUNDS + 1):
            said = describe(picture, bundle, "cpu", 1)[0].caption
            text = known[base.stem, round_][0] if known else said
            pixels = np.array(paint(text, chain, round_, bundle, "cpu", 1)[0])
            played[base.stem, round_] = said, pixels
            picture = Image.fromarray(known[base.stem, round_][1] if known else pixels)
    return played


def differences(one: Played, other: Played) -> str:
    captions = sum(one[key][0] != other[key][0] for key in one)
    apart = [abs(one[key][1].astype(int) - other[key][1].astype(int)) for key in one]
    share = np.mean([(difference > 0).mean() for difference in apart])
    return f"{captions} of {len(one)} | {max(d.max() for d in apart)} | {1e6 * share:.1f}"


def main() -> None:
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__.strip())
        return
    if len(sys.argv) == 3:  # one setting, in a process of its own
        first, out = map(Path, sys.argv[1:])
        known = pickle.loads(first.read_bytes()) if first.exists() else None
        out.write_bytes(pickle.dumps((play(None), known and play(known))))
        return
    print("| setting | captions changed | largest difference of a pixel | in a million values |")
    print("|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        first, out = Path(folder, "first"), Path(folder, "out")
        for name, switches in [("", {}), *SETTINGS.items()]:
            command = [sys.executable, __file__, str(first), str(out)]
            subprocess.run(command, env=os.environ | switches, check=True)
            games, alone = pickle.loads(out.read_bytes())
            if not name:
                first.write_bytes(pickle.dumps(games))
                continue
            known = pickle.loads(first.read_bytes())
            print(f"| {name} | {differences(known, games)} |")
            print(f"| {name}, each stage alone | {differences(known, alone)} |", flush=True)


if __name__ == "__main__":
    main()
