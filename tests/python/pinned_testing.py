"""What the tests of pinned cowns share."""

from __future__ import annotations

import threading
from typing import Any

from bocpy import Cown


class Canvas:
    """Something that can be neither copied nor carried."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.drawn: list[Any] = []


def on_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def append(pinned: Cown[list[Any]], what: Any) -> None:
    pinned.value.append(what)
