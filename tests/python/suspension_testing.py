"""What each interpreter has of its own for the tests of behaviors that wait."""

from __future__ import annotations

import contextvars
import threading

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="none")
LOCAL = threading.local()
