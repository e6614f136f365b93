"""Modules that main and the workers import: what is in them is the same for all of them, cowns above all."""

from __future__ import annotations

import textwrap

import pytest
from boc_testing import output_of, run_python

PROLOGUE = """
import sys
from bocpy import Cown, TransferError, quiesce, start, wait, when, whencall

def ask(function, *cowns):
    return when(*cowns)(function).result()
"""

COUNTING = """
import os
from bocpy import Cown, when

with open("imported", "a") as file:
    file.write("x")

total, groups, nested = Cown(0), {"a": [Cown(1)]}, (Cown("in a tuple"),)

class Holder:
    shared = Cown([])

def add(n):
    @when(total)
    def behavior(total):
        total.value += n
    return behavior

def look(): return total, groups["a"][0], nested[0], Holder.shared
"""


def test_cowns_of_a_module_are_the_same_everywhere() -> None:
    source = PROLOGUE + textwrap.dedent(
        """
        import counting
        start(3)
        mine = counting.look()[:3]
        for result in [when()(counting.look) for _ in range(9)]:
            assert result.result()[:3] == mine
        def named():
            import counting as again
            return again.total, counting.groups["a"][0], counting.nested[0]
        assert ask(named) == mine
        def schedule(): counting.add(2)
        for _ in range(10): when()(schedule)
        quiesce()
        assert counting.total.result() == 20
        print("ok")
        """
    )
    assert output_of(source, files={"counting.py": COUNTING}) == "ok\n"


def test_a_module_that_main_has_not_imported() -> None:
    source = PROLOGUE + textwrap.dedent(
        """
        start(2)
        def work():
            import counting
            return counting.add(3).__class__.__name__
        assert [r.result() for r in [when()(work) for _ in range(6)]] == ["Cown"] * 6
        print("ok")
        """
    )
    assert output_of(source, files={"counting.py": COUNTING}) == "ok\n"


OBJECTS = """
from bocpy import Cown

class Registry:
    shared = Cown(["of the class"])
    def __init__(self): self.cown = Cown(["of the object"])

registry, table, listed = Registry(), {"x": Registry()}, [Registry()]

def of_object(): return registry.cown
def of_dict(): return table["x"].cown
def of_list(): return listed[0].cown
def of_class(): return Registry.shared
def of_default(c=Cown(["of a default"])): return c
def make():
    c = Cown(["of a closure"])
    return lambda: c
of_closure = make()
"""


@pytest.mark.parametrize("where", ["object", "dict", "list", "default", "closure"])
def test_cowns_deeper_in_a_module(where: str) -> None:
    """A function of the module as the behavior: what it names comes from main, whatever it is."""
    source = f"{PROLOGUE}\nimport objects\nassert ask(objects.of_{where}) == objects.of_{where}()\nprint('ok')\n"
    assert output_of(source, files={"objects.py": OBJECTS}) == "ok\n"


@pytest.mark.parametrize("path", ["table['x'].cown", "listed[0].cown"])
def test_cowns_behind_an_attribute_of_a_module(path: str) -> None:
    """The behavior itself reads the attribute from the module that it names."""
    source = f"{PROLOGUE}\nimport objects\nassert ask(lambda: objects.{path}) == objects.{path}\nprint('ok')\n"
    assert output_of(source, files={"objects.py": OBJECTS}) == "ok\n"


@pytest.mark.backend("subinterp", reason="on threads there is one class attribute for all")
def test_a_module_of_one_interpreter_only() -> None:
    source = PROLOGUE + textwrap.dedent(
        """
        import types
        handmade = types.ModuleType("handmade")
        sys.modules["handmade"] = handmade
        exec("n = 4\\ndef f(): return n\\nclass C:\\n  def g(self): return n", vars(handmade))
        assert whencall(handmade.f, []).result() == 4
        assert type(Cown(handmade.C()).result()) is handmade.C
        def uses(): return handmade.n
        try: ask(uses)
        except TransferError as error: assert "'handmade'" in str(error)
        else: raise AssertionError
        print("ok")
        """
    )
    assert output_of(source) == "ok\n"


def test_functions_of_a_module_with_data() -> None:
    module = """
        from bocpy import Cown, when
        table, shared = {"n": 1}, Cown(0)
        class K: pass
        def helper(): return K
        def look(): return dict(table), shared, helper()
        def start():
            @when(shared)
            def look(shared): return dict(table), K, helper()
            return look
        """
    source = PROLOGUE + textwrap.dedent(
        """
        import work
        assert ask(work.look) == ({"n": 1}, work.shared, work.K)
        work.table["n"] = 2
        assert ask(work.look) == ({"n": 2}, work.shared, work.K)
        assert work.start().result() == ({"n": 2}, work.K, work.K)
        print("ok")
        """
    )
    assert output_of(source, files={"work.py": textwrap.dedent(module)}) == "ok\n"


