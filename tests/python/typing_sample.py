# ruff: noqa
"""A sample for mypy --strict, read by test_typing.py and never run.

`# is: X` at the end of a line states the type that mypy must reveal there, `# error: X` the error code that it must
report there. Every other line must be clean.
"""

from __future__ import annotations

from typing import Any

import bocpy
from bocpy import (
    REMOVED,
    TIMEOUT,
    WORKER_COUNT,
    CancelledError,
    Cown,
    Matrix,
    MatrixView,
    PinnedCown,
    PumpResult,
    TransferError,
    WaitResult,
    backend,
    batch,
    drain,
    hold,
    notice_delete,
    notice_read,
    notice_seed,
    notice_update,
    notice_write,
    noticeboard,
    pump,
    quiesce,
    read,
    receive,
    scope,
    send,
    set_pump_notify,
    set_pump_watchdog,
    set_tags,
    set_wait_pump_poll,
    start,
    wait,
    when,
    whencall,
)

number = Cown(1)
text: Cown[str] = Cown("a")
names: list[Cown[str]] = [text]

reveal_type(number)  # is: Cown[int]
reveal_type(Cown([1, 2]))  # is: Cown[list[int]]

# a cown
with number as held:
    reveal_type(held)  # is: int
    number.value += 1
    number.value = "x"  # error: assignment
    number.exception = False
    number.acquired = True  # error: misc
reveal_type(number.value)  # is: int
reveal_type(number.exception)  # is: bool
reveal_type(number.result())  # is: int
reveal_type(text.result(5.0, take=True))  # is: str
reveal_type(number.unwrap())  # is: int
number.result("soon")  # error: arg-type
number.acquire(timeout=1)
number.release()
reveal_type(sorted([number, Cown(2)]))  # is: list[Cown[int]]
reveal_type({number: 1}[number] + hash(number))  # is: int
reveal_type(number == 1)  # is: bool
number < 1  # error: operator
Cown()  # error: call-arg


# when
@when(number)
def doubled(number: Cown[int]) -> int:
    return number.value * 2


reveal_type(doubled)  # is: Cown[int]
reveal_type(doubled.result())  # is: int


@when(number, read(text), doubled)
def described(number: Cown[int], text: Cown[str], doubled: Cown[int], *, factor: float = 1.5) -> dict[str, float]:
    return {text.value: number.value * doubled.value * factor}


reveal_type(described)  # is: Cown[dict[str, float]]


@when()
def nothing() -> None: ...


reveal_type(nothing)  # is: Cown[None]


@when(names)
def joined(names: list[Cown[str]], glue: str = ", ") -> str:
    return glue.join(name.value for name in names)


reveal_type(joined)  # is: Cown[str]


@when(read(names), number)
def mixed(names: list[Cown[str]], number: Cown[int]) -> bytes:
    return b"x" * number.value


reveal_type(mixed)  # is: Cown[bytes]


@when(number, doubled)
def every(*cowns: Cown[int]) -> int:
    return sum(cown.value for cown in cowns)


reveal_type(every)  # is: Cown[int]


@when(*names)
def three(a: Cown[str], b: Cown[str], c: Cown[str]) -> str:
    return a.value + b.value + c.value


reveal_type(three)  # is: Cown[str]


@when(number, names, read(text))
def group_inside(number: Cown[int], names: list[Cown[str]], text: Cown[str]) -> float:
    return 1.5


reveal_type(group_inside)  # is: Cown[float]


@when(number, number, number, number, number, number, text, names)
def eight(*cowns: Any) -> float:
    return 1.5


reveal_type(eight)  # is: Cown[float]
reveal_type(when(text)(lambda text: len(text.value)))  # is: Cown[int]
reveal_type(whencall(lambda number, by: [by], [number], ["x"]))  # is: Cown[list[Any]]


@when(number)  # error: arg-type
def wrong_value(number: Cown[str]) -> None: ...


@when(number, text)  # error: arg-type
def too_few(number: Cown[int]) -> None: ...


when(1)  # error: call-overload
when({number})  # error: call-overload
read(5)  # error: call-overload

# hold, batch, scope
with hold(number, read(text), timeout=2) as (first, second):
    first.value += 1
with hold(number) as cowns:
    reveal_type(cowns)  # is: tuple[Cown[Any], ...]
with batch():
    pass
with scope() as s:

    @s.when(number)
    def scoped(number: Cown[int]) -> str:
        return str(number.value)

    reveal_type(scoped)  # is: Cown[str]
    s.wait(timeout=1)
    s.cancel()
