"""The tests of the templates, with the package under test. scripts/matrix.py builds them as their users would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from extension_building import TEMPLATES, build

if not TEMPLATES.is_dir():
    pytest.skip(f"the templates are not beside the tests (looked in {TEMPLATES})", allow_module_level=True)


pytestmark = pytest.mark.timeout(600)  # compilers, and the tests of a whole project


def run_tests(template: str, built: Path) -> None:
    """In a process of their own: an extension module must be met by a new interpreter, and may crash."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TEMPLATES / template / "tests")]
    env = dict(os.environ, PYTHONPATH=os.pathsep.join([str(built), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(command, cwd=built, env=env, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_c_extension(tmp_path: Path) -> None:
    build(TEMPLATES / "c_extension" / "counter.c", "bocpy_counter", tmp_path)
    run_tests("c_extension", tmp_path)


def test_cpp_extension(tmp_path: Path) -> None:
    pybind11 = pytest.importorskip("pybind11", reason="the template needs pybind11, which is not installed")
    source = TEMPLATES / "cpp_extension" / "histogram.cpp"
    build(source, "bocpy_histogram", tmp_path, f"-isystem{pybind11.get_include()}", "-fvisibility=hidden")
    run_tests("cpp_extension", tmp_path)
