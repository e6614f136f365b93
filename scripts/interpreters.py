"""Gets every CPython that the project supports: found on this machine, built from Debian's source, or in a Debian root.

    python scripts/interpreters.py [NAME ...]      gets them (all by default) and prints where each one is

What had to be made is kept in the cache folder (workshop.cache_dir) and found there the next time.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import debian
from chroot import Root
from workshop import StepFailed, Unavailable, cache_dir, is_complete, locked, made, options_key, run_logged

_PROBE = """
import importlib.util, json, os, platform, sys, sysconfig
print(json.dumps({
  "executable": sys.executable,
  "implementation": sys.implementation.name,
  "version": platform.python_version(),
  "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
  "soabi": sysconfig.get_config_var("SOABI"),
  "headers": os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")),
  "ensurepip": importlib.util.find_spec("ensurepip") is not None,
}))
"""

_SOURCE_SUITES = ("forky", "trixie")
_CONFIGURE = ("--disable-gil", "--with-ensurepip=install", "CFLAGS=-O3 -g1")
_BUILD_LIBRARIES = ("bz2", "ffi", "lzma", "ncurses", "readline", "sqlite3", "ssl")
_BUILD_NEEDS = ("gcc", "libc6-dev", "make", "pkg-config", "xz-utils", "zlib1g-dev", "uuid-dev")

_ROOT_SUITE = "forky"
_ROOT_PACKAGES = ("g++", "make", "binutils", "ca-certificates", "apt-utils", "procps")


@dataclass(frozen=True)
class Interpreter:
    name: str  # as the matrix shows it: "3.13t"
    python: str  # the path, as seen inside the root where there is one
    version: str
    free_threaded: bool
    soabi: str
    origin: str
    root: Root | None = None

    def command(self, args: Sequence[str], cwd: Path | None = None) -> list[str]:
        """The command line, for this machine, that runs `args` where this interpreter lives."""
        if self.root:
            return self.root.command(args, cwd)
        return ["env", "-C", str(cwd), *args] if cwd else list(args)

    @property
    def series(self) -> str:
        return ".".join(self.version.split(".")[:2])


def _probe(name: str, python: str, origin: str, root: Root | None = None) -> Interpreter:
    """The interpreter at that path, if it is what `name` says and can build extensions; else Unavailable."""
    command = [python, "-I", "-c", _PROBE]
    result = subprocess.run(root.command(command) if root else command, capture_output=True, text=True)
    try:
        facts = json.loads(result.stdout)
    except ValueError:
        raise Unavailable(f"{python} does not run") from None
    series = ".".join(facts["version"].split(".")[:2]) + ("t" if facts["free_threaded"] else "")
    if facts["implementation"] != "cpython" or series != name.partition("-")[0]:
        raise Unavailable(f"{python} is {facts['implementation']} {series}")
    if not facts["headers"]:
        raise Unavailable(f"{python} is there, but not its headers (Python.h)")
    if not facts["ensurepip"]:
        raise Unavailable(f"{python} is there, but it cannot make virtual environments (ensurepip)")
    return Interpreter(
        name, facts["executable"], facts["version"], facts["free_threaded"], facts["soabi"], origin, root
    )


def _on_machine(name: str) -> Interpreter:
    """Under pyenv's versions folder (newest first), or on PATH."""
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    free_threaded = name.endswith("t")
    folders = [f for f in versions.glob(f"{name.rstrip('t')}.*") if f.name.endswith("t") == free_threaded]
    folders.sort(key=lambda folder: [int(part) for part in re.findall(r"\d+", folder.name)], reverse=True)
    candidates = [(str(folder / "bin" / "python"), "pyenv") for folder in folders]
    candidates += [(path, "PATH") for word in (f"python{name}", "python3", "python") if (path := shutil.which(word))]
    candidates += [(sys.executable, "this one")]
    refused = []
    for python, origin in candidates:
        try:
            return _probe(name, python, origin)
        except Unavailable as problem:
            if f"python{name}" in python or origin == "pyenv":
                refused.append(str(problem))
    raise Unavailable("; ".join(refused) or "neither under pyenv's versions folder nor on PATH")


def _free_threaded_from_source(name: str) -> Interpreter:
    """Built from Debian's source package python3.X, into a prefix of its own (it also gets a plain python3.X)."""
    series = name.removesuffix("t")
    key = options_key(_CONFIGURE)
    # Held over the look as well: a second process waits for the build instead of starting its own.
    with locked(f"build-{name}"):
        prefixes = [p for p in cache_dir().glob(f"cpython-{series}.*t-{key}") if is_complete(p)]
        prefix = max(prefixes, key=lambda p: p.stat().st_mtime, default=None) or _build(name, key)
    return _probe(name, str(prefix / "bin" / f"python{name}"), "built")


