"""What the tests of behaviors that wait share, and what each interpreter has of its own for them.

Behaviors use this module too, so nothing here depends on pytest.
"""

from __future__ import annotations

import contextvars
import sys
import threading
import time
from typing import Any

from boc_testing import DEADLINE
from bocpy import quiesce, receive

#: Where each behavior that waits needs a thread, there should not be thousands of them.
MANY = 10_000 if sys.version_info >= (3, 12) else 200

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="none")
LOCAL = threading.local()


def listen(tag: str) -> Any:
    """What a behavior gets under the tag; an error if that takes too long."""
    got, contents = receive(tag, DEADLINE)
    assert got == tag, f"nobody sent {tag}"
    return contents


def quiesce_all_waiting(count: int) -> None:
    """Until so many behaviors wait for messages."""
    limit = time.monotonic() + DEADLINE
    while time.monotonic() < limit:
        try:
            quiesce(0)
        except TimeoutError as error:
            waiting = [int(line.split(", ")[-1].split()[0]) for line in str(error).splitlines() if "waiting" in line]
            if sum(waiting) == count:
                return
        time.sleep(0.001)
    raise AssertionError(f"{count} behaviors should wait")
