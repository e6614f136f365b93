"""bocpy-codestats on generated trees: its numbers, the files it cannot read, its options and its manners."""

from __future__ import annotations

import ast
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CODESTATS = (sys.executable, "-m", "bocpy.examples.codestats")
DEADLINE = 60

GOOD = {
    "app/__init__.py": b"import os, sys\nfrom app.core import Engine\n",
    "app/core.py": b"""\
import json
import os.path as p
from . import sub
from collections.abc import Iterable

class Engine:
    class Part:
        async def spin(self):
            def inner():
                import json
                return lambda: 1
            return inner

    @property
    def power(self):
        return 1
""",
    "app/sub/__init__.py": b"",
    "app/sub/deep.py": b"""\
from ..core import Engine
try:
    import tomllib
except ImportError:
    import tool
else:
    def loaded(): pass
finally:
    with open('x') as f:
        for line in f:
            while line:
                def from_loop(): return 1
            else:
                import queue
for a in b:
    pass
else:
    class Late: import heapq
if a:
    pass
elif b:
    pass
else:
    match a:
        case 1:
            def matched():

                return 2
""",
    "tool.py": b"import app.core\r\nimport argparse\r\ndef main():\r\n    pass\r\n",
    "one line.py": b"import tool",
    "latin.py": b"# coding: latin-1\ndef \xe9t\xe9(): 'caf\xe9'\n",
    "escapes.py": b"x = '\\d'\ny = 1 is 1\n",
    "plain/script.pyw": b"import app\nimport app\n\ndef main(): pass\n",
}
BAD = {
    "broken.py": (b"x = 1\ndef f(:\n", "broken: line 2: "),
    "undecodable.py": (b"x = '\xff'\n", "broken: "),
    "app/codec.py": (b"# coding: no-such-codec\n", "broken: "),
    "null.py": (b"x = 1\0\n", "broken: "),
    "deep.py": (b"x = a" + b"+1" * 200_000 + b"\n", "too deeply nested"),
    "deeper.py": (b"x = " + b"-" * 100_000 + b"1\n", "too deeply nested"),
}
NOT_OURS = [".hidden/x.py", "venv/pyvenv.cfg", "venv/lib/y.py", "app/notes.txt", "app/data.py.orig"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name, content in {**GOOD, **{name: content for name, (content, _) in BAD.items()}}.items():
        write(root / name, content)
    for name in NOT_OURS:
        write(root / name, b"import never\nclass Never: pass\n")
    (root / "dangling.py").symlink_to(root / "nowhere.py")
    (root / "circle").symlink_to(root)
    os.mkfifo(root / "pipe.py")
    return root


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def codestats(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*CODESTATS, *map(str, arguments)], capture_output=True, encoding="utf-8", timeout=DEADLINE, env=utf8()
    )
    assert done.returncode == code, done.stderr
    return done


def utf8() -> dict[str, str]:
    return {**os.environ, "PYTHONIOENCODING": "utf-8"}


