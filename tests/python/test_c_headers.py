"""The headers that the package brings: alone, in C and C++, without warnings."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import bocpy
import pytest
from extension_building import ROOT, run_compiler

pytestmark = pytest.mark.timeout(400)  # each test compiles

INCLUDE = Path(bocpy.get_include())
C_HEADERS = ["bocpy/bocpy.h", "bocpy/xidata.h", "bocpy/runtime.h"]
CPP_HEADERS = [*C_HEADERS, "bocpy/cown.hpp", "bocpy/when.hpp"]

C, CPP = ("c", "c11", ".c"), ("c++", "c++17", ".cpp")
ALONE = [*((*C, header) for header in C_HEADERS), *((*CPP, header) for header in CPP_HEADERS)]


def check(tmp_path: Path, language: str, standard: str, suffix: str, text: str) -> None:
    source = tmp_path / f"alone{suffix}"
    source.write_text(text, encoding="utf-8")
    done = run_compiler(language, standard, "-Wpedantic", "-fsyntax-only", str(source))
    assert (done.returncode, done.stderr) == (0, "")


def test_where_they_are() -> None:
    assert INCLUDE.is_dir()
    assert {path.name for path in (INCLUDE / "bocpy").iterdir()} == {Path(name).name for name in CPP_HEADERS}
    assert bocpy.get_sources() == []


@pytest.mark.parametrize(("language", "standard", "suffix", "header"), ALONE)
def test_alone_and_twice(tmp_path: Path, language: str, standard: str, suffix: str, header: str) -> None:
    check(tmp_path, language, standard, suffix, f"#include <{header}>\n#include <{header}>\nint only_this;\n")


@pytest.mark.parametrize("kind", [C, CPP], ids=["C", "C++"])
def test_nothing_of_the_core_leaks(tmp_path: Path, kind: tuple[str, str, str]) -> None:
    text = "#include <bocpy/runtime.h>\n#ifdef Py_BUILD_CORE\n#error it leaks\n#endif\nint only_this;\n"
    check(tmp_path, *kind, text)


@pytest.mark.parametrize("kind", [C, CPP], ids=["C", "C++"])
def test_all_that_they_promise_is_there(tmp_path: Path, kind: tuple[str, str, str]) -> None:
    text = """
    #include <bocpy/bocpy.h>
    #if BOCPY_ABI < 1
    #error older than the first
    #endif
    #if defined(BOC_NO_MULTIGIL) != (PY_VERSION_HEX < 0x030C0000)
    #error BOC_NO_MULTIGIL
    #endif
    static atomic_int_least64_t owner;
    static thread_local int own;
    static PyObject *arrive(XIDATA_T *xidata) { return PyLong_FromVoidPtr(xidata->data); }
    static void done(void *data) { (void)data; }
    XIDATA_GETDATA_FUNC(leave) {
      (void)tstate;
      XIDATA_INIT(xidata, PyInterpreterState_Get(), obj, obj, arrive);
      XIDATA_SET_FREE(xidata, done);
      return 0;
    }
    int use(PyTypeObject *type, PyObject *obj);
    int use(PyTypeObject *type, PyObject *obj) {
      int_least64_t expected = bocpy_main_interpid();
      if (!atomic_compare_exchange_strong(&owner, &expected, BOCPY_NO_OWNER)) return (int)atomic_load(&owner);
      atomic_store(&owner, bocpy_interpid());
      atomic_fetch_add(&owner, 1);
      own = 1;
      if (XIDATA_REGISTERCLASS(type, leave) < 0 || !xidata_supported(obj)) return -1;
      XIDATA_T *xidata = XIDATA_NEW();
      if (!xidata || XIDATA_GETXIDATA(obj, xidata) < 0) return -1;
      PyObject *made = XIDATA_NEWOBJECT(xidata);
      XIDATA_FREE(xidata);
      PyObject *error = PyErr_GetRaisedException();
      PyErr_SetRaisedException(error);
      Py_XDECREF(made);
      return 0;
    }
    """
    check(tmp_path, *kind, text)


def test_the_scheduler_itself(tmp_path: Path) -> None:
    """The first program of docs/cpp.md, with the headers and the library that the wheel has."""
    library = INCLUDE.parent / "lib" / "libboc_core.a"
    document = ROOT / "docs" / "cpp.md"
    if not library.exists():
        pytest.skip("this package was not installed from a wheel: it has no libboc_core.a")
    if not document.exists():
        pytest.skip(f"the documents are not beside the tests (looked in {ROOT})")
    program = re.search(r"```cpp\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
    assert program is not None
    source, made = tmp_path / "program.cpp", tmp_path / "program"
    source.write_text(program[1], encoding="utf-8")
    done = run_compiler("c++", "c++20", str(source), str(library), "-pthread", "-o", str(made))
    assert (done.returncode, done.stderr) == (0, "")
    assert subprocess.run([made], capture_output=True, text=True, timeout=60, check=True).stdout == "70 100 2\n"
