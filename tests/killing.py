"""Kills what works, at every step of it."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path


def kill_before_each_file_operation(folder: Path, work: Callable, look: Callable) -> int:
    """Does the work again and again, killed before its first, second, … operation on a file there.

    Looks at what each kill left; returns how many there were before the work ended unharmed.
    """
    kills = 0
    while True:
        child = os.fork()
        if not child:
            left = kills

            def count(event: str, arguments: tuple) -> None:
                nonlocal left
                if event.split(".")[0] in ("open", "os") and str(folder) in str(arguments[0]):
                    if not left:
                        os.kill(os.getpid(), signal.SIGKILL)
                    left -= 1

            sys.addaudithook(count)
            failed = 1
            try:
                work()
                failed = 0
            finally:
                os._exit(failed)
        _, status = os.waitpid(child, 0)
        look()
        if not os.WIFSIGNALED(status):
            assert status == 0
            return kills
        kills += 1
