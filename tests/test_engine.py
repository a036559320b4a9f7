"""The engine room: with it and without it, the same games are played."""

import re
import shutil
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from conftest import ROOT, Call, Game, make_picture
from snakemake.api import SnakemakeApi
from snakemake.dag import DAG
from snakemake.exceptions import WorkflowError
from snakemake.jobs import GroupJob
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.settings.enums import Quietness
from snakemake.settings.types import OutputSettings, ResourceSettings

IMAGES = ("cow", "bear", "dog")
WARNING = "This workflow was not tried with Snakemake"
INSIDES = re.compile(r"\bworkflow\._|\bworkflow(\.\w+)+ = |\bmodifier\b|\bworkflow\.dag\.")


class Untested(Game):
    """A game with a copy of the workflow that was tried with no release of Snakemake."""

    def call(self, *arguments: str, **settings: object) -> Call:
        return super().call("-s", str(self.path("Snakefile")), *arguments, **settings)


@pytest.fixture(scope="module")
def games(new_game: Callable[[], Game]) -> tuple[Game, Untested]:
    """The same game twice: to be played with the engine room and without."""
    known = new_game()
    for number, image in enumerate(IMAGES):
        make_picture(known.path("input", f"{image}.png"), number)
    other = Untested(new_game().folder)
    shutil.copytree(known.folder, other.folder, dirs_exist_ok=True)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("rules", "scripts", "profiles"):
        shutil.copytree(ROOT / name, other.path(name), ignore=ignored)
    shutil.copy2(ROOT / "Snakefile", other.path("Snakefile"))
    engine = other.path("rules/common/engine.smk")
    text = engine.read_text()
    lines = [line for line in text.splitlines() if line.startswith("TESTED = ")]
    assert len(lines) == 1
    engine.write_text(text.replace(lines[0], 'TESTED = ("1.0",)'))
    return known, other


def test_another_release_plays_the_same_with_one_warning(games: tuple[Game, Untested]):
    known, other = games
    target = "results/cow/round1.png"  # each stage takes seconds without the engine room
    planned = [game.play("--dry-run", target).text for game in games]
    stages = [sorted(line for line in text.splitlines() if "Round " in line) for text in planned]
    assert stages[0] == stages[1] and len(stages[0]) == 2
    first, second = (game.play(target, cores=2, timeout=900) for game in games)
    assert WARNING not in first.text
    assert second.text.count(WARNING) == 1
    assert known.contents() == other.contents()
    assert other.call(target).nothing


