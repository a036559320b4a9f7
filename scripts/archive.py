"""A results folder as an archive that a repository takes: a Workflow RO-Crate in one zip file.

Workflow RO-Crate 1.0 (https://w3id.org/workflowhub/workflow-ro-crate/1.0), which builds on RO-Crate
1.1: files as they lie in the game's folder, and ro-crate-metadata.json, which describes them.
"""

from __future__ import annotations

import datetime
import mimetypes
import os
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from scripts.errors import UserError
from scripts.files import written
from scripts.page import standing

PROFILES = (
    "https://w3id.org/ro/crate/1.1",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
)
LICENCE = "https://spdx.org/licenses/MIT"
WORKFLOW = ("LICENSE", "CITATION.cff", "README.md", "requirements.txt", "requirements-models.txt")
OF_BUNDLE = ("bundle.yaml", "README.md", "attributes.yaml", "training.yaml")  # not the weights
EPOCH = (1980, 1, 1, 0, 0, 0)  # the time of every member: the same files give the same bytes


def write(results: Path | str, workflow: Path | str, out: Path | str) -> int:
    """Writes the archive of a results folder, and tells how many files of it there are.

    `workflow` is the folder of the Snakefile. Base files, configuration and the cards of bundles
    are taken from the working folder. Raises UserError if nothing has been played.
    """
    results, workflow, out = Path(results), Path(workflow), Path(out)
    chains = [chain for chain in standing.every_chain(results) if chain.rounds]
    if not chains:
        raise UserError(f"{results}: nothing has been played; there is nothing to archive.")
    files = [path for path in _below(results) if path.resolve() != out.resolve()]
    with tempfile.TemporaryDirectory() as temporary:
        crate = _describe(chains, files, results, workflow)
        crate.write(temporary)
        with written(out) as part:
            _zip(Path(temporary), part)
    return len(files)


def _describe(
    chains: Sequence[standing.Standing], files: Sequence[Path], results: Path, workflow: Path
) -> Any:
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version="1.1")
    crate.name = f"Games of broken telephone: {len(chains)} chains"
    crate.description = (
        "Pictures that were described and painted again, round after round, by a captioner and a"
        " painter; with every caption, picture and record, made by the workflow TelephoneGAN."
    )
    crate.license = LICENCE
    crate.datePublished = _newest(chains)
    crate.root_dataset["conformsTo"] = [{"@id": profile} for profile in PROFILES]
    main = crate.add_workflow(
        workflow / "Snakefile", "Snakefile", main=True, lang="snakemake", gen_cwl=False
    )
    main["name"] = "TelephoneGAN"
    main["license"] = LICENCE
    main["url"] = "https://github.com/anthonyftwang/TelephoneGAN"
    for name in WORKFLOW:
        if (workflow / name).exists():
            _add(crate, workflow / name, name)
    for folder in ("rules", "scripts"):
        for path in _below(workflow / folder):
            if "__pycache__" not in path.parts:
                _add(crate, path, path.relative_to(workflow).as_posix())
    for path in [*_below(Path("input")), Path("config.yaml"), *_cards(chains)]:
        if path.is_file():
            _add(crate, path, path.as_posix())
    for chain in chains:
        made = chain.record
        bundle = (made.get("bundle") or {}).get("name", "")
        about = f"{chain.rounds} rounds, seed {made.get('seed')}, bundle {bundle}"
        folder = f"results/{chain.name}/"
        crate.add_dataset(dest_path=folder, properties={"name": chain.name, "description": about})
    for path in files:
        _add(crate, path, f"results/{path.relative_to(results).as_posix()}")
    return crate


def _add(crate: Any, path: Path, name: str) -> None:
    kind = mimetypes.guess_type(name)[0] or "text/plain"
    properties = {"encodingFormat": kind, "contentSize": str(path.stat().st_size)}
    crate.add_file(path, name, properties=properties)


def _cards(chains: Iterable[standing.Standing]) -> list[Path]:
    """What describes the bundles that were played with."""
    names = {(chain.record.get("bundle") or {}).get("name", "") for chain in chains}
    return [
        Path("models", name, file) for name in sorted(filter(None, names)) for file in OF_BUNDLE
    ]


def _newest(chains: Iterable[standing.Standing]) -> str:
    """The day of the newest picture, which is the same however often it is archived."""
    times = [(chain.folder / f"round{chain.rounds}.png").stat().st_mtime for chain in chains]
    return datetime.datetime.fromtimestamp(max(times), datetime.UTC).date().isoformat()


def _below(folder: Path) -> list[Path]:
    """All files in a folder, without hidden ones and links."""
    found = []
    for inside, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (Path(inside, name) for name in sorted(names) if not name.startswith("."))
        found += [path for path in paths if path.is_file() and not path.is_symlink()]
    return found


def _zip(folder: Path, out: Path) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            member = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
            member.external_attr = 0o644 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, path.read_bytes())
