"""Pickles in as many rounds as it takes: what cannot be carried and may be left out must not spoil the rest.

If a pickle fails it is thrown away, a careful pickler finds out whose fault it was, and the next one leaves that out.
"""

from __future__ import annotations

import itertools

from ._carry_functions import reason_of
from ._carry_pickler import CarryPickler
from ._carry_stand_ins import Key

TYPE_CHECKING = False  # importing typing takes longer than all the rest; type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MAX_ROUNDS = 10
_MAX_LEFT_OUT = 2000


def run(write: Callable[[CarryPickler], None], **options: Any) -> CarryPickler:
    """Let `write` write to a pickler, in as many rounds as it takes to leave out what cannot be carried."""
    poison: dict[Key, str] = {}
    for rounds in itertools.count():
        pickler = CarryPickler(poison, **options)
        try:
            write(pickler)
            return pickler
        except Exception:
            if rounds > _MAX_ROUNDS:  # something makes new objects whenever it is looked at
                raise
            if pickler.could_leave_out and _blame(write, poison, options):
                continue
            if not pickler.saw_chain or not pickler.chains:
                raise
            # An exception's context may hold anything; without it the exception itself may still be told.
            options = {**options, "chains": False}
    raise AssertionError


def _blame(write: Callable[[CarryPickler], None], poison: dict[Key, str], options: dict[str, Any]) -> bool:
    """Find all that cannot be carried and may be left out; False if there is nothing of the kind."""
    found = False
    for _ in range(_MAX_LEFT_OUT):
        pickler = CarryPickler(poison, careful=True, **options)
        try:
            write(pickler)
            return found
        except Exception as error:
            if not pickler.open or pickler.open[-1] in poison:
                return False
            poison[pickler.open[-1]] = reason_of(error)
            found = True
    return False
