"""Objects whose type is registered with CPython for sharing between interpreters go the way that their type knows."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from bocpy import Cown, start, when

channels = pytest.importorskip(
    "_interpchannels" if sys.version_info >= (3, 13) else "_xxinterpchannels",
    reason="the one module of the standard library with such a type came with 3.12",
)


@pytest.fixture
def made() -> Iterator[object]:
    channel = channels.create(1) if sys.version_info >= (3, 13) else channels.create()
    yield channel
    channels.destroy(channel)


def test_an_object_that_its_type_carries(made) -> None:
    start(2)
    cown = Cown({"channel": made})

    @when(cown)
    def look(cown):
        found = cown.value["channel"]
        return type(found).__name__, int(found)

    assert look.result() == (type(made).__name__, int(made))
    with cown as value:
        assert value["channel"] == made


def test_copies_within_an_interpreter(made) -> None:
    """result() and captures: a new object, made by the type's own functions; the original stays as it is."""
    cown = Cown([made, made])
    copy = cown.result()
    assert copy[0] is copy[1]
    assert copy[0] is not made
    assert copy[0] == made

    def schedule():
        @when()
        def use():
            return int(made)

        return use

    assert schedule().result() == int(made)
    assert cown.result()[0] == made


def test_a_result_of_its_own(made) -> None:
    identity = int(made)

    @when(Cown(made))
    def give(cown):
        return cown.value

    assert int(give.result()) == identity
