"""Functions by value, and the globals that they name: those of scripts and of sessions.

Classes of the main script: test_main_script.py. Functions and cowns of modules: test_modules.py.
"""

from __future__ import annotations

import textwrap

import pytest
from boc_testing import output_of

PROLOGUE = """
import sys
from bocpy import Cown, TransferError, quiesce, read, start, wait, when, whencall

def ask(function, *cowns):
    return when(*cowns)(function).result()
"""

# Each program prints "ok" where everything in it was as it should be.
PROGRAMS = {
    "rebound between": """
        n, words = 1, ["a"]
        def look(): return n, words
        seen = []
        for n in range(3):
            words = [n]
            seen.append(when()(look))
        n = "last"
        assert [s.result() for s in seen] == [(0, [0]), (1, [1]), (2, [2])]
        """,
    "changed in place while nothing is pending": """
        table, deep = {"n": 0}, [[0], ({"x": 0},)]
        class Box:
            def __init__(self): self.n = 0
        box = Box()
        def look(): return table["n"], deep[0][0], deep[1][0]["x"], box.n
        for n in range(20):
            table["n"] = deep[0][0] = deep[1][0]["x"] = box.n = n
            assert ask(look) == (n, n, n, n)
        """,
    "changed in place, seen by every worker": """
        table = [0]
        start(4)
        def look(): return table[0]
        for n in range(30):
            table[0] = n
            assert {r.result() for r in [when()(look) for _ in range(8)]} == {n}
        """,
    "read by helpers": """
        rate, table = 1, {"x": 1}
        def inner(): return rate, dict(table)
        def outer(): return [inner() for _ in range(2)]
        def look(): return outer()
        assert ask(look) == [(1, {"x": 1})] * 2
        rate, table["x"] = 2, 2
        assert ask(look) == [(2, {"x": 2})] * 2
        def inner(): return "other"
        assert ask(look) == ["other"] * 2
        """,
    "loop variables": """
        seen = []
        for i in range(5):
            name = f"n{i}"
            @when()
            def show(): return i, name
            seen.append(show)
            seen.append(when()(lambda: (i, name)))
        assert [s.result() for s in seen] == [(i, f"n{i}") for i in range(5) for _ in range(2)]
        """,
    "decorated below when": """
        import functools
        def twice(f):
            @functools.wraps(f)
            def wrapper(*args): return [f(*args), f(*args)]
            return wrapper
        c = Cown(1)
        @when(c)
        @twice
        def add(c):
            c.value += 1
            return c.value
        assert add.result() == [2, 3]
        @when(c)
        @twice
        @twice
        def again(c): return c.value
        assert again.result() == [[3, 3], [3, 3]]
        """,
    "methods, partials and callables": """
        import functools
        class A:
            def __init__(self, n): self.n = n
            def method(self, c): return self.n + c.value
            @classmethod
            def made(cls, c): return cls(c.value)
            @staticmethod
            def plain(c): return c.value
        c = Cown(5)
        assert ask(A(1).method, c) == 6 and ask(A.plain, c) == 5
        made = ask(A.made, c)
        assert type(made) is A and made.n == 5
        def add(n, c): return n + c.value
        assert whencall(lambda c, f: f(c), [c], [functools.partial(add, 2)]).result() == 7
        """,
    "generators, comprehensions and nested functions inside": """
        base = 10
        def work(c):
            def gen():
                for x in c.value: yield x + base
            inner = lambda x: (lambda: x + base)()
            return list(gen()), [inner(x) for x in c.value], {x: base for x in c.value}, sum(x for x in gen())
        assert ask(work, Cown([1, 2])) == ([11, 12], [11, 12], {1: 10, 2: 10}, 23)
        """,
    "defaults and keyword defaults": """
        table = [1]
        @when()
        def look(a=1, b=table, *, k="k", m={"x": [1]}): return a, b, k, m
        table.append(2)
        assert look.result() == (1, [1], "k", {"x": [1]})
        """,
    "exec in a namespace": """
        names = {"when": when}
        exec("base = 3\\ndef helper(x): return x + base\\n"
             "def work(): return helper(1)\\nclass K:\\n  def f(self): return base\\n"
             "@when()\\ndef at_once(): return base, type(K()) is K, K().f()", names)
        assert ask(names["work"]) == 4
        assert names["at_once"].result() == (3, True, 3)
        names["base"] = 4
        assert ask(names["work"]) == 5
        """,
    "a global stays what it is inside": """
        import warnings
        warnings.simplefilter("ignore")
        n, seen = 1, []
        def work():
            global n
            n += 1
            return n
        assert [ask(work) for _ in range(3)] == [2, 2, 2] and n == 1
        """,
    "deleted and added": """
        def work():
            try: return late
            except NameError: return "none"
        assert ask(work) == "none"
        late = 1
        assert ask(work) == 1
        del late
        assert ask(work) == "none"
        """,
    "builtins shadowed": """
        assert ask(lambda: len([1])) == 1
        def len(x): return "mine"
        assert ask(lambda: len([1])) == "mine"
        del len
        assert ask(lambda: len([1])) == 1
        """,
    "modules by name": """
        import collections.abc, json as j, os.path as p
        from math import floor, pi
        def work(): return j.dumps([1]), p.basename("/a/b"), floor(pi), collections.abc.Sequence, __name__
        assert ask(work) == ("[1]", "b", 3, collections.abc.Sequence, "__main__")
        """,
    "poison that is not used": """
        import threading
        lock, stream, gen = threading.Lock(), open(__file__) if sys.argv[0] != "-c" else None, (x for x in "abc")
        def work(use): return (lock, stream, gen) if use else "fine"
        assert whencall(work, [], [False]).result() == "fine"
        """,
    "functions scheduled from behaviors": """
        base, total = 5, Cown(0)
        def add(total, n): total.value += n + base
        def spread(depth):
            whencall(add, [total], [depth])
            for _ in range(2 if depth else 0): whencall(spread, [], [depth - 1])
        spread_first = whencall(spread, [], [4])
        quiesce()
        assert total.result() == sum((4 - d) * 2**d + 5 * 2**d for d in range(5))
        """,
}


