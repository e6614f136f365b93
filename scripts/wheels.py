"""Builds a wheel and an sdist as a user would, in isolation, and checks what they hold and what they link."""

from __future__ import annotations

import hashlib
import re
import subprocess
import zipfile
from pathlib import Path

from interpreters import Interpreter
from workshop import StepFailed, clean_env, run_logged

# The C++ and C runtimes that every Linux with a C++ compiler has; nothing else may be needed to import the package.
_ALLOWED = re.compile(r"(libstdc\+\+|libgcc_s|libc|libm|libpthread|ld-linux[\w-]*)\.so\.\d+")

# One of each kind.
_FOR_EXTENSIONS = {
    "bocpy/include/bocpy/bocpy.h",
    "bocpy/include/boc/native.h",
    "bocpy/lib/libboc_core.a",
    "bocpy/lib/cmake/boc/boc-config.cmake",
}


def build_wheel(interpreter: Interpreter, python: Path, source: Path, into: Path, log: Path, jobs: int) -> Path:
    """`pip wheel` of a folder or an sdist, in an isolated build environment."""
    command = [str(python), "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(into), str(source)]
    env = clean_env({"CMAKE_BUILD_PARALLEL_LEVEL": str(jobs)})
    run_logged(interpreter.command(command), log, env=env, append=True)
    wheels = sorted(into.glob("*.whl"))
    if len(wheels) != 1:
        raise StepFailed(f"pip wheel made {len(wheels)} wheels in {into}, not one")
    return wheels[0]


def check_wheel(interpreter: Interpreter, wheel: Path, scratch: Path) -> None:
    """The tag is the interpreter's own, only the package is inside, and its extension needs only the runtimes."""
    digits = interpreter.soabi.split("-")[1]  # "cpython-313t-x86_64-linux-gnu"
    tag = f"cp{digits.rstrip('t')}-cp{digits}-"
    platform = "-".join(wheel.stem.split("-")[2:]).removeprefix(tag)
    if not platform.startswith(("linux_", "manylinux_", "musllinux_")):
        raise StepFailed(f"{wheel.name} carries the wrong tag: expected {tag}linux_...")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        info = f"{'-'.join(wheel.stem.split('-')[:2])}.dist-info/"
        if stray := [name for name in names if not name.startswith(("bocpy/", info))]:
            raise StepFailed(f"{wheel.name} holds files outside the package bocpy: {', '.join(stray[:10])}")
        extensions = [name for name in names if name.endswith(".so")]
        if not extensions:
            raise StepFailed(f"{wheel.name} holds no extension module")
        for name in extensions:
            if f".{interpreter.soabi}.so" not in name:
                raise StepFailed(f"{wheel.name}: {name} is not named for {interpreter.soabi}")
            _check_links(Path(archive.extract(name, scratch)))
        if missing := sorted(_FOR_EXTENSIONS.difference(names)):
            raise StepFailed(f"{wheel.name} lacks what extension modules are built with: {', '.join(missing)}")


def _check_links(extension: Path) -> None:
    dynamic = subprocess.run(["readelf", "-dW", str(extension)], capture_output=True, text=True, check=True).stdout
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
    if surplus := [name for name in needed if not _ALLOWED.fullmatch(name)]:
        raise StepFailed(f"{extension.name} links {', '.join(surplus)}; only the C++ and C runtimes are allowed")
    if paths := re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", dynamic):
        raise StepFailed(f"{extension.name} carries a library search path of the building machine: {', '.join(paths)}")


def check_sdist(interpreter: Interpreter, python: Path, source: Path, folder: Path, wheel: Path, jobs: int) -> None:
    """The sdist builds, and a wheel built from it holds what the wheel built from the checkout holds."""
    log = folder / "sdist.log"
    run_logged(interpreter.command([str(python), "-m", "pip", "install", "build"]), log, env=clean_env(), attempts=2)
    make = [str(python), "-m", "build", "--sdist", "--outdir", str(folder / "sdist"), str(source)]
    run_logged(interpreter.command(make), log, env=clean_env(), append=True)
    sdist = next((folder / "sdist").glob("*.tar.gz"))
    again = build_wheel(interpreter, python, sdist, folder / "from-sdist", log, jobs)
    ours, theirs = contents(wheel), contents(again)
    if wheel.name != again.name or ours != theirs:
        different = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
        raise StepFailed(f"{sdist.name} builds another wheel than the checkout: {', '.join(different) or again.name}")


def contents(wheel: Path) -> dict[str, str]:
    """A digest for each file, but for the files that hold the build folder's path or other files' digests."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            name: "" if name.endswith((".so", ".a", "/RECORD")) else hashlib.sha256(archive.read(name)).hexdigest()
            for name in archive.namelist()
        }