reveal_type(when(s.done)(lambda done: 1))  # is: Cown[int]
with hold(number, [text], read(names)):
    pass
hold(5)  # error: arg-type

# pinned cowns
pinned = PinnedCown([1])
reveal_type(pinned)  # is: PinnedCown[list[int]]
reveal_type(pinned.value)  # is: list[int]
reveal_type(pinned.result())  # is: list[int]
as_cown: Cown[list[int]] = pinned


@when(pinned, number)
def on_main(pinned: Cown[list[int]], number: Cown[int]) -> int:
    return pinned.value[number.value]


reveal_type(on_main)  # is: Cown[int]
reveal_type(pump())  # is: tuple[int, bool, int, fallback=PumpResult]
pumped: PumpResult = pump(10, 5, True)
reveal_type(pumped.executed)  # is: int
reveal_type(pump(deadline_ms=None, max_behaviors=1).deadline_reached)  # is: bool
pump(1.5)  # error: arg-type
set_pump_watchdog()
set_pump_watchdog(None)
set_pump_watchdog(5, lambda index, message: print(index + 1, message.upper()))
set_pump_watchdog("5")  # error: arg-type
set_wait_pump_poll(20)
set_pump_notify(lambda: None)
set_pump_notify(None)

# the runtime
start()
start(2, ("package.module", None))
start(worker_count="2")  # error: arg-type
reveal_type(wait(1.5))  # is: None
reveal_type(quiesce(stats=True))  # is: list[dict[str, int]]
reveal_type(wait(noticeboard=True))  # is: dict[str, Any]
both = quiesce(timeout=None, stats=True, noticeboard=True)
reveal_type(both.stats[0]["executed"])  # is: int
reveal_type(WORKER_COUNT)  # is: int
reveal_type(backend())  # is: str
reveal_type(bocpy.__version__)  # is: str
errors: tuple[type[Exception], ...] = (TransferError, CancelledError)


# the noticeboard
notice_write("k", [1])
notice_seed("k", value=1)
notice_update("k", lambda n: n + 1, 0)
notice_update("k", fn=lambda n: REMOVED, default="")
notice_update("k", 1)  # error: arg-type
notice_write(1, 1)  # error: arg-type
reveal_type(notice_read("k"))  # is: Any
reveal_type(notice_read("k", default=1))  # is: Any
reveal_type(noticeboard())  # is: types.MappingProxyType[str, Any]
noticeboard()["k"] = 1  # error: index
notice_delete("k")

# messages
send("t", [1])
send(1, 1)  # error: arg-type
reveal_type(receive("t"))  # is: tuple[str, Any]
reveal_type(receive(["t", "u"], 1.5))  # is: tuple[str, Any]
reveal_type(receive(("t",), None, lambda: 1))  # is: tuple[str, Any] | int
reveal_type(receive(tags="t", after=lambda: 1))  # is: tuple[str, Any] | int
receive("t", "1")  # error: call-overload
receive("t", 0, 1)  # error: call-overload
reveal_type(TIMEOUT)  # is: str
drain(["t", "u"])
set_tags([])


def generic(cown: Cown[Any], result: WaitResult) -> Cown[list[Any]]:
    return when(cown)(lambda cown: [cown.value])


class Account(Cown[int]):
    """A cown may be subclassed."""


reveal_type(Account(5).result())  # is: int

# matrices
m = Matrix(2, 3, [1, 2.5, True, 4, 5, 6])
Matrix("2", 3)  # error: arg-type
reveal_type(m + 1)  # is: Matrix
reveal_type([1, 2, 3] - m)  # is: Matrix
reveal_type(m @ m.T)  # is: Matrix
m += m.view[0]
m + "x"  # error: operator
reveal_type(m.sum())  # is: float
reveal_type(m.sum(axis=1))  # is: Matrix
reveal_type(m.argmax())  # is: int
reveal_type(m.argmax(0))  # is: list[int]
reveal_type(m.argmax(0, as_matrix=True))  # is: Matrix
reveal_type(m.topk(2))  # is: tuple[Matrix, list[int]]
reveal_type(m[0, 1])  # is: float
reveal_type(m[[0, 1]])  # is: Matrix
reveal_type(m.view[0])  # is: MatrixView
reveal_type(m.view[0][1:])  # is: MatrixView
reveal_type(Matrix.uniform())  # is: float
reveal_type(Matrix.uniform(0, 1, size=(2, 2)))  # is: Matrix
reveal_type(memoryview(m))  # is: memoryview[int]
reveal_type(Matrix.from_buffer(b"12"))  # is: Matrix
view: MatrixView = m.column_view(0, slice(0, 1), read_only=True)
