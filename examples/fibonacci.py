"""Compute a Fibonacci number the slow way, in parallel.

    bocpy-fibonacci 20

`fibonacci` returns at once, with a cown for a number that does not exist yet. Such results are cowns like all others:
the sum of two of them is a behavior that waits for both. So a plain recursive function builds a tree of behaviors, the
workers run it from the leaves up, and nobody ever blocks: the only one to wait is the main program, for the root.

Below `SMALL` a behavior computes its number by itself. A tree down to `fibonacci(1)` would be right too, but an
addition is far less work than scheduling it: give a behavior enough to do.
"""

from __future__ import annotations

import argparse
import logging

from bocpy import Cown, read, wait, when

SMALL = 8
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def recursive(n: int) -> int:
    return n if n < 2 else recursive(n - 1) + recursive(n - 2)


def iterative(n: int) -> int:
    """The quick way, to check the result."""
    this, following = 0, 1
    for _ in range(n):
        this, following = following, this + following
    return this


def fibonacci(n: int) -> Cown[int]:
    if n < SMALL:

        @when()
        def leaf():
            logging.info("computing fib(%d)", n)
            return recursive(n)

        return leaf

    @when(read(fibonacci(n - 1)), read(fibonacci(n - 2)))
    def branch(first, second):
        logging.info("adding up fib(%d)", n)
        return first.value + second.value

    return branch


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="bocpy-fibonacci", description="Fibonacci numbers from a tree of behaviors.")
    parser.add_argument("n", nargs="?", type=int, default=10, help="which number (default: %(default)s)")
    parser.add_argument("-l", "--loglevel", default="WARNING", type=str.upper, choices=LEVELS, help="what to log")
    args = parser.parse_args(argv)
    if args.n < 0:
        parser.error(f"n is {args.n}: the numbers are counted from 0")
    logging.basicConfig(level=args.loglevel)

    value = fibonacci(args.n).result()
    print(f"fib({args.n}): {value} (expected: {iterative(args.n)})")
    wait()


if __name__ == "__main__":
    main()
