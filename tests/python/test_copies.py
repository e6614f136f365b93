"""Copies: what result() and captures hand over has its own parts, and everything else is as it was."""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import fractions
import functools
import io
import pathlib
import pickle
import re
import sys
import threading
import types
import uuid
import weakref
from typing import Any, NamedTuple

import pytest
from bocpy import Cown, TransferError, backend, when, whencall


class Point(NamedTuple):
    x: Any
    y: Any


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self, left, right):
        self.left, self.right = left, right


class Listing(list):
    pass


class Node:
    def __init__(self, name):
        self.name, self.next, self.items = name, None, []


class Careful(Exception):
    """Its __init__ takes other arguments than it hands on, and counts."""

    made = 0

    def __init__(self, code, reason):
        type(self).made += 1
        super().__init__(f"{reason} ({code})")
        self.code = code


class Missing(FileNotFoundError):
    def __init__(self, name):
        super().__init__(2, "not there", name)
        self.asked = [name]


def copied(value):
    """The caller's own copy, by result()."""
    return Cown(value).result()


def captured(value):
    """A copy of the copy that a behavior captures."""
    return whencall(lambda value: value, [], [value]).result()


WAYS = pytest.mark.parametrize("copy", [copied, captured])


class Plain:
    """For values that compare by themselves."""

    def __init__(self, make, same=lambda a, b: a == b):
        self.make, self.same = make, same


MUTABLE: dict[str, Plain] = {
    "list": Plain(lambda: [1, "two", 3.0, None, b"five"]),
    "nested": Plain(lambda: [[1], {"a": {2, 3}}, ({"b": [4]},)]),
    "dict": Plain(lambda: {1: [1], "b": {"c": []}, (1, 2): set(), None: None}),
    "set": Plain(lambda: {1, "a", (2, 3), frozenset([4])}),
    "bytearray": Plain(lambda: bytearray(b"abc" * 5000)),
    "array": Plain(lambda: array.array("d", range(1000))),
    "deque": Plain(lambda: collections.deque([[1], [2]], maxlen=5)),
    "ordered": Plain(lambda: collections.OrderedDict([("b", [1]), ("a", [2])])),
    "counter": Plain(lambda: collections.Counter("abracadabra")),
    "default": Plain(lambda: collections.defaultdict(list, {1: [2]})),
    "list of its own": Plain(lambda: Listing([1, [2]])),
    "named tuple": Plain(lambda: Point([1], 2)),
    "namespace": Plain(lambda: types.SimpleNamespace(a=[1])),
    "proxy": Plain(lambda: types.MappingProxyType({"a": [1]})),
    "slots": Plain(lambda: Slotted([1], "x"), lambda a, b: (a.left, a.right) == (b.left, b.right)),
    "stream": Plain(lambda: io.BytesIO(b"abc"), lambda a, b: a.getvalue() == b.getvalue()),
}

FIXED: dict[str, Any] = {
    "date": datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc),
    "decimal": decimal.Decimal("1.50"),
    "fraction": fractions.Fraction(1, 3),
    "uuid": uuid.UUID(int=5),
    "path": pathlib.PurePosixPath("/a/b"),
    "pattern": re.compile("a+", re.IGNORECASE),
    "alias": list[int],
    "range": range(1, 10, 2),
    "slice": (slice(1, None), ...),
    "large int": 10**100,
    "surrogates": "\ud800 \U0001f600 \0",
    "nothing": NotImplemented,
    "exception class": ZeroDivisionError,
}


@WAYS
@pytest.mark.parametrize("name", MUTABLE)
def test_a_mutable_value(name: str, copy) -> None:
    value = MUTABLE[name].make()
    twin = copy(value)
    assert twin is not value
    assert type(twin) is type(value)
    assert MUTABLE[name].same(twin, value)
    assert MUTABLE[name].same(value, MUTABLE[name].make())


@WAYS
@pytest.mark.parametrize("name", FIXED)
def test_a_value_that_does_not_change(name: str, copy) -> None:
    twin = copy([FIXED[name]])[0]
    assert type(twin) is type(FIXED[name])
    assert twin == FIXED[name]


