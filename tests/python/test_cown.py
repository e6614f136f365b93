"""`Cown`: what goes in, what comes out, who may touch it, and how cowns compare."""

from __future__ import annotations

import gc
import operator
import weakref
from unittest import mock

import pytest
from boc_testing import caught, output_of, run_threads
from bocpy import Cown, quiesce, start, wait, when


@pytest.mark.parametrize("arguments", [(), (1, 2)])
def test_a_cown_takes_exactly_one_value(arguments: tuple[int, ...]) -> None:
    with pytest.raises(TypeError):
        Cown(*arguments)


def test_the_type_can_be_subscripted() -> None:
    cown = Cown[int](3)
    assert type(cown) is Cown and cown.result() == 3
    assert "Cown[int]" in repr(Cown[int])


def test_a_cown_can_be_subclassed() -> None:
    class Account(Cown):
        def __init__(self, value: int) -> None:
            self.tag = f"started with {value}"

        def doubled(self) -> Cown[int]:
            return when(self)(lambda cown: 2 * cown.value)

    account = Account(4)
    assert (account.doubled().result(), account.tag, account.result()) == (8, "started with 4", 4)


def test_weak_references() -> None:
    cown = Cown([1])
    weak = weakref.ref(cown)
    assert weak() is cown
    del cown
    gc.collect()
    assert weak() is None


def test_changes_in_place_and_by_assignment_are_seen_by_the_next_behavior() -> None:
    cown = Cown([1])

    @when(cown)
    def grow(cown):
        cown.value.append(2)

    @when(cown)
    def replace(cown):
        cown.value = (*cown.value, 3)

    @when(cown)
    def last(cown):
        return cown.value

    assert last.result() == (1, 2, 3)


def test_the_value_cannot_be_deleted() -> None:
    def delete(cown: Cown[int]) -> None:
        del cown.value

    @when(Cown(1))
    def attempt(cown, delete=delete):
        return caught(delete, cown)[0], cown.value

    assert attempt.result() == ("AttributeError", 1)


# c.value outside a behavior ------------------------------------------------------------------------------------------


def test_value_outside_a_behavior_raises_and_says_how() -> None:
    start()
    cown = Cown(1)
    with pytest.raises(RuntimeError, match=r"with|@when"):
        _ = cown.value
    with pytest.raises(RuntimeError, match=r"with|@when"):
        cown.value = 2
    with pytest.raises(RuntimeError, match=r"with|@when"):
        _ = cown.exception
    with pytest.raises(RuntimeError, match=r"with|@when"):
        cown.exception = True
    assert cown.result() == 1


def test_value_before_anything_ran_raises() -> None:
    program = "from bocpy import Cown\ntry: Cown(1).value\nexcept RuntimeError: print('refused')\n"
    assert output_of(program) == "refused\n"


def test_value_is_legal_from_wait_until_the_next_start() -> None:
    cown = Cown([1])

    @when(cown)
    def grow(cown):
        cown.value.append(2)

    wait()
    assert cown.value == [1, 2]
    assert cown.exception is False
    cown.value.append(3)
    cown.value = [*cown.value, 4]
    assert cown.value == [1, 2, 3, 4]
    start()
    with pytest.raises(RuntimeError):
        _ = cown.value
    assert cown.result() == [1, 2, 3, 4]


def test_after_wait_every_thread_may_use_every_value() -> None:
    cown, fresh = Cown([1]), Cown("fresh")

    @when(cown)
    def grow(cown):
        cown.value.append(2)

    wait()

    def look():
        cown.value = [*cown.value, fresh.value, grow.value]
        return cown.value

    assert run_threads(look) == [[1, 2, "fresh", None]]
    assert cown.value == [1, 2, "fresh", None]

    @when(cown)
    def ends_it(cown):
        return len(cown.value)

    assert "does not hold the cown" in run_threads(lambda: caught(lambda: fresh.value))[0][1]
    assert ends_it.result() == 4


def test_value_is_legal_from_wait_until_the_next_when() -> None:
    cown, other = Cown(1), Cown(2)
    start()
    wait()
    assert (cown.value, other.value) == (1, 2)

    @when(cown)
    def change(cown):
        cown.value += 10

    with pytest.raises(RuntimeError):
        _ = other.value
    assert change.result() is None
    wait()
    assert (cown.value, other.value) == (11, 2)


def test_value_after_wait_is_what_the_next_run_starts_from() -> None:
    cown = Cown([1])
    start()
    wait()
    cown.value.append(2)

    @when(cown)
    def seen(cown):
        return list(cown.value)

    assert seen.result() == [1, 2]


def test_value_after_quiesce_still_raises() -> None:
    cown = Cown(1)
    start()
    quiesce()
    with pytest.raises(RuntimeError):
        _ = cown.value


