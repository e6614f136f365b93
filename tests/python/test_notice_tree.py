"""The tree behind the noticeboard: many keys, keys of one hash, snapshots that stay as they were."""

from __future__ import annotations

import random
from typing import Any

import pytest
from bocpy import (
    REMOVED,
    notice_delete,
    notice_read,
    notice_update,
    notice_write,
    noticeboard,
    wait,
    when,
)


def test_a_snapshot_that_is_kept() -> None:
    for i in range(1000):
        notice_write(f"k{i}", [i])
    kept = noticeboard()
    for i in range(0, 1000, 2):
        notice_delete(f"k{i}")
        notice_write(f"k{i + 1}", "changed")
    assert len(noticeboard()) == 500
    assert kept == {f"k{i}": [i] for i in range(1000)}
    wait()
    assert noticeboard() == {} and len(kept) == 1000 and kept["k998"] == [998]


def test_ten_thousand_keys() -> None:
    for i in range(10_000):
        notice_write(f"key number {i}", i)
    assert len(noticeboard()) == 10_000 and notice_read("key number 9999") == 9999
    assert when()(lambda: [notice_read(f"key number {i}") for i in (0, 5000, 10_000)]).result() == [0, 5000, None]
    for i in range(0, 10_000, 3):
        notice_delete(f"key number {i}")
    expected = {f"key number {i}": i for i in range(10_000) if i % 3}
    board = wait(noticeboard=True)
    assert board == expected and list(board) == list(expected)


def keys_of_one_hash(count: int) -> list[str]:
    """Keys whose hashes are all the same where std::hash is that of libstdc++ (Murmur's steps can be taken backwards);
    elsewhere they are keys like others."""
    mask, factor = (1 << 64) - 1, 0xC6A4A7935BD1E995
    inverse = pow(factor, -1, 1 << 64)

    def mix(value: int) -> int:
        return value ^ (value >> 47)

    numbers = random.Random(1)
    begin = 0xC70F6907 ^ (16 * factor & mask)
    keys: list[str] = []
    while len(keys) < count:
        first = bytes(numbers.randrange(97, 123) for _ in range(8))
        inner = mix(int.from_bytes(first, "little") * factor & mask) * factor & mask
        wanted = ((begin ^ inner) * factor & mask) ^ 0x0123456789ABCDEF
        second = (mix(wanted * inverse & mask) * inverse & mask).to_bytes(8, "little")
        if second.isascii() and 0 not in second:
            keys.append((first + second).decode())
    return keys


KEYS = {
    "few": [f"k{i}" for i in range(8)],
    "many": [f"k{i}" for i in range(400)],
    "of one hash": keys_of_one_hash(12),
    "long": ["k" * n for n in range(64)],
}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS.keys())
def test_against_a_dict(keys: list[str], seed: int) -> None:
    chance = random.Random(seed)
    model: dict[str, Any] = {}
    kept: list[tuple[Any, dict[str, Any]]] = []
    for step in range(1500):
        key = chance.choice(keys)
        action = chance.random()
        if action < 0.45:
            model[key] = value = chance.choice([step, [step], "text" * 10])
            notice_write(key, value)
        elif action < 0.85:
            model.pop(key, None)
            if action < 0.6:
                notice_update(key, lambda value: REMOVED)
            else:
                notice_delete(key)
        else:
            model[key] = [model.get(key, "default"), step][-1]
            notice_update(key, lambda value, step=step: step, "default")
        if step % 100 == 0:
            kept.append((noticeboard(), dict(model)))
            assert list(noticeboard().items()) == list(model.items())
    assert all(board == then and list(board) == list(then) and len(board) == len(then) for board, then in kept)
    for key in chance.sample(keys, len(keys)):
        notice_delete(key)
    assert len(noticeboard()) == 0 == len(list(noticeboard()))
