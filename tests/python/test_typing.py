"""The types that come with the package, as mypy --strict sees them."""

from __future__ import annotations

import importlib.resources
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SAMPLE = Path(__file__).with_name("typing_sample.py")

#: mypy takes seconds with a cold cache, much longer where it is not compiled.
MYPY_DEADLINE = 280


def comments() -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(SAMPLE.read_text(encoding="utf-8").splitlines(), 1):
        if found := re.search(r"  # (is|error): (.*)$", line):
            yield number, found[1], found[2]


def as_said(shown: str) -> str:
    """The type as the sample writes it: without module names."""
    return re.sub(r"\b(?:builtins|bocpy(?:\.\w+)*|typing)\.(?=\w)", "", shown)


def test_the_package_says_that_it_is_typed() -> None:
    assert importlib.resources.files("bocpy").joinpath("py.typed").is_file()


@pytest.mark.timeout(300)
def test_a_sample_under_mypy_strict(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    options = ["--strict", "--no-warn-unused-ignores", "--config-file", "", "--cache-dir", str(tmp_path)]
    shape = ["--no-error-summary", "--hide-error-context", "--no-pretty"]
    command = [sys.executable, "-m", "mypy", *options, *shape, str(SAMPLE)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=MYPY_DEADLINE, check=False, cwd=SAMPLE.parent
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    told: dict[int, list[tuple[str, str]]] = {}
    for line in done.stdout.splitlines():
        place = re.match(rf".*{SAMPLE.name}:(\d+): (error|note): (.*)$", line)
        assert place, line
        number, kind, text = int(place[1]), place[2], place[3]
        if kind == "error" and (code := re.search(r"\[([\w-]+)\]$", text)):
            told.setdefault(number, []).append(("error", code[1]))
        elif revealed := re.match(r'Revealed type is "(.*)"$', text):
            told.setdefault(number, []).append(("is", as_said(revealed[1])))
    expected = {number: [(kind, text)] for number, kind, text in comments()}
    assert len(expected) > 40
    assert told == expected, done.stdout
