"""Names that were internal to the original bocpy: programs that use them are told what to do."""

from __future__ import annotations

import importlib

import bocpy
import pytest


def test_the_class_of_the_runtime() -> None:
    hint = r"bocpy\.Behaviors was internal .* use start\(\), quiesce\(\) and wait\(\)"
    with pytest.raises(ImportError, match=hint):
        from bocpy import Behaviors  # noqa: F401
    with pytest.raises(ImportError, match=hint):
        _ = bocpy.Behaviors


def test_the_module_of_the_runtime() -> None:
    for _ in range(2):
        with pytest.raises(ImportError, match="import Cown, when, whencall, start and wait from bocpy"):
            importlib.import_module("bocpy.behaviors")


def test_other_names_are_unknown_as_usual() -> None:
    assert not hasattr(bocpy, "behaviours")
    with pytest.raises(ImportError, match="cannot import name 'Behaviour'"):
        from bocpy import Behaviour  # noqa: F401
