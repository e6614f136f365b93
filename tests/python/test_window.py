"""What the time after `wait()`, in which every thread uses every value, leaves behind."""

from __future__ import annotations

import gc
import os

from bocpy import Cown, wait, when
from payload_testing import Loud, filled_by_a_behavior, heard


class LoudOnce(Loud):
    """Tells no pipe in the form in which it is carried."""

    def __reduce__(self):
        pipe, self.pipe = self.pipe, os.open(os.devnull, os.O_WRONLY)
        return LoudOnce, (pipe,)


def test_a_value_that_was_assigned_goes_with_its_cown(pipe: tuple[int, int]) -> None:
    wait()
    for count in range(1, 6):
        cown = Cown(None)
        cown.value = LoudOnce(pipe[1])
        assert cown.value.pipe
        del cown
        gc.collect()
        assert heard(pipe[0]) == 1, f"the value of cown {count} is still there"


def test_a_value_that_was_looked_at_goes_with_its_cown(pipe: tuple[int, int]) -> None:
    for count in range(1, 6):
        cown = filled_by_a_behavior(LoudOnce, pipe[1])
        assert cown.value.pipe
        del cown
        gc.collect()
        assert heard(pipe[0]) == 1, f"the value of cown {count} is still there"


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
