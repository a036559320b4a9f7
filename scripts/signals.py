"""The end of a program by SIGINT or SIGTERM: within seconds, whatever it is doing."""

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LAST_SECONDS = 2.0  # that child processes have between being asked to end and being killed


_installed: list[bool] = []


def end_soon(stop: Callable[[], float], on_main_thread: Callable[[], None]) -> None:
    """Has SIGINT and SIGTERM end this process and all that it started.

    `stop` has nothing new begin, and returns how many seconds what runs may take to end by itself.
    It is called on a thread of its own: a signal handler interrupts the main thread, which may hold
    just the lock that is needed. After that time, or at a second signal, the process ends with code
    128 + the signal's number. `on_main_thread` is called there, too, and may raise.

    Does nothing off the main thread, where no signals are handled, or if it has been called before;
    an ignored signal stays ignored.
    """
    if threading.current_thread() is not threading.main_thread() or _installed:
        return
    _installed.append(True)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)  # written to at once, by C code
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: on_main_thread())
    os.register_at_fork(after_in_child=_restore)  # a child's signals are not its parent's
    threading.Thread(target=_watch, args=(reader, stop), name="signals", daemon=True).start()


def _restore() -> None:
    signal.set_wakeup_fd(-1)
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _watch(reader: int, stop: Callable[[], float]) -> None:
    number = _next(reader, None)
    seconds = stop()
    when = f"within {seconds:g} seconds (again: at once)" if seconds else "now"
    _say(f"{signal.Signals(number).name}: this call ends {when}. The same command goes on with it.")
    _next(reader, seconds)
    _end_children()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(128 + number)


def _next(reader: int, seconds: float | None) -> int:
    """The next signal's number; 0 if none comes within so many seconds."""
    while True:
        if not select.select([reader], [], [], seconds)[0]:
            return 0
        if (number := os.read(reader, 1)[0]) in SIGNALS:
            return number


def _end_children() -> None:
    import psutil

    children = psutil.Process().children(recursive=True)
    for child in children:
        with contextlib.suppress(psutil.Error):
            child.terminate()
    for child in psutil.wait_procs(children, LAST_SECONDS)[1]:
        with contextlib.suppress(psutil.Error):
            child.kill()


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)
