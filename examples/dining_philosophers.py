"""Philosophers share forks around a table, and nobody starves.

    bocpy-dining-philosophers --philosophers 5 --hunger 4

Between each two neighbors lies one fork, and to eat one needs both of one's forks. Written with locks, all can take
their left fork at once and wait for the right one for ever. Here a bite is a behavior on both forks: it begins when it
has them both, and there is nothing to take in the wrong order. After a bite the philosopher asks again by scheduling
the next one, *inside* the behavior, which queues behind the neighbor who is waiting already. That makes it fair.

When all are full, each fork was used twice as often as a philosopher was hungry, for it has two neighbors.
"""

from __future__ import annotations

import argparse
import logging

from bocpy import Cown, quiesce, wait, when

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Fork:
    def __init__(self, number: int) -> None:
        self.number = number
        self.uses = 0

    def use(self) -> None:
        self.uses += 1


def say(text: str) -> None:
    """Print a line in one piece: others talk at the same time, and `print` alone writes the newline separately."""
    print(text + "\n", end="")


def eat(philosopher: int, hunger: int, left: Cown[Fork], right: Cown[Fork]) -> None:
    """Schedule the next bite, and inside it the one after that, until the hunger is gone."""
    if hunger == 0:
        say(f"Philosopher {philosopher} is full")
        return

    @when(left, right)
    def bite(left, right):
        logging.info("philosopher %d holds forks %d and %d", philosopher, left.value.number, right.value.number)
        left.value.use()
        right.value.use()
        say(f"Philosopher {philosopher} has taken a bite")
        eat(philosopher, hunger - 1, left, right)


def at_least(least: int):
    def convert(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"{number} is too few: at least {least}")
        return number

    return convert


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="bocpy-dining-philosophers", description="The dining philosophers, without a deadlock."
    )
    parser.add_argument("-g", "--hunger", type=at_least(0), default=4, help="bites for each (default: %(default)s)")
    parser.add_argument("-p", "--philosophers", type=at_least(1), default=5, help="how many (default: %(default)s)")
    parser.add_argument("-l", "--loglevel", default="WARNING", type=str.upper, choices=LEVELS, help="what to log")
    args = parser.parse_args(argv)
    logging.basicConfig(level=args.loglevel)

    forks = [Cown(Fork(number)) for number in range(args.philosophers)]
    for philosopher in range(args.philosophers):
        # A philosopher who dines alone has one fork in both hands: the same cown twice is fine.
        eat(philosopher, args.hunger, forks[philosopher], forks[(philosopher + 1) % len(forks)])

    quiesce()  # every bite has been taken, those scheduled by other bites too; the workers stay

    @when(forks)  # a list of cowns is one argument
    def _(forks):
        for fork in forks:
            print(f"Fork {fork.value.number} uses: {fork.value.uses}")

    wait()  # and now they go


if __name__ == "__main__":
    main()