def test_details_survive() -> None:
    value = [collections.deque([1], maxlen=3), collections.defaultdict(int), collections.OrderedDict(b=1, a=2)]
    queue, default, ordered = copied(value)
    assert queue.maxlen == 3 and default["new"] == 0 and list(ordered) == ["b", "a"]
    assert list(copied({"z": [], "a": [], "m": []})) == ["z", "a", "m"]


@WAYS
def test_immutable_values_are_the_same_object(copy) -> None:
    cown = Cown(0)
    for value in (cown, Point, math_like, len, sys):
        assert copy([value])[0] == value
    assert copied(cown) == cown


def math_like(x):
    return x


@WAYS
def test_aliases_and_cycles_survive(copy) -> None:
    first, second = Node("first"), Node("second")
    first.next, second.next = second, first
    first.items = second.items = [first]
    buffer = bytearray(10_000)
    a, b, c, d = copy([first, second, buffer, {"again": buffer}])
    assert a.next is b and b.next is a
    assert a.items is b.items and a.items[0] is a and a is not first
    assert d["again"] is c and c is not buffer


@WAYS
def test_a_tuple_in_a_cycle(copy) -> None:
    inner: list = []
    outer = (inner, "x")
    inner.append(outer)
    twin = copy(outer)
    assert twin[0][0] is twin and twin is not outer and twin[1] == "x"


def test_a_large_immutable_part_is_not_copied() -> None:
    node = Node("x" * 100_000)
    node.items = [b"y" * 100_000]
    twin = copied(node)
    assert twin.name == node.name and twin.items == node.items and twin.items is not node.items


@WAYS
def test_local_classes_and_their_instances(copy) -> None:
    class Local:
        def __init__(self, x):
            self.x = x

    twin = copy(Local([1]))
    assert type(twin) is Local and twin.x == [1]
    assert copy([Local])[0] is Local


def test_functions_partials_and_methods() -> None:
    seen: list = []

    def note(x, to=seen):
        to.append(x)
        return len(to)

    note.label = ["a"]  # type: ignore[attr-defined]
    twin, part, method = copied([note, functools.partial(note, 1), Node("n").items.append])
    assert twin is not note and part.func is twin
    assert (twin(1), twin(2), part()) == (1, 2, 3)
    assert twin.__name__ == "note" and twin.__qualname__ == note.__qualname__ and twin.__module__ == __name__
    assert twin.label == ["a"] and twin.label is not note.label  # type: ignore[attr-defined]
    assert seen == []
    method(1)


def test_out_of_band_buffers() -> None:
    class Blob:
        def __init__(self, data):
            self.data = data

        def __reduce_ex__(self, protocol):
            return Blob, (pickle.PickleBuffer(self.data),)

    for data in (bytearray(b"ab" * 5000), b"cd" * 5000):
        twin = copied(Blob(data))
        assert bytes(twin.data) == bytes(data)
        assert memoryview(twin.data).readonly == memoryview(data).readonly
    original = bytearray(10)
    twin = copied(Blob(original))
    twin.data[0] = 1
    assert original[0] == 0


# Exceptions -----------------------------------------------------------------------------------------------------------


@WAYS
def test_exceptions_are_rebuilt_without_their_init(copy) -> None:
    error = Careful(7, "lost")
    error.extra = [1]  # type: ignore[attr-defined]
    made = Careful.made
    twin = copy(error)
    assert type(twin) is Careful and twin.args == ("lost (7)",) and twin.code == 7
    assert twin.extra == [1] and twin.extra is not error.extra  # type: ignore[attr-defined]
    assert Careful.made == made


