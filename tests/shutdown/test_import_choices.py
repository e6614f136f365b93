"""BOCPY_BACKEND: chosen once at import; what cannot be is an ImportError that says what to do."""

from __future__ import annotations

import sys
import sysconfig

import pytest
from _program import run

SHOW = """
    import bocpy
    from bocpy import Cown, when

    @when(Cown(bocpy.backend()))
    def show(c):
        print(c.value)
"""

CATCH = """
    for attempt in range(2):
        try:
            import bocpy
        except ImportError as error:
            print(error)
        else:
            print("imported", bocpy.backend())
"""

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def test_threads() -> None:
    run(SHOW, env={"BOCPY_BACKEND": "threads"}).check(out=["threads"])


def test_auto_is_the_default() -> None:
    chosen = run(SHOW, env={"BOCPY_BACKEND": "auto"}).check(out=None).lines
    assert chosen in (["threads"], ["subinterp"])
    if FREE_THREADED or sys.version_info < (3, 12):
        assert chosen == ["threads"]
    unset = "import os; os.environ.pop('BOCPY_BACKEND', None)\nimport bocpy; print(bocpy.backend())"
    run(unset).check(out=chosen)


@pytest.mark.parametrize("name", ["thread", "Threads", "subinterpreters", "threads ", "1", "\u00e9"])
def test_no_such_backend(name: str) -> None:
    """The message names the variable, what it is set to, and what it may be; asking again gives the same answer."""
    ended = run(CATCH, env={"BOCPY_BACKEND": name}).check(out=None)
    first, second = ended.lines
    assert first == second and "BOCPY_BACKEND" in first and name in first, str(ended)
    assert all(choice in first for choice in ("auto", "threads", "subinterp")), str(ended)


def test_uncaught() -> None:
    ended = run("import bocpy", env={"BOCPY_BACKEND": "fibers"}).check(code=1, out=[], err=None)
    assert "ImportError: " in ended.err and "'fibers'" in ended.err, str(ended)


def test_sub_interpreters_where_they_cannot_be() -> None:
    """Below 3.12 they share one GIL. Where they can be but are not built in, the message says that."""
    ended = run(CATCH, env={"BOCPY_BACKEND": "subinterp"}).check(out=None)
    if sys.version_info >= (3, 12) and ended.lines[0] == "imported subinterp":
        return
    assert "imported" not in ended.out, str(ended)
    first, second = ended.lines
    assert first == second and "subinterp" in first and "BOCPY_BACKEND" in first and "threads" in first, str(ended)


def test_the_variable_is_read_once() -> None:
    source = """
        import os
        import bocpy
        first = bocpy.backend()
        os.environ["BOCPY_BACKEND"] = "nonsense"
        from bocpy import Cown, when

        @when(Cown(20))
        def twice(c):
            return 2 * c.value
        print(twice.result(), bocpy.backend() == first)
    """
    run(source).check(out=["40 True"])


@pytest.mark.parametrize("count", ["", "0", "-3", "many", "1.5", "999999999999999999999"])
def test_senseless_worker_counts(count: str) -> None:
    """A BOCPY_WORKERS that is no count does not stop a program."""
    source = """
        import bocpy
        from bocpy import Cown, when

        @when(Cown(20))
        def twice(c):
            return 2 * c.value
        print(twice.result(), 1 <= bocpy.WORKER_COUNT)
    """
    ended = run(source, env={"BOCPY_WORKERS": count})
    assert ended.code == 0 and ended.lines == ["40 True"], str(ended)
