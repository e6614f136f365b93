"""Move money between two accounts, all of it or nothing, without a lock.

    bocpy-bank                  move 50
    bocpy-bank --amount 500     more than there is: nothing moves

Each account is a value that a cown owns. A transfer needs two of them, so it is a behavior on two cowns: it runs when
it holds both, alone, and whoever looks at the accounts sees them before the transfer or after it, never in between.
A second transfer, from bob to alice, could be scheduled at the same moment by another thread and would not deadlock:
which cown a behavior waits for first is none of the program's business.

Behaviors that share a cown run in the order in which they were scheduled. So the statements printed here come out in
the order of the program, though nothing in it waits before the last line.
"""

from __future__ import annotations

import argparse
import logging

from bocpy import Cown, read, wait, when

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Account:
    """An ordinary class: it knows nothing of concurrency."""

    def __init__(self, owner: str, balance: int) -> None:
        self.owner = owner
        self.balance = balance

    def withdraw(self, amount: int) -> None:
        if amount <= 0:
            raise ValueError(f"cannot move {amount}: an amount is greater than zero")
        if amount > self.balance:
            raise ValueError(f"{self.owner} has {self.balance}, which is less than {amount}")
        self.balance -= amount

    def deposit(self, amount: int) -> None:
        self.balance += amount


def show(title: str, first: Cown[Account], second: Cown[Account]) -> None:
    """Print both balances as they are at one moment. It only looks, so it asks to `read`."""

    @when(read(first), read(second))
    def _(first, second):
        one, two = first.value, second.value
        print(f"{title}: {one.owner} {one.balance}, {two.owner} {two.balance}, together {one.balance + two.balance}")


def transfer(amount: int, source: Cown[Account], target: Cown[Account]) -> Cown[bool]:
    """Schedule the transfer. What comes back is a cown too: the result, once there is one."""

    @when(source, target)
    def moved(source, target):
        logging.info("moving %d from %s to %s", amount, source.value.owner, target.value.owner)
        try:
            source.value.withdraw(amount)
        except ValueError as error:
            logging.warning("%s", error)
            return False
        target.value.deposit(amount)
        return True

    return moved


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="bocpy-bank", description="An atomic transfer between two accounts.")
    parser.add_argument("-a", "--amount", type=int, default=50, help="how much to move (default: %(default)s)")
    parser.add_argument("-l", "--loglevel", default="WARNING", type=str.upper, choices=LEVELS, help="what to log")
    args = parser.parse_args(argv)
    logging.basicConfig(level=args.loglevel)

    alice = Cown(Account("alice", 100))
    bob = Cown(Account("bob", 0))

    show("before", alice, bob)
    moved = transfer(args.amount, alice, bob)

    # The result of one behavior is what another one waits for. `alice` and `bob` are not among its arguments, for it
    # does not touch their values: it only names the cowns, to schedule a behavior that does.
    @when(read(moved))
    def _(moved):
        print("success" if moved.value else "failure")
        show("after", alice, bob)

    wait()


if __name__ == "__main__":
    main()
