"""The documents tell the truth: their programs run, and what they name is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from boc_testing import run_python

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
LIFE = ROOT / "docs" / "internals" / "life-of-a-behavior.md"
PROTOCOL = ROOT / "docs" / "internals" / "protocol.md"

if not (README.is_file() and LIFE.is_file()):
    pytest.skip(f"the documents are not beside the tests (looked in {ROOT})", allow_module_level=True)

DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAM_DEADLINE = 60.0

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"<!-- not run: \S.* -->\n\Z")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


class Block(NamedTuple):
    language: str
    text: str
    line: int  # of its first line
    run: bool


def blocks_of(document: Path) -> list[Block]:
    text = document.read_text(encoding="utf-8")
    return [
        Block(
            found[1],
            found[2],
            text.count("\n", 0, found.start(2)) + 1,
            _NOT_RUN.search(text[: found.start()]) is None,
        )
        for found in _FENCE.finditer(text)
    ]


def prose_of(document: Path) -> str:
    return _FENCE.sub("", document.read_text(encoding="utf-8"))


def name_of(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


PROGRAMS = [
    pytest.param(document, block, id=f"{name_of(document)}:{block.line}")
    for document in DOCUMENTS
    for block in blocks_of(document)
    if block.language == "python" and block.run
]


def test_the_documents_have_programs() -> None:
    assert sum(1 for program in PROGRAMS if program.values[0] == README) >= 2
    assert len(PROGRAMS) >= 6


@pytest.mark.parametrize(("document", "block"), PROGRAMS)
def test_program(document: Path, block: Block) -> None:
    # The empty lines in front make tracebacks show the document's line numbers.
    done = run_python("\n" * (block.line - 1) + block.text, timeout=PROGRAM_DEADLINE, env={"PYTHONWARNINGS": "error"})
    assert (done.returncode, done.stderr) == (0, ""), f"{name_of(document)}, line {block.line}: {done}"


def test_the_first_program_prints_what_it_says() -> None:
    first = next(block for block in blocks_of(README) if block.language == "python")
    said = re.search(r"^print\(.*\)  # (.*)$", first.text, re.MULTILINE)
    assert said, "the first program of README.md says what it prints"
    assert run_python(first.text, timeout=PROGRAM_DEADLINE).stdout == said[1] + "\n"
    assert len([line for line in first.text.splitlines() if line]) <= 10


def console_scripts() -> dict[str, str]:
    section = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("[project.scripts]\n")[1].split("\n[")[0]
    return dict(re.findall(r'^(\S+) = "(\S+)"$', section, re.MULTILINE))


def test_readme_names_the_console_scripts() -> None:
    scripts = console_scripts()
    text = README.read_text(encoding="utf-8")
    commands = "".join(block.text for block in blocks_of(README) if block.language in ("bash", "console"))
    called = set(re.findall(r"\bbocpy-[a-z-]+", commands))
    assert "bocpy-codestats" in called
    assert called <= set(scripts)
    assert set(re.findall(r"`(bocpy-[a-z-]+)[` ]", text)) - {"bocpy-dual"} == set(scripts)
    for name, target in scripts.items():
        module, function = target.split(":")
        source = ROOT / "examples" / f"{module.removeprefix('bocpy.examples.')}.py"
        assert re.search(rf"^def {function}\(", source.read_text(encoding="utf-8"), re.MULTILINE), name


def test_readme_marks_one_test_command() -> None:
    text = README.read_text(encoding="utf-8")
    command = re.findall(r"^<!-- test command -->\n```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(command) == 1
    assert command[0].rstrip().endswith("python -m pytest")
    assert text.index("<!-- figures begin -->") < text.index("<!-- figures end -->")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_relative_links_lead_somewhere(document: Path) -> None:
    targets = [link.partition("#")[0] for link in _LINK.findall(prose_of(document)) if "://" not in link]
    missing = [target for target in targets if target and not (document.parent / target).exists()]
    assert not missing


def test_life_of_a_behavior_names_what_is_there() -> None:
    rows = re.findall(r"^\|([^|]*)\| `([^`]+)` \| ([^|]+) \|$", LIFE.read_text(encoding="utf-8"), re.MULTILINE)
    steps = [step.strip().split()[0] for step, _, _ in rows if step.strip()]
    assert steps == [str(number) for number in range(1, 11)]
    for _, file, functions in rows:
        source = (ROOT / file).read_text(encoding="utf-8")
        names = re.findall(r"`(\w+)`", functions)
        assert names, file
        for name in names:
            # A definition: a type in front of the name, a brace at the end of the head.
            assert re.search(rf"^[\w:*&<>, ]+[ *&:]{name}\([^;]*?\{{", source, re.MULTILINE), f"{name}() in {file}"


def test_protocol_names_every_invariant_of_the_core() -> None:
    declared = set()
    for header in sorted((ROOT / "common" / "include" / "boc").glob("*.h")):
        declared |= set(re.findall(r"^ *//   ([A-Z]\d+)  ", header.read_text(encoding="utf-8"), re.MULTILINE))
    assert declared
    assert set(re.findall(r"^\| \*\*([A-Z]\d+)\*\* \|", PROTOCOL.read_text(encoding="utf-8"), re.MULTILINE)) == declared
