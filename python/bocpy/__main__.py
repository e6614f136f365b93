"""``python -m bocpy``: what is installed, what it runs on, and the examples that come with it."""

from __future__ import annotations

import argparse
import ast
import importlib.util
import os
import pkgutil
import platform
import sys

from . import WORKER_COUNT, __version__, backend


def examples() -> list[tuple[str, str]]:
    """Name and first line of the description of each example; none of them is imported."""
    found = importlib.util.find_spec("bocpy.examples")
    names = [m.name for m in pkgutil.iter_modules(found.submodule_search_locations if found else [])]
    return [(name, _first_line(f"bocpy.examples.{name}")) for name in sorted(names) if not name.startswith("_")]


def _first_line(module: str) -> str:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return ""
    with open(spec.origin, encoding="utf-8") as file:
        return (ast.get_docstring(ast.parse(file.read())) or "").partition("\n")[0]


def describe() -> list[str]:
    """The lines to print."""
    gil = "on" if getattr(sys, "_is_gil_enabled", lambda: True)() else "off"
    build = ", free-threaded build" if hasattr(sys, "abiflags") and "t" in sys.abiflags else ""
    lines = [
        f"bocpy {__version__}",
        f"backend      {backend()}{_reason('BOCPY_BACKEND')}",
        f"interpreter  {platform.python_implementation()} {platform.python_version()}{build}",
        f"GIL          {gil}",
        f"workers      {WORKER_COUNT}{_reason('BOCPY_WORKERS')}",
    ]
    if known := examples():
        width = max(len(name) for name, _ in known)
        lines += ["", "examples, each with --help:"]
        lines += [f"  python -m bocpy.examples.{name:{width}}  {line}" for name, line in known]
    return lines


def _reason(variable: str) -> str:
    value = os.environ.get(variable)
    return f" ({variable}={value})" if value else ""


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bocpy", description="Tell what bocpy is and runs on here.")
    parser.parse_args(arguments)
    print("\n".join(describe()))


if __name__ == "__main__":
    main()
