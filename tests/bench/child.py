"""Runs one workload in this process and prints what it measured as a line of JSON: what figures.py starts."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import platform
import sys
import sysconfig


def describe():
    """The library and the interpreter under test."""
    import bocpy

    backend = getattr(bocpy, "backend", lambda: "peer")()
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    for distribution in ("bocpy-dual", "bocpy"):
        try:
            version = f"{distribution} {importlib.metadata.version(distribution)}"
            break
        except importlib.metadata.PackageNotFoundError:
            version = "bocpy, not installed as a distribution"
    return {
        "python": platform.python_version() + ("t" if free_threaded else ""),
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "library": version,
        "backend": backend,
    }


def main():
    module, function, arguments = sys.argv[1:]
    if module == "describe":
        measured = describe()
    else:
        measured = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    import bocpy

    bocpy.wait()
    print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    main()
