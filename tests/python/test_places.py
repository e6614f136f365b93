"""Behaviors work wherever functions can be defined: scripts, `-c`, stdin, the REPL, `exec`, modules, notebooks."""

from __future__ import annotations

import linecache
import sys
import textwrap
import types

import pytest
from boc_testing import output_of, run_python

PROGRAM = """
import math
from dataclasses import dataclass
from bocpy import Cown, wait, when, whencall

LIMIT = 3

@dataclass
class Point:
    x: int

def helper(point):
    return Point(point.x + LIMIT)

cown = Cown(Point(1))
for step in range(LIMIT):
    @when(cown)
    def moved(cown):
        cown.value = helper(cown.value)
        cown.value.x += step

def factory(extra):
    @when(cown)
    def closure(cown):
        return isinstance(cown.value, Point), cown.value.x + extra
    return closure

class Holder:
    def __init__(self): self.cown = Cown(math.floor(2.5))
    def twice(self):
        return when(self.cown)(lambda cown: cown.value * 2)

print(cown.result().x, factory(100).result(), Holder().twice().result())
print(type(cown.result()) is Point, whencall(lambda p: p.value.x, [cown], []).result())
wait()
print(cown.value.x)
"""

EXPECTED = "13 (True, 113) 4\nTrue 13\n13\n"


@pytest.mark.parametrize("how", ["file", "-c", "stdin", "-m"])
def test_a_program(how: str) -> None:
    assert output_of(PROGRAM, how=how) == EXPECTED


def test_a_program_given_to_exec() -> None:
    done = run_python(f"exec(compile({PROGRAM!r}, '<text>', 'exec'), {{'__name__': 'nowhere'}})")
    assert (done.returncode, done.stdout) == (0, EXPECTED), done.stderr


def test_a_program_behind_a_main_guard_runs_once() -> None:
    """The main script is never executed again, neither by workers nor by anything else."""
    program = """
print("top level")
from bocpy import Cown, start, when

def triple(cown):
    return cown.value * 3

if __name__ == "__main__":
    start(2)
    print([when(Cown(i))(triple).result() for i in range(3)])
"""
    assert output_of(program) == "top level\n[0, 3, 6]\n"


def test_a_module_and_a_package() -> None:
    files = {
        "bank/__init__.py": "from .accounts import Account\n",
        "bank/accounts.py": """
from bocpy import Cown, when
from . import rates

class Account:
    def __init__(self, amount): self.balance = Cown(amount)

    def add(self, amount):
        @when(self.balance)
        def added(balance):
            balance.value += amount * rates.RATE
            return log(balance.value)
        return added

def log(value):
    return f"{SHARED_PREFIX}{value}"

SHARED_PREFIX = "now "
""",
        "bank/rates.py": "RATE = 2\n",
    }
    program = """
from bank import Account
import bank.rates
account = Account(1)
print(account.add(5).result(), type(account).__module__)
bank.rates.RATE = 10
print(account.add(5).result())
"""
    assert output_of(program, files=files) == "now 11 bank.accounts\nnow 61\n"


def test_the_interactive_interpreter() -> None:
    lines = """
from bocpy import Cown, when
factor = 2
cown = Cown(0)
def add(cown, n):
    cown.value += n * factor

for i in range(4):
    result = when(cown)(lambda cown: add(cown, i))

print("sum", cown.result())
factor = 100
@when(cown)
def later(cown):
    add(cown, 1)
    return cown.value

print("later", later.result())
def add(cown, n):
    cown.value = "redefined"

print("last", when(cown)(lambda cown: [add(cown, 1), cown.value][1]).result())
failed = when()(lambda: 1 // 0)
failed.result()
print("still here")
"""
    done = run_python(lines, how="repl")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line] == [
        "sum 12",
        "later 112",
        "last redefined",
        "still here",
    ]
    assert "ZeroDivisionError" in done.stderr


class Notebook:
    """Cells executed in one namespace, each a file of its own for tracebacks, as IPython does it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.module = types.ModuleType("__main__")
        monkeypatch.setitem(sys.modules, "__main__", self.module)
        self.names = vars(self.module)
        self.names["__builtins__"] = __builtins__
        self.count = 0

    def run(self, cell: str) -> None:
        self.count += 1
        source, name = textwrap.dedent(cell), f"<ipython-input-{self.count}>"
        linecache.cache[name] = len(source), None, source.splitlines(True), name
        exec(compile(source, name, "exec"), self.names)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    return Notebook(monkeypatch)


def test_notebook_cells(notebook: Notebook) -> None:
    notebook.run("from bocpy import Cown, quiesce, when")
    notebook.run("data = Cown([1, 2, 3]); scale = 2")
    use = """
        @when(data)
        def scaled(data):
            return [scale * x for x in data.value]
        shown = scaled.result()
        """
    notebook.run(use)
    assert notebook.names["shown"] == [2, 4, 6]
    notebook.run("scale = 10")
    notebook.run(use)
    assert notebook.names["shown"] == [10, 20, 30]


def test_a_notebook_redefines_functions(notebook: Notebook) -> None:
    use = "seen = when(Cown(5))(lambda cown: helper(cown.value)).result()"
    notebook.run("from bocpy import Cown, when")
    notebook.run("def helper(x): return inner(x) + 1")
    notebook.run("def inner(x): return x")
    notebook.run(use)
    assert notebook.names["seen"] == 6
    notebook.run("def inner(x): return 100 * x")
    notebook.run(use)
    assert notebook.names["seen"] == 501
    notebook.run("def helper(x): return 'new'")
    notebook.run(use)
    assert notebook.names["seen"] == "new"


def test_a_notebook_redefines_classes(notebook: Notebook) -> None:
    define = """
        class Point:
            def __init__(self, x): self.x = x
            def show(self): return f"{version} {{self.x}}"
        """
    use = """
        cown = Cown(Point(1))
        @when(cown)
        def shown(cown):
            return cown.value.show(), type(cown.value) is Point, isinstance(Point(2), type(cown.value))
        seen = (*shown.result(), type(cown.result()) is Point)
        """
    notebook.run("from bocpy import Cown, when")
    for version in ("first", "second"):
        notebook.run(define.replace("{version}", version).replace("{{", "{").replace("}}", "}"))
        notebook.run(use)
        assert notebook.names["seen"] == (f"{version} 1", True, True, True)


def test_a_failure_in_a_notebook_shows_its_cell(notebook: Notebook) -> None:
    import traceback

    notebook.run("from bocpy import when\nimport math")
    notebook.run("def fails():\n    return math.sqrt(-1)  # cell two\n")
    with pytest.raises(ValueError) as error:
        notebook.run("when()(fails).result()")
    text = "".join(traceback.format_exception(error.type, error.value, error.tb))
    assert "<ipython-input-2>" in text and "# cell two" in text


def test_a_cell_that_is_run_many_times(notebook: Notebook) -> None:
    notebook.run("from bocpy import Cown, when\ncown = Cown(0)")
    for _ in range(50):
        notebook.run("@when(cown)\ndef step(cown):\n    cown.value += 1")
    notebook.run("seen = cown.result()")
    assert notebook.names["seen"] == 50