def _build(name: str, key: str) -> Path:
    package = f"python{name.removesuffix('t')}"
    if os.geteuid() == 0:
        debian.install_on_host(*_BUILD_NEEDS, *(f"lib{name}-dev" for name in _BUILD_LIBRARIES))
    work = cache_dir() / "build" / name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    tar = debian.download_source(package, _SOURCE_SUITES, work)
    version = tar.name.removeprefix(package + "_").partition(".orig")[0]
    log = cache_dir() / "logs" / f"build-{name}.log"
    tree = work / "tree"
    tree.mkdir()

    def make(prefix: Path) -> None:
        run_logged(["tar", "xf", str(tar), "-C", str(tree), "--strip-components=1"], log)
        run_logged(["./configure", f"--prefix={prefix}", *_CONFIGURE], log, cwd=tree, append=True)
        jobs = str(len(os.sched_getaffinity(0)))
        run_logged(["make", "-j", jobs], log, cwd=tree, append=True)
        # altinstall, and pip through ensurepip, leave no python3 that could be taken for a build with the GIL.
        run_logged(["make", "altinstall"], log, cwd=tree, append=True)

    prefix = made(cache_dir() / f"cpython-{version}t-{key}", make)
    shutil.rmtree(work, ignore_errors=True)
    return prefix


def _in_debian_root(name: str) -> Interpreter:
    """From Debian's own packages, in a root of a newer suite; its compiler is a newer one too."""
    series = name.partition("-")[0]
    folder = cache_dir() / f"debian-{_ROOT_SUITE}-{options_key(_ROOT_PACKAGES)}"
    root = Root(made(folder, lambda path: debian.bootstrap(_ROOT_SUITE, path, _ROOT_PACKAGES)), (work_dir(),))
    with locked(folder.name):
        if not (folder / "usr" / "bin" / f"python{series}").exists():
            log = cache_dir() / "logs" / f"install-{name}.log"
            packages = [f"python{series}{part}" for part in ("", "-dev", "-venv")]
            install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
            try:
                run_logged(root.command(["apt-get", "update"]), log, env=debian.apt_env(), attempts=4)
                run_logged(root.command(install), log, env=debian.apt_env(), append=True, attempts=2)
            except StepFailed as failure:
                raise Unavailable(f"Debian {_ROOT_SUITE} did not give {packages[0]}: {failure}") from None
    return _probe(name, f"/usr/bin/python{series}", f"Debian {_ROOT_SUITE}", root)


def work_dir() -> Path:
    """Where builds and tests happen; inside the Debian root it is to be seen under the same path."""
    path = cache_dir() / "work"
    path.mkdir(exist_ok=True)
    return path


# Every interpreter of the matrix and the ways to get it, the cheapest first.
WAYS = {
    "3.10": (_on_machine,),
    "3.11": (_on_machine,),
    "3.12": (_on_machine,),
    "3.13": (_on_machine,),
    "3.13t": (_on_machine, _free_threaded_from_source),
    "3.13-debian": (_in_debian_root,),  # the newest 3.13; the one found above may be years older
    "3.14": (_on_machine, _in_debian_root),
    "3.15": (_on_machine, _in_debian_root),
    "3.14t": (_on_machine,),  # no package and no source so far: the compile check stands in for it
}


def get(name: str) -> Interpreter:
    """The interpreter of that name, made if need be; Unavailable says why it cannot be had."""
    reasons = []
    for way in WAYS[name]:
        try:
            return way(name)
        except Unavailable as problem:
            reasons.append(str(problem))
        except StepFailed as failure:
            reasons.append(f"making it failed: {failure}")
    raise Unavailable("; ".join(reasons))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(WAYS)}")
    names = parser.parse_args().names or list(WAYS)
    if unknown := [name for name in names if name not in WAYS]:
        parser.error(f"unknown interpreter {', '.join(unknown)}; there are {', '.join(WAYS)}")
    missing = 0
    for name in names:
        try:
            found = get(name)
            where = f" in {found.root.folder}" if found.root else ""
            print(f"{name:12} {found.version:10} {found.origin:14} {found.python}{where}", flush=True)
        except Unavailable as problem:
            missing += 1
            print(f"{name:12} not to be had: {problem}", flush=True)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