@WAYS
@pytest.mark.parametrize(
    "error",
    [
        Missing("a.txt"),
        FileNotFoundError(2, "gone", "b", None, "c"),
        BlockingIOError(11, "later", 5),
        UnicodeDecodeError("utf-8", b"a\xff", 1, 2, "bad"),
        SyntaxError("bad", ("file", 1, 2, "text")),
        ImportError("no", name="n", path="p"),
        StopIteration(5),
        SystemExit(3),
        KeyError("k"),
        AttributeError("no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_built_in_exceptions_keep_their_fields(error: BaseException, copy) -> None:
    twin = copy([error])[0]
    assert type(twin) is type(error) and twin is not error
    assert (str(twin), twin.args) == (str(error), error.args)
    names = ("errno", "filename", "filename2", "characters_written", "start", "lineno", "text", "name", "path", "code")
    fields = [name for name in (*names, "value", "asked") if hasattr(error, name)]
    assert [getattr(twin, name) for name in fields] == [getattr(error, name) for name in fields]


def test_the_chain_of_an_exception_is_copied() -> None:
    try:
        try:
            raise KeyError("cause")
        except KeyError as cause:
            raise ValueError("effect") from cause
    except ValueError as caught:
        error = caught
    twin = copied([error])[0]
    assert isinstance(twin.__cause__, KeyError) and twin.__cause__ is not error.__cause__
    assert isinstance(twin.__context__, KeyError) and twin.__suppress_context__


def test_a_context_that_cannot_be_copied_is_left_out() -> None:
    error = ValueError("told")
    error.__context__ = KeyError(threading.Lock())
    twin = copied([error])[0]
    assert twin.args == ("told",) and twin.__context__ is None


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups and notes came with 3.11")
def test_groups_and_notes() -> None:
    group = ExceptionGroup("two", [ValueError(1), Careful(2, "x")])  # noqa: F821
    group.add_note("a note")
    twin = copied([group])[0]
    assert twin.message == "two" and [error.args for error in twin.exceptions] == [(1,), ("x (2)",)]
    assert twin.__notes__ == ["a note"] and twin.exceptions[0] is not group.exceptions[0]


# Refusals -------------------------------------------------------------------------------------------------------------


def raises(error):
    class Hostile:
        def __reduce__(self):
            raise error

    return Hostile()


class Liar:
    def __reduce__(self):
        return 5


class Grumpy:
    """Can be taken apart, not put together."""

    def __reduce__(self):
        return Grumpy, (1, 2, 3)


REFUSED = {
    "lock": threading.Lock,
    "generator": lambda: (i for i in "abc"),
    "stream": lambda: io.TextIOWrapper(io.BytesIO()),
    "weak reference": lambda: weakref.ref(Node("x")),
    "memory view": lambda: memoryview(b"abc"),
    "own reduction": lambda: raises(ValueError("no")),
    "nonsense": Liar,
    "not rebuilt": Grumpy,
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_copied(kind: str) -> None:
    given = {"deep": [REFUSED[kind]()]}
    if backend() == "subinterp" and kind != "not rebuilt":
        # It would have to go to a worker's interpreter: refused where it is given, and still the caller's.
        with pytest.raises(TransferError, match=r"dict.*cannot be copied") as refused:
            Cown(given)
        assert isinstance(refused.value.__cause__, Exception) and len(given["deep"]) == 1
        return
    cown = Cown(given)
    with pytest.raises(TransferError, match=r"(dict|value).*cannot be copied") as refused:
        cown.result()
    assert isinstance(refused.value.__cause__, Exception)
    if backend() == "subinterp":  # nor can a behavior get it
        return
    # The value is unharmed, and behaviors go on using it.
    assert when(cown)(lambda cown: len(cown.value["deep"])).result() == 1


def test_the_reason_names_the_type() -> None:
    with pytest.raises(TransferError, match="lock"):
        copied([threading.Lock()])


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_is_no_exception_comes_through(error: type[BaseException]) -> None:
    with pytest.raises(error):
        copied(raises(error()))


def test_values_are_never_shown() -> None:
    class Shy:
        def __init__(self):
            self.items = [1]

        def __repr__(self):
            raise AssertionError("repr() of a value was called")

        __str__ = __repr__

    assert type(copied(Shy())) is Shy
    with pytest.raises(TransferError):
        copied([Shy(), threading.Lock()])
