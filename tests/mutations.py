"""Breaks promises of README.md and docs/reliability.md on purpose: does a test fail?

    python tests/mutations.py [WORD ...]

Each mutation is made in a copy of the repository, in which one test is run: before, when it must
pass, and after, when it must fail. What survives is listed, and the exit status is 1. With words,
only mutations whose promise holds one are tried. Not part of `make test`: each takes as long as its
test, twice.
"""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".snakemake", "__pycache__", "training", "results", ".*_cache", "docs"
)


@dataclass(frozen=True)
class Mutation:
    promise: str
    file: str
    old: str
    new: str
    test: str  # as pytest takes it: file, and words of -k


MUTATIONS = (
    Mutation(
        "a file has its own name only when it is whole",
        "scripts/files.py",
        'part = path.with_name(f".{path.name}.part")\n    try:',
        "part = path\n    try:",
        "test_errors.py -k interrupted_write",
    ),
    Mutation(
        "nothing is written through a link",
        "scripts/files.py",
        "        part.unlink(missing_ok=True)  # a link there would lead the writer elsewhere\n",
        "",
        "test_errors.py -k through_a_link",
    ),
    Mutation(
        "no link leads out of results/",
        "scripts/chains.py",
        "        if leads_out(path, folder):\n            raise",
        "        if False:\n            raise",
        "test_chains.py -k link",
    ),
    Mutation(
        "a picture is turned as the camera was held",
        "scripts/untrusted/pictures.py",
        "    picture = _upright(picture)\n",
        "",
        "test_untrusted.py -k turned_camera",
    ),
    Mutation(
        "transparent pictures lie on white",
        "scripts/untrusted/pictures.py",
        '"RGBA", clear.size, "white"',
        '"RGBA", clear.size, "black"',
        "test_untrusted.py -k transparent",
    ),
    Mutation(
        "a picture whose name promises another format is refused",
        "scripts/untrusted/pictures.py",
        "    if found != promised:",
        "    if False:",
        "test_untrusted.py",
    ),
    Mutation(
        "pictures of too many pixels are refused",
        "scripts/untrusted/pictures.py",
        "MAX_PIXELS =",
        "MAX_PIXELS = 10**6 *",
        "test_untrusted.py",
    ),
    Mutation(
        "two chains of one name and another seed differ",
        "scripts/noise.py",
        "{seed}/",
        "0/",
        "test_game.py -k seeds_and_bundles",
    ),
    Mutation(
        "a setting that is none is named",
        "rules/schemas/config.schema.yaml",
        "additionalProperties: false",
        "additionalProperties: true",
        "test_errors.py -k setting",
    ),
    Mutation(
        "code that a stage can see makes it stale",
        "scripts/closure.py",
        '        ahead += modules[name]["imports"]\n',
        "",
        "test_closure.py -k would_import or every_way",
    ),
    Mutation(
        "the device makes nothing stale",
        "rules/common/params.smk",
        "def parameter(wildcards, output):",
        "def parameter(wildcards):",
        "test_incremental.py -k settings",
    ),
    Mutation(
        "a job that fails costs nobody what stood",
        "rules/common/engine.smk",
        "await plain(job, {*skip_outputs, *untouched})",
        "await plain(job, skip_outputs)",
        "test_failed_jobs.py -k damaged",
    ),
    Mutation(
        "all stages share one process",
        "rules/common/engine.smk",
        "executor.use_threads = always or job.rule.name not in own",
        "executor.use_threads = always",
        "test_engine.py -k stay_in_this_process",
    ),
    Mutation(
        "a mistake is one message without a traceback",
        "rules/common/engine.smk",
        "    job.rule.run_func = patched(job.rule.run_func, run_plainly)\n",
        "",
        "test_failed_jobs.py -k damaged",
    ),
    Mutation(
        "verify names what differs",
        "scripts/verify.py",
        '    same = _pixels(again) == record["pixels_sha256"]',
        "    same = True",
        "test_verify.py",
    ),
    Mutation(
        "a caption is painted alike alone and in any company",
        "scripts/attngan/attention.py",
        "padding[:, :, None], -torch.inf",
        "padding[:, :, None], 0",
        "test_networks.py",
    ),
    Mutation(
        "networks are made faster without other results",
        "scripts/attngan/optimize.py",
        "from scripts.attngan.transposed import SPREAD",
        "SPREAD = ((0.0, 0.0, 1.0), (0.0, 1.0, 1.0), (1.0, 1.0, 0.0), (0.5, 0.0, 0.0))",
        "test_faster.py",
    ),
    Mutation(
        "weights that are not finite are refused",
        "scripts/untrusted/checkpoints.py",
        "isfinite",
        "isreal",
        "test_convert.py -k fit",
    ),
)


def survives(mutation: Mutation, copy: Path) -> str:
    """Why a mutation was not caught; "" if the test failed."""
    path = copy / mutation.file
    text = path.read_text(encoding="utf-8")
    if mutation.old not in text:
        return f"{mutation.file} no longer holds {mutation.old!r}"
    if run(mutation.test, copy) != 0:
        return "the test fails without it, too"
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    code = run(mutation.test, copy)
    path.write_text(text, encoding="utf-8")
    if code == 1:
        return ""
    return "the test passed" if code == 0 else "no test was run"


def run(test: str, copy: Path) -> int:
    """The exit status of pytest: 0 if the test passes, 1 if it fails."""
    file, _, words = test.partition(" -k ")
    command = [sys.executable, "-m", "pytest", "-x", f"tests/{file}"]
    if words:
        command += ["-k", words]
    return subprocess.run(command, cwd=copy, capture_output=True).returncode


def main() -> None:
    words = sys.argv[1:]
    chosen = [one for one in MUTATIONS if not words or any(word in one.promise for word in words)]
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy")
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT, symlinks=True)
        for kept in ("scripts/training", "docs"):
            shutil.copytree(ROOT / kept, copy / kept, symlinks=True, dirs_exist_ok=True)
        for mutation in chosen:
            why = survives(mutation, copy)
            survivors += bool(why)
            print(f"{'SURVIVED' if why else 'caught  '}  {mutation.promise} ({mutation.test})")
            if why:
                print(f"          {why}")
            sys.stdout.flush()
    print(f"{len(chosen) - survivors} of {len(chosen)} mutations were caught.")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