def as_json(*arguments: object) -> dict[str, Any]:
    done = codestats("--json", *arguments)
    assert done.stderr == ""
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def expected() -> dict[str, Any]:
    """The same numbers, computed without a line of codestats and in another way: by walking each whole syntax tree."""
    totals: Counter[str] = Counter()
    functions: list[tuple[int, str, int]] = []
    edges: Counter[tuple[str, str]] = Counter()
    for name, content in GOOD.items():
        package = "app" if name.startswith("app/") else Path(name).stem
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the doubtful escapes
            nodes = list(ast.walk(ast.parse(content)))
        defined = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        lines = content.decode("latin-1").replace("\r\n", "\n").split("\n")
        totals["files"] += 1
        totals["lines"] += len(lines) - (lines[-1] == "")
        totals["functions"] += len(defined)
        totals["classes"] += sum(isinstance(node, ast.ClassDef) for node in nodes)
        functions += [(-1 - (node.end_lineno or 0) + node.lineno, name, node.lineno) for node in defined]
        for node in nodes:
            if isinstance(node, ast.Import):
                edges.update((package, alias.name.split(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                edges[package, node.module.split(".")[0]] += 1
    return {
        **totals,
        "longest": sorted(functions)[:10],
        "edges": {edge: times for edge, times in edges.items() if edge[0] != edge[1]},
    }


def test_numbers_are_those_of_an_independent_count(tree: Path) -> None:
    got = as_json(tree)
    want = expected()
    for name in ("files", "lines", "functions", "classes"):
        assert got[name] == want[name], name
    longest = got["longest_functions"]
    assert [(-item["lines"], item["file"], item["line"]) for item in longest] == want["longest"]
    assert "Engine.Part.spin.inner" in [item["name"] for item in longest]
    packages = got["packages"]
    edges = {(name, target): n for name, item in packages.items() for target, n in item["imports"].items()}
    assert edges == want["edges"]
    assert {(name, target): n for target, item in packages.items() for name, n in item["imported_by"].items()} == edges
    for name in ("files", "lines", "functions", "classes"):
        assert sum(item[name] for item in packages.values()) == want[name]


def test_bad_files_are_named_with_the_reason(tree: Path) -> None:
    named = {item["file"]: item["reason"] for item in as_json(tree)["not_counted"]}
    assert named.pop("dangling.py") == "unreadable: No such file or directory"
    assert named.pop("pipe.py") == "unreadable: not a regular file"
    assert named.keys() == BAD.keys()
    for name, (_, reason) in BAD.items():
        assert named[name].startswith(reason), name


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_unreadable_file_and_directory(tree: Path) -> None:
    (tree / "tool.py").chmod(0)
    (tree / "app/sub").chmod(0)
    try:
        named = {item["file"]: item["reason"] for item in as_json(tree)["not_counted"]}
    finally:
        (tree / "app/sub").chmod(0o700)
    assert named["tool.py"] == named["app/sub"] == "unreadable: Permission denied"


def test_numbers_do_not_depend_on_the_workers(tree: Path) -> None:
    for number in range(200):  # several batches, most of them of one package, with imports both ways
        other = (number * 7 + 3) % 20
        body = b"def f%d():\n    pass\n" % number + b"#" * 5000 + b"\n"
        write(tree / f"p{number % 20}/m{number}.py", b"import p%d, app\n" % other + body)
        write(tree / f"p{number % 20}/__init__.py", b"import p%d\n" % other)
    answers = [as_json(tree, "--workers", workers) for workers in (1, 2, 4)]
    assert [answer["run"].pop("workers") for answer in answers] == [1, 2, 4]
    for answer in answers:
        assert answer.pop("run")["files_per_second"] > 0
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["files"] == len(GOOD) + 220


def test_summary_for_people(tree: Path) -> None:
    done = codestats(tree, "--workers", 2)
    assert done.stderr == "", "warnings about the escapes of a file, or a progress bar without a terminal"
    want = expected()
    assert re.search(rf"^  lines +{want['lines']}$", done.stdout, re.M)
    assert re.search(r"^ +5 lines  Engine\.Part\.spin +app/core\.py:8$", done.stdout, re.M)
    assert re.search(r"^  app +3 imports from 2 packages$", done.stdout, re.M)
    assert "\nNot counted: 8\n" in done.stdout
    for name in (*BAD, "dangling.py", "pipe.py"):
        assert f"\n  {name}: " in done.stdout
    assert re.fullmatch(
        rf"{want['files']} files in [\d.]+ s: [\d,]+ files/s \(2 workers, \w+ backend\)", done.stdout.splitlines()[-1]
    )


def test_compare(tree: Path) -> None:
    done = codestats("--compare", tree)
    assert re.search(r"^Speed-up: \d+\.\d\dx$", done.stdout, re.M)
    assert "the numbers are equal" in done.stdout
    run = as_json("--compare", tree)["run"]
    assert run["equal"] is True
    assert run["speedup"] == pytest.approx(run["sequential_seconds"] / run["seconds"])


def test_one_file_and_part_of_a_package(tree: Path) -> None:
    one = as_json(tree / "app/sub/deep.py")
    assert (one["files"], one["packages"]["app"]["functions"]) == (1, 3)
    part = as_json(tree / "app/sub")
    assert (part["files"], set(part["packages"])) == (2, {"app", "tomllib", "tool", "queue", "heapq"})


def test_tree_without_python(tmp_path: Path) -> None:
    empty = as_json(tmp_path)
    assert (empty["files"], empty["packages"], empty["longest_functions"], empty["not_counted"]) == (0, {}, [], [])
    assert codestats(tmp_path).stdout.splitlines()[-1].startswith("0 files in ")


def test_names_that_the_terminal_cannot_show(tmp_path: Path) -> None:
    write(tmp_path / os.fsdecode(b"caf\xc3\xa9 \xff.py"), b"def f(: pass\n")
    done = subprocess.run(
        [*CODESTATS, str(tmp_path)],
        capture_output=True,
        timeout=DEADLINE,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0, done.stderr
    assert b"\n  caf\\xe9 \\udcff.py: broken: line 1: " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["/no/such/place"], "/no/such/place: there is no such file or directory"),
        (["--workers", "0"], "--workers 0: at least one worker is needed"),
        (["--workers", "many"], "invalid int value: 'many'"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str) -> None:
    done = codestats(*arguments, code=2)
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("bocpy-codestats: error: ")
    assert message in done.stderr


@contextmanager
def on_terminal(*arguments: object) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run with a terminal as standard error: the process and the other end of the terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([*CODESTATS, *map(str, arguments)], stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        try:
            yield process, ours
        finally:
            process.kill()
            os.close(ours)


def read_terminal(descriptor: int, until: bytes | None = None) -> bytes:
    """Read what appears on the terminal, to its end or until something appears."""
    seen = b""
    end = time.monotonic() + DEADLINE
    while until is None or until not in seen:
        assert select.select([descriptor], [], [], max(0, end - time.monotonic()))[0], seen
        try:
            piece = os.read(descriptor, 4096)
        except OSError:  # what Linux says at the end
            piece = b""
        if not piece:
            assert until is None, seen
            break
        seen += piece
    return seen


def test_progress_bar_on_a_terminal(tree: Path) -> None:
    with on_terminal(tree) as (process, terminal):
        shown = read_terminal(terminal)
        out, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert b"parsing: " in shown and b"%|" in shown
    assert b"%|" not in out


@pytest.mark.parametrize("option", ["--json", "--compare"])
def test_ctrl_c(option: str) -> None:
    with on_terminal(option) as (process, terminal):  # the standard library: long enough
        shown = read_terminal(terminal, until=b"%|")
        process.send_signal(signal.SIGINT)
        shown += read_terminal(terminal)
        out, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130, shown
    assert shown.rstrip().endswith(b"codestats: interrupted")
    assert b"Traceback" not in shown
    assert out == b""
