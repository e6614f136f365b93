"""Builds the wheel, then runs the Python tests and the templates on every interpreter, with every backend it can have.

    python scripts/matrix.py                       everything
    python scripts/matrix.py --only 3.13,3.13t     these interpreters
    python scripts/matrix.py --backend threads -k capture

Interpreters that this machine lacks are made and kept in a cache folder outside the checkout (interpreters.py). Logs
lie there too, under work/. The checkout itself is only read.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree.ElementTree import ParseError

import check_free_threaded
import debian
import interpreters
import wheels
from interpreters import Interpreter
from results import Row, closing_line, read_junit, skip_report, table
from workshop import StepFailed, Unavailable, clean_env, copy_checkout, copy_snapshot, run_logged, tail

# The one place that says which backends an interpreter can have.
BACKENDS: dict[str, tuple[str, ...]] = {
    "3.10": ("threads",),
    "3.11": ("threads",),
    "3.12": ("subinterp", "threads"),
    "3.13": ("subinterp", "threads"),
    "3.13t": ("threads", "subinterp"),
    "3.13-debian": ("subinterp", "threads"),
    "3.14": ("subinterp", "threads"),
    "3.15": ("subinterp", "threads"),
    "3.14t": ("threads",),
}
NEEDED_IN_CI = ("3.13t", "3.14")
SDIST_ON = ("3.13", "3.12", "3.11", "3.13-debian", "3.14")  # the first of these that takes part

# Projects of users below templates/, built and tested against the installed wheel, and what they need besides.
TEMPLATES = ("c_extension", "cpp_extension")
TEMPLATE_NEEDS = ("pybind11>=3.1",)

TESTS_DEADLINE = 1500  # seconds for one run of the tests: a hang must not take the other interpreters' results along
NO_TESTS_COLLECTED = 5

_IMPORT_CHECK = """
import sys
import bocpy
assert bocpy.backend() == sys.argv[1], f"backend() says {bocpy.backend()}, BOCPY_BACKEND said {sys.argv[1]}"
assert bocpy.__file__.startswith(sys.prefix), f"bocpy came from {bocpy.__file__}, not from {sys.prefix}"
if sys.argv[2] == "free-threaded":
    assert not sys._is_gil_enabled(), "importing bocpy switched the GIL on"
