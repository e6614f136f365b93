"""Texts and exceptions that the native part builds on its rare paths."""

from __future__ import annotations

import sys

from ._errors import BehaviorTraceback, TracebackNote

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup


def describe_timeout(what: str, seconds: float, places: list[tuple[str, int, int, int]], pinned: bool) -> str:
    """The message of a TimeoutError: how many behaviors are pending, per place, and which run or wait for messages now.

    ``places`` has (description, pending, running, waiting) for each function with pending behaviors, the most frequent
    first; ``pinned``: some of them could run if the main thread waited or pumped.
    """
    total = sum(pending for _, pending, _, _ in places)
    lines = [f"{what} took longer than {seconds:g} s: {total} behavior{'' if total == 1 else 's'} pending"]
    for description, pending, running, waiting in places[:20]:
        state = f", {running} of them running" if running else ""
        if waiting:
            state += f", {waiting} of them waiting for a message"
        lines.append(f"  {pending} of {description}{state}")
    if len(places) > 20:
        lines.append(f"  and those of {len(places) - 20} more functions")
    if not places:
        lines[0] = f"{what} took longer than {seconds:g} s: the cown is held by another thread"
    if pinned:
        lines.append("  of which pinned ones are ready: they run when the main thread calls pump() or waits")
    return "\n".join(lines)


def describe_failure(failure: BaseException, origin: str | None) -> str:
    """What the report of a failure that nobody has looked at says before the exception itself."""
    text = f"{origin or '?'}: nobody looked at its result"
    if sys.version_info >= (3, 15):
        return text
    # Before 3.15 the default hook shows neither causes nor notes, where the behavior's own traceback is.
    told = failure.__cause__ if isinstance(failure.__cause__, BehaviorTraceback) else None
    notes = [str(note) for note in getattr(failure, "__notes__", ()) if isinstance(note, TracebackNote)]
    return "\n".join([text, *([str(told)] if told else []), *notes])


def failure_group(failures: list[BaseException]) -> BaseException:
    """What a scope raises at its exit for the failures that nobody has looked at.

    An ExceptionGroup if all of them are Exceptions, else a BaseExceptionGroup.
    """
    many = len(failures)
    return BaseExceptionGroup(f"{many} behavior{'' if many == 1 else 's'} failed in the scope", failures)
