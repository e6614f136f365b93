"""Objects whose type is registered with CPython for sharing between interpreters go the way that their type knows."""

from __future__ import annotations

import sys

import pytest
from bocpy import Cown, start, when

channels = pytest.importorskip(
    "_interpchannels" if sys.version_info >= (3, 13) else "_xxinterpchannels",
    reason="the one module of the standard library with such a type came with 3.12",
)

pytestmark = pytest.mark.backend("subinterp", reason="on threads the object itself is used")


def test_an_object_that_its_type_carries() -> None:
    start(2)
    made = channels.create(1) if sys.version_info >= (3, 13) else channels.create()
    cown = Cown({"channel": made})

    @when(cown)
    def look(cown):
        found = cown.value["channel"]
        return type(found).__name__, int(found)

    assert look.result() == (type(made).__name__, int(made))
    with cown as value:
        assert value["channel"] == made
    channels.destroy(made)
