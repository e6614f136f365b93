"""What `@when` refuses: nothing is started and nothing scheduled."""

from __future__ import annotations

import textwrap

import pytest
from boc_testing import caught, output_of
from bocpy import Cown, quiesce, when


def takes_one(cown):
    return "ran"


BAD_ARGUMENTS = {
    "an int": (1,),
    "None": (None,),
    "a string": ("cown",),
    "a set": ({1},),
    "a set of cowns": ({Cown(1)},),
    "a generator": ((c for c in [Cown(1)]),),
    "a dict": ({Cown(1): 1},),
    "a list of ints": ([1],),
    "a nested list": ([[Cown(1)]],),
    "a group with one bad member": ([Cown(1), None],),
    "the class": (Cown,),
    "a bad one after a good one": (Cown(1), 1),
}


@pytest.mark.parametrize("arguments", BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_arguments_that_are_no_cowns(arguments: tuple[object, ...]) -> None:
    with pytest.raises(TypeError, match=r"(?i)cown"):
        when(*arguments)(takes_one)
    assert_nothing_started()


def test_keyword_arguments_are_refused() -> None:
    with pytest.raises(TypeError):
        when(cown=Cown(1))  # type: ignore[call-overload]


MISMATCHES = {
    "no parameter": ((Cown(1),), lambda: None),
    "too few": ((Cown(1), Cown(2)), lambda a: None),
    "too many": ((Cown(1),), lambda a, b: None),
    "too many with a default": ((Cown(1),), lambda a, b, c=1: None),
    "too many before *args": ((Cown(1),), lambda a, b, *rest: None),
    "a parameter without a cown": ((), lambda a: None),
    "a keyword without a default": ((Cown(1),), lambda a, *, k: None),
    "a group counts as one": (([Cown(1), Cown(2)],), lambda a, b: None),
}


@pytest.mark.parametrize(("arguments", "function"), MISMATCHES.values(), ids=MISMATCHES)
def test_parameters_that_do_not_fit(arguments: tuple[object, ...], function) -> None:
    with pytest.raises(TypeError):
        when(*arguments)(function)
    assert_nothing_started()


def test_a_mismatch_names_the_function_and_the_counts() -> None:
    def three(a, b, c):
        pass

    with pytest.raises(TypeError, match=r"three") as error:
        when(Cown(1), Cown(2))(three)
    assert "2" in str(error.value) and "3" in str(error.value)


def generator(cown):
    yield 1


async def coroutine(cown):
    return 1


async def asynchronous_generator(cown):
    yield 1


@pytest.mark.parametrize("function", [generator, coroutine, asynchronous_generator, lambda cown: (yield)])
def test_generator_and_async_functions(function) -> None:
    """The error is both a TypeError and, for programs that expect it, a SyntaxError."""
    with pytest.raises(TypeError) as error:
        when(Cown(1))(function)
    assert isinstance(error.value, SyntaxError)
    assert function.__name__ in str(error.value)
    assert_nothing_started()


@pytest.mark.parametrize("function", [None, 1, "takes_one", [takes_one]])
def test_something_that_cannot_be_called(function) -> None:
    with pytest.raises(TypeError):
        when(Cown(1))(function)
    assert_nothing_started()


def assert_nothing_started() -> None:
    assert quiesce(stats=True) == [], "a rejected @when started the runtime"


def test_a_rejected_when_leaves_its_cowns_free() -> None:
    cown = Cown(1)
    with pytest.raises(TypeError):
        when(cown, 5)(takes_one)
    with pytest.raises(TypeError):
        when(cown)(generator)
    assert when(cown)(takes_one).result() == "ran"


def test_a_rejected_when_in_a_behavior() -> None:
    @when(Cown(1))
    def attempt(cown):
        return [caught(lambda: when(5)(takes_one))[0], caught(lambda: when(cown)(generator))[0] != ""]

    assert attempt.result() == ["TypeError", True]


def test_nothing_of_a_rejected_when_runs() -> None:
    program = """
        from bocpy import Cown, when
        def shout(*args): print("ran")
        for arguments in ((1,), (Cown(1), None), ([None],)):
            try: when(*arguments)(shout)
            except TypeError: print("refused")
    """
    assert output_of(textwrap.dedent(program)) == "refused\n" * 3


def test_no_slot_left_for_notes_on_code() -> None:
    """CPython has 255 for an interpreter: what it cannot give is an error that says so, of each `when`."""
    source = """
        import ctypes, sys
        import bocpy

        prefix = "PyUnstable_" if sys.version_info >= (3, 12) else "_Py"
        request = getattr(ctypes.pythonapi, prefix + "Eval_RequestCodeExtraIndex")
        request.restype = ctypes.c_ssize_t
        while request(None) >= 0:
            pass
        for _ in range(2):
            try:
                bocpy.when(bocpy.Cown(1))(lambda c: None)
            except RuntimeError as error:
                print(str(error).split(":")[0])
        bocpy.wait()
    """
    lines = output_of(textwrap.dedent(source)).splitlines()
    assert lines == ["CPython has no slot left for bocpy's notes on code objects"] * 2
