"""Checks that the extension fits free-threaded CPython 3.14, which cannot be had as a binary, with what can be had.

- Every translation unit that sees Python compiles against 3.14's headers with Py_GIL_DISABLED set: pyconfig.h leaves
  the macro undefined, so the command line decides, and the headers then give the free-threaded object layout.
- Every symbol of CPython that those objects, or the extension built for the standard 3.14, need is one that 3.14
  exports. Those that exist on free-threaded builds only are looked up in the free-threaded 3.13.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from interpreters import Interpreter
from results import Row
from workshop import StepFailed, Unavailable, clean_env, run_logged, tail

# What the build requires is asked of pyproject.toml by an interpreter that can read it.
_REQUIREMENTS = """
import tomllib
with open("pyproject.toml", "rb") as file:
    print("\\n".join(tomllib.load(file)["build-system"]["requires"]))
"""
_EXPORTS = """
import os, sys, sysconfig
print(os.path.realpath(sys.executable))
library = os.path.join(sysconfig.get_config_var("LIBDIR") or "", sysconfig.get_config_var("INSTSONAME") or "")
if ".so" in library and os.path.isfile(library):
    print(library)
"""
_COMPILES_PYTHON = ("python/", "backend_")  # what lies below these folders sees Python's headers


def check(standard: Interpreter, free_threaded: Interpreter | None, source: Path, extension: Path, jobs: int) -> Row:
    """Builds in `source`, a copy of the checkout. Each unit, and the look at the symbols, count as a test."""
    row = Row("3.14t", "compile")
    units = _translation_units(standard, source)
    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(lambda unit: _compile(standard, unit, source), units))
    for unit, log in zip(units, results, strict=True):
        if log is None:
            row.passed += 1
        else:
            row.failed += 1
            print(f"3.14t: {Path(unit['file']).relative_to(source)} does not compile:\n{tail(log)}", flush=True)
    if row.failed:
        row.note = f"{row.failed} of {len(units)} units do not compile"
        return row
    objects = [_object(unit) for unit in units]
    row.note = _check_symbols(standard, free_threaded, extension, objects)
    row.passed += 1
    return row


def _translation_units(interpreter: Interpreter, source: Path) -> list[dict[str, str]]:
    """The compile commands of the real build, for the files that see Python."""
    log, venv = source / "configure.log", source / "venv"
    python = str(venv / "bin" / "python")

    def run(*command: str) -> None:
        run_logged(interpreter.command(command, source), log, env=clean_env(), append=True, attempts=2)

    def ask(*command: str) -> str:
        return subprocess.run(interpreter.command(command, source), capture_output=True, text=True, check=True).stdout

    run(interpreter.python, "-m", "venv", str(venv))
    required = ask(python, "-c", _REQUIREMENTS).splitlines()
    run(python, "-m", "pip", "install", *required, "cmake", "ninja")
    build = source / "build"
    settings = {
        "CMAKE_EXPORT_COMPILE_COMMANDS": "ON",
        "CMAKE_BUILD_TYPE": "Debug",  # the quickest to compile
        "CMAKE_MAKE_PROGRAM": str(venv / "bin" / "ninja"),
        "BOC_BUILD_PYTHON": "ON",
        "BOC_PRECOMPILE_HEADERS": "OFF",  # and so each file is seen to name what it uses
        "Python_EXECUTABLE": python,
        "pybind11_DIR": ask(python, "-m", "pybind11", "--cmakedir").strip(),
    }
    defines = [f"-D{name}={value}" for name, value in settings.items()]
    run(str(venv / "bin" / "cmake"), "-G", "Ninja", "-S", str(source), "-B", str(build), *defines)
    units = json.loads((build / "compile_commands.json").read_text())
    chosen = [u for u in units if str(Path(u["file"]).relative_to(source)).startswith(_COMPILES_PYTHON)]
    if not chosen:
        raise StepFailed(f"no file below {' or '.join(_COMPILES_PYTHON)} is in {build}/compile_commands.json")
    return chosen


def _object(unit: dict[str, str]) -> Path:
    return Path(unit["directory"]) / unit["output"]


def _compile(interpreter: Interpreter, unit: dict[str, str], source: Path) -> Path | None:
    """The log where it failed, else None."""
    _object(unit).parent.mkdir(parents=True, exist_ok=True)
    log = _object(unit).with_suffix(".log")
    # Neither debug information nor optimization is wanted from these objects, only their undefined symbols.
    command = [*shlex.split(unit["command"]), "-DPy_GIL_DISABLED=1", "-g0", "-O0"]
    try:
        run_logged(interpreter.command(command, Path(unit["directory"])), log, env=clean_env())
    except StepFailed:
        return log
    return None


def _symbols(interpreter: Interpreter, option: str, files: Iterable[Path], dynamic: bool) -> set[str]:
    """CPython's names (they all begin alike). Weak references are left out: code that has them copes without."""
    command = ["nm", *(["-D"] if dynamic else []), option, *map(str, files)]
    listing = subprocess.run(interpreter.command(command), capture_output=True, text=True, check=True).stdout
    kinds = "U" if option == "--undefined-only" else "A-Za-z"
    return set(re.findall(rf"^[0-9a-f ]* [{kinds}] (_?Py\w+)", listing, re.M))


def _exports(interpreter: Interpreter) -> set[str]:
    listing = subprocess.run(
        interpreter.command([interpreter.python, "-c", _EXPORTS]), capture_output=True, text=True, check=True
    ).stdout
    return _symbols(interpreter, "--defined-only", map(Path, listing.split()), dynamic=True)


def _check_symbols(
    standard: Interpreter, free_threaded: Interpreter | None, extension: Path, objects: list[Path]
) -> str:
    """StepFailed with the names that nothing exports; else a line about what is used."""
    used = _symbols(standard, "--undefined-only", [extension], dynamic=True)
    if lost := sorted(used - _exports(standard)):
        raise StepFailed(f"{extension.name} needs what {standard.version} does not export: {', '.join(lost)}")
    used_without_gil = _symbols(standard, "--undefined-only", objects, dynamic=False)
    used_without_gil -= _symbols(standard, "--defined-only", objects, dynamic=False)  # the units' own PyInit_...
    used |= used_without_gil
    only_without_gil = used_without_gil - _exports(standard)
    if only_without_gil:
        if free_threaded is None:
            raise Unavailable(f"no free-threaded 3.13 to look these up in: {', '.join(sorted(only_without_gil))}")
        if lost := sorted(only_without_gil - _exports(free_threaded)):
            raise StepFailed(f"neither {standard.version} nor {free_threaded.version}t exports {', '.join(lost)}")
    private = sorted(name for name in used if name.startswith("_Py"))
    print(f"3.14t: {len(used)} symbols of CPython used, all exported; private ones: {', '.join(private) or 'none'}")
    print(f"       on free-threaded builds only: {', '.join(sorted(only_without_gil)) or 'none'}", flush=True)
    return f"{len(objects)} units, {len(used)} symbols ({len(private)} private)"