def test_value_of_a_failed_cown_is_its_exception() -> None:
    @when()
    def boom():
        raise LookupError("gone")

    with boom as value:
        assert type(value) is LookupError
    wait()
    assert boom.exception is True
    assert type(boom.value) is LookupError and boom.value.args == ("gone",)


def test_a_behavior_may_touch_only_what_it_holds() -> None:
    held, other = Cown(1), Cown(2)

    @when(held)
    def attempt(held):
        return caught(lambda: other.value), held.value, held.acquired, other.acquired

    (name, text), value, held_acquired, other_acquired = attempt.result()
    assert name == "RuntimeError" and "@when" in text
    assert (value, held_acquired, other_acquired) == (1, True, False)


def test_what_a_behavior_held_is_closed_to_it_afterwards() -> None:
    """A cown object that outlives its behavior gives no way around the queue."""
    cown, shelf = Cown([1]), Cown(None)

    @when(cown, shelf)
    def keep(cown, shelf):
        shelf.value = cown

    @when(shelf)
    def peek(shelf):
        return caught(lambda: shelf.value.value)[0], shelf.value.acquired

    keep.result()
    assert peek.result() == ("RuntimeError", False)


def test_acquired_tells_whether_this_thread_holds_it() -> None:
    start()
    cown = Cown(1)
    assert cown.acquired is False
    with cown:
        assert cown.acquired is True
        assert run_threads(lambda: cown.acquired) == [False]
    assert cown.acquired is False


def test_acquired_is_read_only() -> None:
    with pytest.raises(AttributeError):
        Cown(1).acquired = True  # type: ignore[misc]


# the exception flag --------------------------------------------------------------------------------------------------


def test_setting_the_value_clears_the_flag() -> None:
    @when()
    def result():
        raise ValueError("boom")

    @when(result)
    def mend(result):
        before = result.exception
        result.value = 5
        return before, result.exception

    assert mend.result() == (True, False)
    assert result.result() == 5


def test_the_flag_can_be_set_by_hand() -> None:
    cown = Cown(ValueError("by hand"))
    with cown:
        assert cown.exception is False
        cown.exception = 1  # type: ignore[assignment]
        assert cown.exception is True
    with pytest.raises(ValueError, match="by hand"):
        cown.result()
    with cown:
        cown.exception = False
    assert cown.result().args == ("by hand",)


def test_the_flag_on_something_that_cannot_be_raised() -> None:
    cown = Cown(5)
    with cown:
        with pytest.raises(TypeError):
            cown.exception = True
        assert cown.exception is False
        cown.exception = False
    assert cown.result() == 5


def test_an_exception_that_is_returned_is_a_value() -> None:
    @when()
    def result():
        return KeyError("k")

    assert type(result.result()) is KeyError
    with result:
        assert result.exception is False


# comparisons and hash ------------------------------------------------------------------------------------------------


def test_cowns_compare_by_identity_not_by_value() -> None:
    a, b = Cown(1), Cown(1)
    assert a == a and (a != a) is False
    assert a != b and (a == b) is False
    assert a <= a and a >= a and not a < a and not a > a
    assert (a < b) != (b < a)
    assert (a < b) == (b > a) == (a <= b) == (b >= a)


def test_cowns_sort_in_one_stable_order() -> None:
    cowns = [Cown(i) for i in range(20)]
    assert sorted(cowns) == sorted(reversed(cowns))
    assert sorted(cowns)[0] == min(cowns)


def test_cowns_are_keys() -> None:
    a, b = Cown([]), Cown([])
    table = {a: "a", b: "b"}
    assert (table[a], table[b], len({a, a, b})) == ("a", "b", 2)
    assert hash(a) == hash(a)


@pytest.mark.parametrize("other", [1, None, "x", object()])
def test_a_cown_is_never_equal_to_something_else(other: object) -> None:
    cown = Cown(other)
    assert (cown == other) is False and (other == cown) is False
    assert cown != other and other != cown


@pytest.mark.parametrize("compare", [operator.lt, operator.le, operator.gt, operator.ge])
def test_ordering_with_something_else_is_a_type_error(compare: operator.itemgetter) -> None:  # type: ignore[type-arg]
    with pytest.raises(TypeError):
        compare(Cown(1), 1)
    with pytest.raises(TypeError):
        compare(1, Cown(1))


def test_the_other_side_is_asked() -> None:
    assert Cown(1) == mock.ANY
    assert (Cown(1) != mock.ANY) is False


def test_the_argument_of_a_behavior_equals_the_cown_it_was_scheduled_on() -> None:
    cown, other = Cown(1), Cown(1)

    @when(cown)
    def compare(argument):
        return argument == cown, hash(argument) == hash(cown), argument == other, argument in {cown}, argument < cown

    assert compare.result() == (True, True, False, True, False)