def program(name: str) -> str:
    return PROLOGUE + textwrap.dedent(PROGRAMS[name]) + "\nprint('ok')\n"


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_a_file(name: str) -> None:
    assert output_of(program(name)) == "ok\n"


@pytest.mark.parametrize("how", ["-c", "stdin", "-m"])
@pytest.mark.parametrize("name", ["loop variables", "read by helpers", "decorated below when", "exec in a namespace"])
def test_other_ways_to_start(name: str, how: str) -> None:
    assert output_of(program(name), how=how) == "ok\n"


SESSION = """
from bocpy import Cown, when, wait
class A:
    n = 1

first = Cown(A())
def kind(c): return type(c.value) is A, c.value.n

print(when(first)(kind).result())
Old = A
class A:
    n = 2

second = Cown(A())
print(when(first)(kind).result(), when(second)(kind).result())
def kind(c): return "again", type(c.value) is A

print(when(second)(kind).result())
limit = 5
print(when()(lambda: limit).result())
limit = 6
print(when()(lambda: limit).result(), type(first.result()) is Old, type(second.result()) is A)
@when(second)
def typed(c):
    return c.value.n + limit

print(typed.result())
wait()
print("end")
"""


@pytest.mark.parametrize("how", ["repl", "-c", "stdin", "file"])
def test_a_session(how: str) -> None:
    """Functions and classes are defined, and defined again, line after line."""
    lines = ["(True, 1)", "(False, 1) (True, 2)", "('again', True)", "5", "6 True True", "8", "end"]
    assert output_of(SESSION, how=how).splitlines() == lines


# scripts -------------------------------------------------------------------------------------------------------------


def test_the_script_is_run_once() -> None:
    source = PROLOGUE + textwrap.dedent(
        """
        with open("ran", "a") as file: file.write("x")
        start(3)
        class A:
            with open("class", "a") as file: file.write("x")
        def work(c): return type(c.value) is A
        assert all(r.result() for r in [when(Cown(A()))(work) for _ in range(12)])
        wait()
        print(open("ran").read(), open("class").read())
        """
    )
    assert output_of(source) == "x x\n"


@pytest.mark.parametrize("how", ["file", "-m"])
def test_a_script_with_an_entry_point(how: str) -> None:
    source = """
from bocpy import Cown, when
LIMIT = 3
def helper(x): return x + LIMIT
def main():
    @when(Cown(1))
    def work(c): return helper(c.value)
    print(work.result())
if __name__ == "__main__":
    main()
"""
    assert output_of(source, how=how) == "4\n"


@pytest.mark.backend("subinterp", reason="on threads it is the object itself")
@pytest.mark.parametrize(
    "use", ["ask(lambda: lock)", "ask(lambda: helper())", "ask(lambda: A().f())", "ask(lambda: A().mutex)"]
)
def test_a_global_that_cannot_be_carried_says_so_where_it_is_used(use: str) -> None:
    source = PROLOGUE + textwrap.dedent(
        f"""
        import threading
        lock = threading.Lock()
        def helper(): return lock
        class A:
            mutex = threading.Lock()
            def f(self): return lock
        try:
            {use}
        except TransferError as error:
            text = str(error)
            assert "'lock'" in text or "'mutex'" in text, text
            assert "cannot be carried" in text and "Cown" in text, text
            print("ok")
        """
    )
    assert output_of(source) == "ok\n"
