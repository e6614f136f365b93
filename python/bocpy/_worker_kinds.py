"""The kinds of what workers send to main.

The first two are known to main_service_functions.cpp too, FAILURE to surroundings.cpp.
"""

from __future__ import annotations

# Posts: nobody waits for them. The data of all but text, bytes and failures is marshal's.
STDOUT_TEXT = 1
STDERR_TEXT = 2
STDOUT_BYTES = 3
STDERR_BYTES = 4
STDOUT_FLUSH = 5
STDERR_FLUSH = 6
WARNING = 7
UNRAISABLE = 8
THREAD_ERROR = 9
LOG_RECORD = 10
LOG_CONFIG = 11
FAILURE = 12
REFUSED = 13

# Requests: the worker waits for main's answer.
IMPORT = 20
MODULE_COWNS = 21