@pytest.fixture(scope="module")
def engine(games: tuple[Game, Untested]) -> Iterator[dict[str, object]]:
    """What engine.smk defines."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(games[0].folder)
        for owner, name in [
            (JobScheduler, "exit_gracefully"),
            (JobScheduler, "remaining_jobs"),
        ]:
            patched.setattr(owner, name, getattr(owner, name))
        patched.setattr("scripts.signals.end_soon", lambda *_: None)
        with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
            made = api.workflow(ResourceSettings(cores=1), snakefile=ROOT / "Snakefile")
            yield made._workflow.globals


@pytest.mark.parametrize(
    ("release", "tested"),
    [("9.27.1", True), ("9.27", True), ("9.25.0", True), ("9.2.7", False), ("10.0.0", False),
     ("9.270.1", False), ("8.27.1", False), ("9.28.0rc1", False)],
)  # fmt: skip
def test_which_releases_are_known(release: str, tested: bool, engine: dict):
    assert engine["is_tested"](release) == tested


def test_the_pinned_release_is_known(engine: dict):
    pins = (ROOT / "requirements.txt").read_text().splitlines()
    [pin] = [line.partition("==")[2] for line in pins if line.startswith("snakemake==")]
    assert engine["is_tested"](pin)


# --- patched and plain answers on the same DAGs


def group(*jobs: str) -> GroupJob:
    made = GroupJob.__new__(GroupJob)
    made._groupid, made._jobs, made._toposorted = "chain", frozenset(jobs), None
    return made


def dag(depends: dict[str, str], *groups: GroupJob) -> SimpleNamespace:
    """As much of a DAG as the check of groups reads: `depends` has a word for each dependency."""
    jobs = {job for words in depends.values() for job in words.split()} | set(depends)
    rule = SimpleNamespace(name="stage", snakefile="Snakefile", lineno=1)
    made = {name: Job(name, rule) for name in sorted(jobs)}
    for one in groups:
        one._jobs = frozenset(made[name] for name in one._jobs)
    return SimpleNamespace(
        _group={job: one for one in groups for job in one.jobs},
        _dependencies={
            job: [made[name] for name in depends.get(job.name, "").split()] for job in made.values()
        },
    )


class Job:
    def __init__(self, name: str, rule: SimpleNamespace) -> None:
        self.name, self.rule = name, rule


DAGS = {
    "a chain": ({"b": "a", "c": "b"}, [("a", "b", "c")], True),
    "two chains": ({"b": "a", "d": "c"}, [("a", "b"), ("c", "d")], True),
    "weights for both": ({"b": "a", "d": "c", "a": "w", "c": "w"}, [("a", "b"), ("c", "d")], True),
    "one after the other": ({"b": "a", "c": "b", "d": "c"}, [("a", "b"), ("c", "d")], True),
    "out and back": ({"b": "a", "c": "b"}, [("a", "c")], False),
    "far out and back": ({"b": "a", "c": "b", "d": "c"}, [("a", "d")], False),
    "out, forked, and back": ({"b": "a", "c": "a", "d": "b c"}, [("a", "d")], False),
    "each other's": ({"b": "a", "c": "b", "d": "c"}, [("a", "c"), ("b", "d")], False),
}  # fmt: skip


@pytest.mark.parametrize(("depends", "groups", "sound"), DAGS.values(), ids=DAGS)
def test_groups_are_checked_as_snakemake_does(
    depends: dict[str, str], groups: list[tuple[str, ...]], sound: bool, engine: dict
):
    plain = getattr(DAG._check_groups, "replaces", DAG._check_groups)
    for check in (plain, lambda made: engine["check_groups"](plain, made)):
        made = dag(depends, *(group(*jobs) for jobs in groups))
        if sound:
            check(made)
        else:
            with pytest.raises(WorkflowError, match="depends on itself"):
                check(made)


PAIRS = [("a b", "a b"), ("a b", "a"), ("a", "a b"), ("a", "b"), ("a b", "b c")]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_groups_compare_and_merge_as_snakemake_does(one: str, other: str, engine: dict):
    plain_equal = getattr(GroupJob.__eq__, "replaces", GroupJob.__eq__)
    plain_merge = getattr(GroupJob.merge, "replaces", GroupJob.merge)
    first, second = group(*one.split()), group(*other.split())
    for pair in ((first, second), (first, first)):
        assert engine["equal_groups"](plain_equal, *pair) == plain_equal(*pair)
    again = group(*one.split())
    plain_merge(first, second)
    engine["merge_groups"](plain_merge, again, second)
    assert first.jobs == again.jobs


@pytest.mark.parametrize(
    ("rule", "asked_for", "threads"),
    [("caption", False, True), ("train_backbone", False, False), ("train_backbone", True, True)],
)
def test_which_jobs_stay_in_this_process(rule: str, asked_for: bool, threads: bool, engine: dict):
    """`asked_for`: by --force-use-threads, as in the process that is spawned for a job."""
    settings = SimpleNamespace(
        execution_settings=SimpleNamespace(use_threads=asked_for),
        rules_with_processes=engine["workflow"].rules_with_processes,
    )
    executor = SimpleNamespace(workflow=settings, use_threads=None)
    job = SimpleNamespace(rule=SimpleNamespace(name=rule, run_func=print))
    assert engine["run_single_job"](lambda own, _: own.use_threads, executor, job) == threads


@pytest.mark.parametrize("scheduler", ["greedy", "ilp"])
@pytest.mark.parametrize("ready", [[], ["a"]])
def test_what_remains_is_told_where_it_is_asked_for(scheduler: str, ready: list, engine: dict):
    settings = SimpleNamespace(scheduling_settings=SimpleNamespace(scheduler=scheduler))
    asked = SimpleNamespace(workflow=settings, open_jobs=ready)
    told = engine["remaining_jobs"](lambda _: ["a", "b"], asked)
    assert told == ([] if ready and scheduler == "greedy" else ["a", "b"])


def test_nothing_else_reaches_into_snakemake():
    """Other rules read what Snakemake documents, and write to its log."""
    allowed = {"from snakemake.logging import logger"}
    for path in [ROOT / "Snakefile", *sorted((ROOT / "rules").rglob("*.smk"))]:
        if path.name != "engine.smk":
            lines = [line.strip() for line in path.read_text().splitlines()]
            found = {one for one in lines if one.startswith(("import snakemake", "from snakemake"))}
            assert found <= allowed, path
            assert not [line for line in lines if INSIDES.search(line)], path
    for path in (ROOT / "scripts").rglob("*.py"):
        assert "import snakemake" not in path.read_text(), path
