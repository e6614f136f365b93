"""Pickling and copying a cown gives another handle to the same cown, in this process only."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys

import pytest
from boc_testing import DEADLINE, caught
from bocpy import Cown, quiesce, start, when

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_is_the_same_cown(protocol: int) -> None:
    cown = Cown([1])
    twin = pickle.loads(pickle.dumps(cown, protocol))
    assert type(twin) is Cown
    assert twin == cown and hash(twin) == hash(cown)
    with cown as value:
        value.append(2)
    assert twin.result() == [1, 2]


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_is_the_same_cown(duplicate) -> None:
    cown = Cown([1])
    twin = duplicate(cown)
    assert twin == cown
    with cown, twin as value:
        value.append(2)
    assert cown.result() == [1, 2]


def test_inside_containers_and_objects() -> None:
    cown = Cown(1)
    nested = pickle.loads(pickle.dumps({"a": [cown, (cown,)], cown: None}))
    assert nested["a"] == [cown, (cown,)] and cown in nested
    assert copy.deepcopy([cown, [1]]) == [cown, [1]]


def test_a_pickle_can_be_loaded_more_than_once() -> None:
    cown = Cown(1)
    data = pickle.dumps(cown)
    twins = [pickle.loads(data) for _ in range(5)]
    assert set(twins) == {cown}
    del twins
    gc.collect()
    assert pickle.loads(data) == cown
    assert cown.result() == 1


def test_a_pickle_that_is_never_loaded() -> None:
    for _ in range(100):
        pickle.dumps(Cown([1]))
    gc.collect()
    assert Cown(1).result() == 1


def test_a_pickle_that_outlives_its_cown() -> None:
    """Whether the pickle keeps the cown alive or not: it is either the cown or a clear error."""
    data = pickle.dumps(Cown("kept"))
    gc.collect()
    name, text = caught(lambda: pickle.loads(data).result())
    assert (name, text) == ("", "'kept'") or (name == "RuntimeError" and "cown" in text.lower())


def test_pickling_asks_neither_value_nor_turn(two_workers: None) -> None:
    """The cown may be in use, and its value need not be picklable."""
    cown = Cown(1)
    with cown:
        twin = pickle.loads(pickle.dumps(cown))
        assert twin == cown and twin.acquired
        result = when(twin)(lambda cown: cown.value)
    assert result.result() == 1


def test_pickling_in_a_behavior() -> None:
    cown = Cown(1)

    @when(cown)
    def through_bytes(cown):
        return pickle.dumps(cown), pickle.loads(pickle.dumps(cown)) == cown

    data, same = through_bytes.result()
    assert same is True
    assert pickle.loads(data) == cown
    quiesce()


def test_a_result_that_is_still_to_come() -> None:
    start(1)
    cown = Cown(1)
    with cown:
        result = when(cown)(lambda cown: cown.value + 1)
        twin = pickle.loads(pickle.dumps(result))
    assert twin.result() == 2


def test_in_another_process_it_is_an_error() -> None:
    cown = Cown(1)
    program = """
import pickle, sys
try:
    pickle.loads(sys.stdin.buffer.read())
except RuntimeError as error:
    print("RuntimeError", "process" in str(error))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(cown), capture_output=True, timeout=DEADLINE, check=False
    )
    assert (done.returncode, done.stdout.decode().split(), done.stderr) == (0, ["RuntimeError", "True"], b"")
    assert cown.result() == 1


def test_a_pickle_that_was_tampered_with() -> None:
    """No pickle, however wrong, gives a cown that crashes the process."""
    cown = Cown(1)
    function, arguments = cown.__reduce__()[:2]
    for index, part in enumerate(arguments):
        for wrong in (None, "x", -1, 0, 10**30, 12345):
            broken = (*arguments[:index], wrong, *arguments[index + 1 :])
            if wrong != part:
                assert caught(function, *broken)[0] in ("RuntimeError", "TypeError", "ValueError", "OverflowError")
    assert cown.result() == 1
