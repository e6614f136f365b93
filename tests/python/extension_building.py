"""Extension modules for tests, built with the compiler of this machine; a reason to skip where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import bocpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"

#: Seconds for one file on a busy machine.
COMPILING = 240

STRICT = ("-Wall", "-Wextra", "-Werror")


def compiler(language: str) -> str:
    """The C ("c") or C++ ("c++") compiler, or a skip."""
    names = {"c": (os.environ.get("CC", ""), "cc", "gcc"), "c++": (os.environ.get("CXX", ""), "c++", "g++")}[language]
    found = next((name for name in names if name and shutil.which(name)), None)
    if found is None:
        pytest.skip(f"there is no {language} compiler here ({', '.join(filter(None, names))})")
    if not Path(sysconfig.get_paths()["include"], "Python.h").exists():
        pytest.skip("the headers of this Python (Python.h) are not installed")
    return found


def run_compiler(language: str, standard: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = sysconfig.get_paths()
    python = [f"-isystem{paths[name]}" for name in ("include", "platinclude")]
    command = [compiler(language), f"-std={standard}", *STRICT, *python, *arguments, f"-I{bocpy.get_include()}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=COMPILING, check=False)


def build(source: Path, module: str, into: Path, *arguments: str) -> Path:
    """Compile one file into an extension module in the folder `into`; AssertionError with what the compiler said."""
    language, standard = ("c", "c11") if source.suffix == ".c" else ("c++", "c++17")
    target = into / f"{module}{sysconfig.get_config_var('EXT_SUFFIX')}"
    # Not -Wpedantic: the slots of CPython's types and modules are functions cast to void*.
    done = run_compiler(language, standard, "-shared", "-fPIC", *arguments, str(source), "-o", str(target))
    assert done.returncode == 0, done.stderr
    return target
