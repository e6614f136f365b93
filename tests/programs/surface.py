"""A program in the manner of the original, with its names and only them: captures by defaults, results by `value` after
`wait()` or by `unwrap()`."""

import operator
from functools import partial

import bocpy
from bocpy import (
    REMOVED,
    WORKER_COUNT,
    Cown,
    PinnedCown,
    PumpResult,
    WaitResult,
    get_include,
    get_sources,
    notice_delete,
    notice_read,
    notice_seed,
    notice_update,
    notice_write,
    noticeboard,
    pump,
    quiesce,
    set_pump_watchdog,
    set_wait_pump_poll,
    start,
    wait,
    when,
    whencall,
)

assert isinstance(bocpy.__version__, str) and WORKER_COUNT >= 1
assert wait() is None and wait(stats=True) == [] and wait(noticeboard=True) == {}
assert wait(stats=True, noticeboard=True) == WaitResult([], {})
start(worker_count=2, module=(__name__, __file__))
start()

# Cowns
account, other = Cown(100), Cown([1])
assert account == account and account != other and account != 100 and len({account, other}) == 2
assert sorted([other, account]) == sorted([account, other])
assert not account.acquired
with account as value:
    print("with:", value, account.acquired, account.value)
account.acquire()
account.value += 1
account.release()


@when(account, [other, account], other)
def total(account, group, other, rate=2):
    assert isinstance(group, list) and group[1].value == account.value
    other.value.append(account.value * rate)
    return sum(other.value)


@when(total)
def doubled(total):
    return 2 * total.value


@when()
def failing():
    raise KeyError("lost")


@when(failing)
def seen(failing):
    return failing.exception, repr(failing.value)


def add(target, group, amount):
    target.value += amount + len(group)


empty = whencall(add, [account, []], [10])
quiesce()
print("unwrap:", doubled.unwrap(), doubled.unwrap(), seen.unwrap(), empty.unwrap())
try:
    failing.unwrap()
except KeyError as error:
    print("unwrap raises:", error)


# A cown in a cown, and behaviors that go on by themselves
class Chain:
    """Steps of a chain that carries its cown along."""

    def __init__(self, target, left):
        self.target, self.left = target, left


def step(chain):
    @when(chain, chain.target if isinstance(chain, Chain) else account)
    def _(chain, target):
        target.value += 1
        chain.value.left -= 1
        if chain.value.left:
            step(chain)


step(Cown(Chain(account, 20)))
boxed = Cown([account])


@when(boxed)
def open_box(boxed):
    @when(boxed.value[0])
    def _(inside):
        inside.value += 1000


# Noticeboard
notice_seed("hits", 0)
notice_write("name", {"a": [1]})
notice_write("gone", 1)


@when()
def hit():
    notice_update("hits", partial(operator.add, 1))
    notice_update("new", partial(operator.add, 5), default=10)
    notice_update("gone", lambda value: REMOVED)
    notice_delete("never there")
    return notice_read("hits", None), sorted(noticeboard())


quiesce(10, stats=True)
print("noticeboard:", notice_read("hits"), notice_read("new"), notice_read("gone", "gone"), notice_read("name"))

# Pinned cowns
set_pump_watchdog(warn_ms=60_000, on_starve=print)
set_wait_pump_poll(10)
window = PinnedCown([])
assert window.acquired and window.value == []


@when(window, account)
def show(window, account):
    window.value.append(account.value)


assert isinstance(pump(deadline_ms=50, max_behaviors=1, raise_on_error=True), PumpResult)
stats, snapshot = wait(30, stats=True, noticeboard=True)
print("window:", window.value, "account:", account.value, "keys:", sorted(snapshot), "workers:", len(stats))
set_pump_watchdog(warn_ms=None)
assert noticeboard() == {} and isinstance(get_include(), str) and isinstance(get_sources(), list)