"""

_printing = threading.Lock()


def say(text: str) -> None:
    with _printing:
        print(text, flush=True)


class Job:
    """One interpreter: its folder, its virtual environment and its rows."""

    def __init__(self, interpreter: Interpreter, options: argparse.Namespace, sdist: bool) -> None:
        self.interpreter = interpreter
        self.options = options
        self.sdist = sdist
        self.folder = interpreters.work_dir() / interpreter.name
        self.python = self.folder / "venv" / "bin" / "python"
        self.rows: list[Row] = []
        self.stage = "preparation"

    def run(self) -> list[Row]:
        """Never raises: whatever goes wrong is a failed row."""
        backends = [b for b in BACKENDS[self.interpreter.name] if self.options.backend in (None, b)]
        if not backends:
            return []
        try:
            self._prepare()
            for backend in backends:
                self._test(backend)
            self._build_templates()
            for backend in backends:
                self._test_templates(backend)
        except StepFailed as failure:
            self._failed(str(failure))
        except Exception:
            self._failed(traceback.format_exc())
        return self.rows

    def _failed(self, text: str) -> None:
        say(f"{self.interpreter.name}: {self.stage} failed: {text}")
        self.rows.append(Row(self.interpreter.name, failed=1, note=f"failed: {self.stage}"))

    def _step(self, name: str, action: Callable[[], None]) -> None:
        self.stage, begun = name, time.monotonic()
        action()
        say(f"{self.interpreter.name}: {name}: done ({time.monotonic() - begun:.0f} s)")

    def _in_place(self, *command: str, log: str, attempts: int = 1) -> None:
        line = self.interpreter.command(command, self.folder)
        run_logged(line, self.folder / log, env=clean_env(), append=True, attempts=attempts)

    def _prepare(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        source = copy_snapshot(self.options.snapshot, self.folder / "src")
        venv = [self.interpreter.python, "-m", "venv", str(self.folder / "venv")]
        self._step("virtual environment", lambda: self._in_place(*venv, log="install.log"))
        self._step("build and check of the wheel", lambda: self._wheel(source))
        wheel = next((self.folder / "dist").glob("*.whl"))
        install = [str(self.python), "-m", "pip", "install", f"{wheel}[test]"]
        self._step("pip install wheel[test]", lambda: self._in_place(*install, log="install.log", attempts=2))
        if self.sdist:
            pristine = copy_snapshot(self.options.snapshot, self.folder / "sdist-src")
            arguments = (self.interpreter, self.python, pristine, self.folder, wheel, self.options.build_jobs)
            self._step("check that the sdist builds the same wheel", lambda: wheels.check_sdist(*arguments))

    def _wheel(self, source: Path) -> None:
        log = self.folder / "wheel.log"
        into = self.folder / "dist"
        wheel = wheels.build_wheel(self.interpreter, self.python, source, into, log, self.options.build_jobs)
        wheels.check_wheel(self.interpreter, wheel, self.folder / "checked")

    def _test(self, backend: str) -> None:
        self.stage = f"import with the backend {backend}"
        env = clean_env({"BOCPY_BACKEND": backend})
        kind = "free-threaded" if self.interpreter.free_threaded else "standard"
        check = [str(self.python), "-W", "error", "-c", _IMPORT_CHECK, backend, kind]
        run_logged(self.interpreter.command(check, self.folder), self.folder / f"import-{backend}.log", env=env)

        self._run_pytest(backend, f"tests-{backend}", self.folder / "src", env)

    def _build_templates(self) -> None:
        """As their users do, but for the isolated build, which would look for bocpy-dual in the registry."""
        tools = ("setuptools>=70.1", *TEMPLATE_NEEDS)
        install = [str(self.python), "-m", "pip", "install", *tools]
        self._step("what the templates need", lambda: self._in_place(*install, log="templates.log", attempts=2))
        for template in TEMPLATES:
            source = copy_snapshot(self.options.snapshot / "templates" / template, self.folder / "templates" / template)
            build = [str(self.python), "-m", "pip", "install", "--no-build-isolation", "--no-deps", str(source)]
            self._step(f"template {template}", lambda build=build: self._in_place(*build, log="templates.log"))

    def _test_templates(self, backend: str) -> None:
        self.stage = f"tests of the templates with the backend {backend}"
        env = clean_env({"BOCPY_BACKEND": backend})
        self._run_pytest(f"{backend}, templates", f"templates-{backend}", self.folder / "templates", env)

    def _run_pytest(self, label: str, name: str, cwd: Path, env: dict[str, str]) -> None:
        row = Row(self.interpreter.name, label)
        junit = self.folder / f"junit-{name}.xml"
        log = self.folder / f"{name}.log"
        command = [str(self.python), "-m", "pytest", "-ra", "-p", "no:cacheprovider", f"--junitxml={junit}"]
        command += ["-k", self.options.k] if self.options.k else []
        begun = time.monotonic()
        status = _run_tests(self.interpreter.command(command, cwd), log, env)
        row.seconds = time.monotonic() - begun
        try:
            read_junit(junit, row)
        except (OSError, ParseError):
            row.failed = 1  # it died before it wrote any results
        if status == NO_TESTS_COLLECTED and self.options.k:
            status = 0
        if status != 0 and not row.failed:
            row.failed = 1
        if status not in (0, 1):
            row.note = _ending(status)
        row.note = row.note or (f"see {log}" if row.failed else self.interpreter.version)
        say(f"{row.interpreter} {label}: {row.passed} passed, {row.failed} failed, {row.skipped} skipped")
        if row.failed:
            say(f"--- {row.interpreter} {label}, the end of {log}:\n{tail(log, 80)}\n---")
        self.rows.append(row)


def _ending(status: int | None) -> str:
    if status is None:
        return f"ended after {TESTS_DEADLINE} s, not done"
    # A shell or env in between would say 128 + the signal's number.
    number = -status if status < 0 else status - 128
    return f"died by {signal.Signals(number).name}" if 0 < number < 32 else f"pytest ended with status {status}"


def _run_tests(command: list[str], log: Path, env: dict[str, str]) -> int | None:
    """pytest's exit status, or None where it had to be ended, with everything in its process group."""
    with open(log, "w") as output:
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            return process.wait(TESTS_DEADLINE)
        except BaseException as stop:  # Ctrl-C too: nothing may be left running
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(stop, subprocess.TimeoutExpired):
                return None
            raise


