"""A real SLURM on one Debian host: a controller and two nodes, started and stopped by a test.

No systemd, no cgroups, no accounting. Each node says that it has graphics cards, which SLURM counts
and nobody uses. It needs root, the packages of `make cluster`, and /etc/slurm/, since the
executor's job steps look nowhere else for settings; files that stand there are put back.
"""

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONF = Path("/etc/slurm/slurm.conf")
CARDS_CONF = CONF.with_name("gres.conf")
LOCK = Path(tempfile.gettempdir(), "telephone-slurm.lock")
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "munged")
NODES, CPUS, MEMORY, CARDS = 2, 4, 12_000, 4  # of each node; memory in MB

SETTINGS = """\
ClusterName=telephone
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2
SlurmdParameters=config_overrides
MpiDefault=none
GresTypes=gpu
ReturnToService=2
MinJobAge=3600
KillWait=2
SlurmctldPort=16917
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.%n.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.%n.log
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP LLN=YES
"""
NODE = "NodeName=node{n} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory={memory} Gres=gpu:{cards}\n"  # noqa: E501


def missing() -> str:
    """Why no cluster can be started here; "" if one can."""
    lacking = [program for program in PROGRAMS if shutil.which(program) is None]
    if lacking:
        return f"{', '.join(lacking)} not installed; `make cluster` does it"
    return "" if os.geteuid() == 0 else "a cluster of one's own takes root"


@contextmanager
def cluster(root: Path) -> Iterator[None]:
    """Starts the daemons, and stops those that it started; waits for another cluster to end."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # ports and files are the machine's; released when closed
        yield from _cluster(root)


def _cluster(root: Path) -> Iterator[None]:
    host = socket.gethostname().partition(".")[0]
    for folder in ("state", "spool"):
        (root / folder).mkdir(parents=True)
    nodes = "".join(
        NODE.format(n=n, host=host, port=16920 + n, cpus=CPUS, memory=MEMORY, cards=CARDS)
        for n in range(1, NODES + 1)
    )
    head, partition = SETTINGS.format(host=host, root=root).rsplit("PartitionName", 1)
    before = {file: file.read_bytes() if file.exists() else None for file in (CONF, CARDS_CONF)}
    CONF.parent.mkdir(parents=True, exist_ok=True)
    CONF.write_text(f"{head}{nodes}PartitionName{partition}")
    for card in range(CARDS):
        (root / f"card{card}").touch()
    CARDS_CONF.write_text(f"Name=gpu File={root}/card[0-{CARDS - 1}]\n")
    started: list[Path] = []
    try:
        _munge(root, started)
        _run("slurmctld", "-c")
        started.append(root / "slurmctld.pid")
        for n in range(1, NODES + 1):
            (root / "spool" / f"node{n}").mkdir()
            _run("slurmd", "-N", f"node{n}")
            started.append(root / f"slurmd.node{n}.pid")
        _wait(lambda: len(_said("sinfo", "-h", "-N", "-t", "idle").splitlines()) == NODES, 60)
        yield
    finally:
        subprocess.run(["scancel", "--user", "root"], capture_output=True, timeout=20)
        for file in reversed(started):
            _stop(file)
        for conf, content in before.items():
            conf.unlink() if content is None else conf.write_bytes(content)


def _munge(root: Path, started: list[Path]) -> None:
    """munged signs the cluster's messages; one that runs already will do."""
    if subprocess.run(["munge", "-n"], capture_output=True).returncode == 0:
        return
    for folder in ("/run/munge", "/var/log/munge", "/var/lib/munge"):
        _run("install", "-d", "-o", "munge", "-g", "munge", "-m", "0755", folder)
    if not Path("/etc/munge/munge.key").exists():
        _run("runuser", "-u", "munge", "--", "mungekey", "--create")
    _run("runuser", "-u", "munge", "--", "munged")
    started.append(Path("/run/munge/munged.pid"))
    _wait(lambda: subprocess.run(["munge", "-n"], capture_output=True).returncode == 0, 20)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout


def _wait(ready, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"not ready after {seconds} seconds")
        time.sleep(0.2)


def _stop(file: Path) -> None:
    try:
        process = int(file.read_text())
        os.kill(process, 15)
        _wait(lambda: not Path(f"/proc/{process}").exists(), 15)
    except TimeoutError:
        os.kill(process, 9)
    except (FileNotFoundError, ProcessLookupError):
        pass
