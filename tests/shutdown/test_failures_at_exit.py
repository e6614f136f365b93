"""Failures that nobody looked at: reported once, with file and line, at the latest when the program ends."""

from __future__ import annotations

import pytest
from _program import line_of, run

WORKERS = pytest.mark.parametrize("workers", [1, 8])

ONE = """
    from bocpy import Cown, when

    kept = []

    @when(Cown(1))
    def breaks(c):
        raise ValueError("the only reason")  # the line

    kept.append(breaks)
    {then}
"""


@WORKERS
@pytest.mark.parametrize(
    "then",
    ["pass", "del breaks", "import bocpy; bocpy.wait()", "kept.clear(); del breaks", "import sys; sys.exit(0)"],
)
def test_reported_once_with_its_place(then: str, workers: int) -> None:
    ended = run(ONE.format(then=then), workers=workers).check(out=[], err=None, reports=True)
    assert ended.err.count("the only reason") <= 2, str(ended)  # the message, and the source line that says it
    assert ended.err.count("ValueError: the only reason") == 1, str(ended)
    place = f'program.py", line {line_of(ONE, "# the line")}'
    assert ended.err.count(place) == 1, f"{place}\n{ended}"
    assert "breaks" in ended.err, str(ended)


@WORKERS
@pytest.mark.parametrize(
    "look",
    [
        "with breaks as v: assert type(v) is ValueError",
        "with breaks: assert breaks.exception",
        """
    try:
        breaks.result()
    except ValueError:
        pass
    """,
        """
    try:
        import bocpy; bocpy.quiesce(); breaks.unwrap()
    except ValueError:
        pass
    """,
        """
    @when(breaks)
    def looks(r):
        assert r.exception and type(r.value) is ValueError
    """,
    ],
)
def test_looked_at_is_not_reported(look: str, workers: int) -> None:
    """Looked at before a wait() or the end: those report what nobody looked at until then."""
    run(ONE.format(then=look), workers=workers).check(out=[])


@WORKERS
def test_collected_by_a_scope_is_not_reported(workers: int) -> None:
    source = """
        import sys
        if sys.version_info < (3, 11):
            from exceptiongroup import ExceptionGroup
        from bocpy import Cown, scope, when

        try:
            with scope():
                @when(Cown(1))
                def breaks(c):
                    raise ValueError("collected")
        except ExceptionGroup as group:
            print([str(e) for e in group.exceptions])
    """
    run(source, workers=workers).check(out=["['collected']"])


@WORKERS
def test_the_failing_do_not_stop_the_others(workers: int) -> None:
    source = """
        from bocpy import Cown, when

        c = Cown(0)
        for i in range(50):
            @when(c)
            def add(c):
                c.value += 1
                if c.value % 10 == 0:
                    raise ValueError(f"number {c.value}")

        @when(c)
        def show(c):
            print("added", c.value)
    """
    ended = run(source, workers=workers).check(out=["added 50"], err=None, reports=True)
    for number in range(10, 51, 10):
        assert ended.err.count(f"ValueError: number {number}\n") == 1, str(ended)


@WORKERS
def test_reported_at_wait_and_not_again_at_the_end(workers: int) -> None:
    source = """
        import sys
        import bocpy
        from bocpy import Cown, when

        @when(Cown(1))
        def breaks(c):
            raise ValueError("seen at wait")
        bocpy.wait()
        print("after wait", file=sys.stderr)
    """
    ended = run(source, workers=workers).check(out=[], err=None, reports=True)
    assert ended.err.count("ValueError: seen at wait") == 1, str(ended)
    assert ended.err.index("ValueError: seen at wait") < ended.err.index("after wait"), str(ended)


@WORKERS
def test_a_hook_of_the_program_gets_them(workers: int) -> None:
    """Main's sys.unraisablehook, also one that is set while behaviors are queued."""
    source = """
        import sys
        from bocpy import Cown, when

        for i in range(3):
            @when(Cown(i))
            def breaks(c):
                raise KeyError(c.value)
        del breaks

        def hook(args):
            print("hook", args.exc_type.__name__, args.exc_value, flush=True)
        sys.unraisablehook = hook
    """
    # Failures whose result was dropped before the hook was set were reported the standard way: none twice, none lost.
    ended = run(source, workers=workers).check(out=None, err=None, reports=True)
    for i in range(3):
        assert (f"hook KeyError {i}" in ended.lines) + ended.err.count(f"KeyError: {i}\n") == 1, str(ended)


@WORKERS
def test_a_hook_that_fails_itself(workers: int) -> None:
    source = """
        import sys
        from bocpy import Cown, when

        def hook(args):
            raise RuntimeError("the hook fails")
        sys.unraisablehook = hook

        @when(Cown(1))
        def breaks(c):
            raise ValueError("the failure")

        @when(Cown(2))
        def works(c):
            print("works")
    """
    ended = run(source, workers=workers)
    assert ended.code == 0 and ended.lines == ["works"], str(ended)
    assert "Fatal" not in ended.err and "terminate" not in ended.err, str(ended)


@WORKERS
def test_the_exception_of_main_and_the_failures(workers: int) -> None:
    source = """
        from bocpy import Cown, when

        @when(Cown(1))
        def breaks(c):
            raise ValueError("a behavior failed")

        raise LookupError("main failed")
    """
    ended = run(source, workers=workers).check(code=1, out=[], err=None, reports=True)
    assert ended.err.count("LookupError: main failed") == 1, str(ended)
    assert ended.err.count("ValueError: a behavior failed") == 1, str(ended)


@WORKERS
def test_every_kind_of_exception(workers: int) -> None:
    """Also those that are no Exception, and classes that cannot be built again from their args."""
    source = """
        from bocpy import Cown, when

        class Picky(Exception):
            def __init__(self, first, *, second):
                super().__init__(f"{first} and {second}")

        def breaks(kind):
            @when(Cown(kind))
            def body(c):
                match = {
                    "exit": lambda: SystemExit(9), "interrupt": lambda: KeyboardInterrupt("by hand"),
                    "generator": lambda: GeneratorExit("odd"), "picky": lambda: Picky(1, second=2),
                    "memory": lambda: MemoryError("none left"), "stop": lambda: StopIteration("no more"),
                }
                raise match[c.value]()
            return body

        for kind in ("exit", "interrupt", "generator", "picky", "memory", "stop"):
            breaks(kind)
        print("end of main")
    """
    ended = run(source, workers=workers).check(out=["end of main"], err=None, reports=True)
    for text in (
        "SystemExit: 9", "KeyboardInterrupt: by hand", "GeneratorExit: odd", "Picky: 1 and 2",
        "MemoryError: none left", "StopIteration: no more",
    ):  # fmt: skip
        assert ended.err.count(text) == 1, f"{text}\n{ended}"


@WORKERS
def test_an_exception_that_cannot_be_shown(workers: int) -> None:
    source = """
        from bocpy import Cown, when

        class Mute(Exception):
            def __str__(self):
                raise RuntimeError("no text")
            __repr__ = __str__

        @when(Cown(1))
        def breaks(c):
            raise Mute

        @when(Cown(2))
        def works(c):
            print("works")
    """
    ended = run(source, workers=workers)
    assert ended.code == 0 and ended.lines == ["works"] and "Mute" in ended.err, str(ended)
    assert "Fatal" not in ended.err and "terminate" not in ended.err, str(ended)
