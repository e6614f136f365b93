"""What the time after `wait()`, in which every thread uses every value, leaves behind."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from bocpy import Cown, wait, when
from payload_testing import Loud, filled_by_a_behavior, heard


@pytest.fixture
def told() -> Iterator[tuple[int, int]]:
    """The ends of a pipe."""
    reads, writes = os.pipe()
    yield reads, writes
    os.close(reads)
    os.close(writes)


class LoudOnce(Loud):
    """Tells no pipe in the form in which it is carried."""

    def __reduce__(self):
        pipe, self.pipe = self.pipe, os.open(os.devnull, os.O_WRONLY)
        return LoudOnce, (pipe,)


def test_a_value_that_was_assigned_goes_with_its_cown(told: tuple[int, int]) -> None:
    wait()
    for count in range(1, 6):
        cown = Cown(None)
        cown.value = LoudOnce(told[1])
        assert cown.value.pipe
        del cown
        gc.collect()
        assert heard(told[0]) == 1, f"the value of cown {count} is still there"


def test_a_value_that_was_looked_at_goes_with_its_cown(told: tuple[int, int]) -> None:
    for count in range(1, 6):
        cown = filled_by_a_behavior(LoudOnce, told[1])
        assert cown.value.pipe
        del cown
        gc.collect()
        assert heard(told[0]) == 1, f"the value of cown {count} is still there"


def test_those_that_stay_are_changed_in_place_and_go_on() -> None:
    """Some of those that were looked at have gone when the window ends."""
    cowns = [Cown([n]) for n in range(20)]
    wait()
    for cown in cowns:
        cown.value.append("looked at")
    del cowns[::2], cown
    assert [when(cown)(lambda cown: cown.value).result() for cown in cowns] == [
        [n, "looked at"] for n in range(1, 20, 2)
    ]