def test_attributes_of_a_module_that_are_set_at_run_time() -> None:
    source = PROLOGUE + textwrap.dedent(
        """
        import settings
        def look(): return settings.DEBUG
        assert ask(look) is False
        settings.DEBUG = True
        assert ask(look) is True
        print("ok")
        """
    )
    assert output_of(source, files={"settings.py": "DEBUG = False\n"}) == "ok\n"


SUBMODULES = {
    "three names": "import xml.dom.minidom; f = lambda: xml.dom.minidom.Document().createElement('a').tagName",
    "a closure": "f = local()",
    "a default": "import urllib.parse; f = lambda module=urllib: module.parse.quote('a')",
    "in a value": "import urllib.parse; cown = Cown([urllib]); f = lambda: whencall(quote, [cown])",
    "by name": "import urllib.parse; f = lambda: getattr(urllib, 'parse').quote('a')",
    "in a module": "import scheduling; f = scheduling.nested",
    "of the program": "import package.inner.deep; f = lambda: package.inner.deep.name",
    "in two names": "import package.inner.deep as deep; inner = package = None; f = lambda: deep.__name__",
}


@pytest.mark.parametrize("how", SUBMODULES)
def test_submodules_that_main_has_imported(how: str) -> None:
    """Naming the package is enough, as it is in main."""
    source = f"""
    from bocpy import Cown, start, when, whencall

    def local():
        import urllib.parse
        return lambda: urllib.parse.quote("a")

    def quote(cown):
        return cown.value[0].parse.quote("a")

    start(2)
    {SUBMODULES[how]}
    answers = [when()(f) for _ in range(8)]
    seen = set()
    for answer in answers:
        found = answer.result()
        seen.add(found.result() if isinstance(found, Cown) else found)
    assert len(seen) == 1, seen
    print(*seen)
    """
    files = {
        "scheduling.py": """if True:
            def nested():
                import urllib.parse
                from bocpy import when
                return when()(lambda: urllib.parse.quote("a"))
        """,
        "package/__init__.py": "",
        "package/inner/__init__.py": "",
        "package/inner/deep.py": "name = 'package.inner.deep'",
    }
    expected = "package.inner.deep" if "package" in SUBMODULES[how] else "a"
    assert output_of(textwrap.dedent(source), files=files) == expected + "\n"


def test_what_a_package_lacks_is_still_an_error() -> None:
    """Its own __getattr__ is asked first; a submodule that fails says so."""
    source = """
    import package
    from bocpy import start, when

    def ask():
        found = [package.answer, hasattr(package, "nothing"), hasattr(package, "__nothing__")]
        for name in ("nothing", "broken"):
            try:
                getattr(package, name)
            except (AttributeError, ZeroDivisionError) as error:
                found.append(f"{type(error).__name__}: {error}")
        return found

    start(2)
    ask_here = ask()
    found = when()(ask).result()
    assert found[:4] == ask_here[:4] == [42, False, False, "AttributeError: no nothing"], (found, ask_here)
    print("ok")
    """
    package = """if True:
        def __getattr__(name):
            if name == "answer":
                return 42
            raise AttributeError(f"no {name}")
    """
    files = {"package/__init__.py": package, "package/broken.py": "1 / 0"}
    assert output_of(textwrap.dedent(source), files=files) == "ok\n"


def test_classes_that_stand_under_another_name_in_their_module() -> None:
    """They are the module's own everywhere."""
    source = """
    import making
    from bocpy import Cown, start, when

    start(2)
    for make in (making.value, making.point, making.mode):
        assert when(Cown(make()))(lambda c: making.kinds(c.value)).result() == making.kinds(make())
        assert making.kinds(when()(make).result()) == making.kinds(make())
    try:
        when()(making.fail).result()
    except making.Error as error:
        print(error)
    """
    making = """if True:
        import collections, enum

        def _make():
            class Error(Exception):
                pass
            class Value:
                pass
            return Error, Value

        Error, Value = _make()
        Point = collections.namedtuple("P", "x y")
        Mode = enum.Enum("M", "A B")

        def value(): return Value()
        def point(): return Point(1, 2)
        def mode(): return Mode.B
        def kinds(v): return isinstance(v, Value), isinstance(v, Point), v is Mode.B
        def fail(): raise Error("as the module's own")
    """
    assert output_of(textwrap.dedent(source), files={"making.py": making}) == "as the module's own\n"


def test_a_script_that_is_in_the_way_of_a_module() -> None:
    """What bocpy needs imports the script instead: the error is that of the import, and nothing waits."""
    source = "import runpy; runpy.run_path('logging.py', run_name='__main__')"
    done = run_python(source, files={"logging.py": "from bocpy import *"})
    assert done.returncode == 1
    assert "concurrent" in done.stderr.splitlines()[-1], done.stderr
