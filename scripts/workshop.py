"""Where scripts keep what took long to make, and how they run other programs.

Everything lies in one folder outside the checkout: $BOCPY_CACHE, else bocpy-dual in the user's cache folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
_MARK = ".complete"


class Unavailable(Exception):
    """Something that this machine does not have and that cannot be got here; the text says why."""


class StepFailed(Exception):
    """A program that had to succeed did not; the text names it and ends with the tail of its output."""


def cache_dir() -> Path:
    named = os.environ.get("BOCPY_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = Path(named).absolute() if named else base / "bocpy-dual"
    path.mkdir(parents=True, exist_ok=True)
    return path


def options_key(options: Sequence[str]) -> str:
    """A short name for a list of options, for use in a folder's name."""
    return hashlib.sha256("\n".join(options).encode()).hexdigest()[:8]


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One process at a time makes `name`; a second one waits and then finds it made."""
    locks = cache_dir() / "locks"
    locks.mkdir(exist_ok=True)
    with open(locks / name, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_complete(folder: Path) -> bool:
    return (folder / _MARK).exists()


def made(folder: Path, make: Callable[[Path], None]) -> Path:
    """`folder`, filled by `make` unless an earlier call finished doing so; what a killed one left is thrown away."""
    with locked(folder.name):
        if not is_complete(folder):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            make(folder)
            (folder / _MARK).touch()
    return folder


def tail(log: Path, lines: int = 40) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def run_logged(
    command: Sequence[str],
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    append: bool = False,
    attempts: int = 1,
) -> None:
    """Runs a command with its output in `log`; on failure raises StepFailed with the log's tail.

    `attempts` is for commands that fetch: mirrors sometimes fail once.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, attempts + 1):
        with open(log, "a" if append or attempt > 1 else "w") as output:
            print("$", *command, file=output, flush=True)
            status = subprocess.run(
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            ).returncode
        if status == 0:
            return
        if attempt < attempts:
            time.sleep(5 * attempt)
    words = " ".join(command)
    # The end of a long one says most: how a root is entered comes first, what was run in it last.
    shown = words if len(words) < 160 else "... " + words[-160:]
    raise StepFailed(f"{shown}: status {status}, output in {log}, which ends:\n{tail(log)}")


def copy_checkout(to: Path) -> Path:
    """A copy of what git knows of the checkout, or would on `git add .`: builds and tests leave the checkout clean."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )
    if listed.returncode != 0:
        raise StepFailed(f"git ls-files in {CHECKOUT} failed; the copy needs a git checkout:\n{listed.stderr}")
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    for name in filter(None, listed.stdout.split("\0")):
        source = CHECKOUT / name
        if source.is_symlink() or source.is_file():  # a file deleted but still in the index is left out
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, to / name, follow_symlinks=False)
    return to


def copy_snapshot(snapshot: Path, to: Path) -> Path:
    """Another copy, for a build and tests of its own, of what copy_checkout made."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(snapshot, to, symlinks=True)
    return to


def clean_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without what would change which Python or package a child gets."""
    dropped = {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "PYTHON_GIL"}
    env = {name: value for name, value in os.environ.items() if name not in dropped and not name.startswith("BOCPY_")}
    env |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    return env | dict(extra or {})