def find_interpreters(names: list[str], ci: bool) -> tuple[list[Interpreter], list[Row]]:
    """Those that can be had, and a row for each that cannot."""
    found, rows = [], []
    for name in names:
        begun = time.monotonic()
        try:
            interpreter = interpreters.get(name)
        except Unavailable as problem:
            if name == "3.14t":  # has a row of its own, the compile check's
                continue
            say(f"{name}: not to be had: {problem}")
            reason = str(problem).splitlines()[0]
            rows.append(Row(name, failed=int(ci and name in NEEDED_IN_CI), note=f"not to be had: {reason}"))
        else:
            found.append(interpreter)
            say(f"{name}: {interpreter.version}, {interpreter.origin} ({time.monotonic() - begun:.0f} s)")
    return found, rows


def check_without_binary(found: list[Interpreter], options: argparse.Namespace) -> Row:
    """The 3.14t row: compile check and symbols, given that the standard 3.14 could be had and built."""
    by_name = {interpreter.name: interpreter for interpreter in found}
    if "3.14" not in by_name:
        return Row("3.14t", "compile", note="not checked: it needs 3.14, which did not take part")
    begun = time.monotonic()
    try:
        extension = next((interpreters.work_dir() / "3.14" / "checked").rglob("*.so"))
        source = copy_snapshot(options.snapshot, interpreters.work_dir() / "3.14t")
        row = check_free_threaded.check(by_name["3.14"], by_name.get("3.13t"), source, extension, options.jobs)
    except StopIteration:
        row = Row("3.14t", "compile", failed=1, note="not checked: 3.14's wheel was not built")
    except Unavailable as problem:
        row = Row("3.14t", "compile", note=f"not checked: {problem}")
    except (StepFailed, subprocess.CalledProcessError) as failure:
        say(f"3.14t: {failure}")
        row = Row("3.14t", "compile", failed=1, note="failed, see above")
    row.seconds = time.monotonic() - begun
    return row


def parse_options() -> argparse.Namespace:
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="NAME,...", help=f"interpreters, of {', '.join(BACKENDS)}")
    parser.add_argument("--backend", help="run the tests with this backend only")
    parser.add_argument("-k", metavar="EXPRESSION", help="passed on to pytest")
    parser.add_argument("--jobs", type=int, default=min(2, cores), help="interpreters at a time (default %(default)s)")
    parser.add_argument("--list", action="store_true", help="say which interpreters there are, with their backends")
    options = parser.parse_args()
    options.names = options.only.split(",") if options.only else list(BACKENDS)
    if unknown := [name for name in options.names if name not in BACKENDS]:
        parser.error(f"unknown interpreter {', '.join(unknown)}; there are {', '.join(BACKENDS)}")
    options.build_jobs = max(1, cores // max(1, options.jobs))
    return options


def main() -> int:
    options = parse_options()
    ci = os.environ.get("CI", "").lower() in ("1", "true")
    if options.list:
        for name in options.names:
            print(f"{name:12} {', '.join(BACKENDS[name])}")
        return 0
    try:
        debian.install_on_host("binutils", "g++")
    except Unavailable as problem:
        say(f"going on without: {problem}")
    # All interpreters test the same state, however long the run takes.
    options.snapshot = copy_checkout(interpreters.work_dir() / "checkout")
    found, rows = find_interpreters(options.names, ci)
    sdist = next((name for name in SDIST_ON if name in {each.name for each in found}), None)
    jobs = [Job(interpreter, options, interpreter.name == sdist) for interpreter in found]
    with ThreadPoolExecutor(options.jobs) as pool:
        for more in pool.map(Job.run, jobs):
            rows += more
    if "3.14t" in options.names and not any(each.name == "3.14t" for each in found):
        rows.append(check_without_binary(found, options))
    order = list(BACKENDS)
    rows.sort(key=lambda row: order.index(row.interpreter))
    print("", skip_report(rows), table(rows), "", closing_line(rows), sep="\n", flush=True)
    return 1 if any(row.failed for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
