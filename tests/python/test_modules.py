"""Modules that main and the workers import: what is in them is the same for all of them, cowns above all."""

from __future__ import annotations

import textwrap

import pytest
from boc_testing import output_of

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
