"""Count primes with threads that get their work by messages: no cowns, no behaviors, no locks.

    bocpy-primes
    bocpy-primes -n 5000000 --workers 2 --max-segment 200000

One queue hands out the work: every worker receives from the same tag, and each message goes to one of them, so whoever
is free takes the next segment. The counts come back on another tag, in any order. These are plain threads: they run in
parallel on free-threaded Python only. For an example that uses all cores everywhere see bocpy-codestats.
"""

from __future__ import annotations

import argparse
import math
import threading

from bocpy import drain, receive, send


def sieve(low: int, high: int, base: list[int]) -> int:
    """How many primes there are from `low` up to and without `high`; `base` has all up to the root of the last."""
    candidates = bytearray([1]) * (high - low)
    for prime in base:
        first = max(prime * prime, -(-low // prime) * prime)
        if first < high:
            candidates[first - low :: prime] = bytes(-(-(high - first) // prime))
    return candidates.count(1)


def primes_up_to(limit: int) -> list[int]:
    """The small primes that all segments need."""
    prime = bytearray([1]) * (limit + 1)
    prime[:2] = bytes(min(2, limit + 1))
    for n in range(2, math.isqrt(limit) + 1):
        if prime[n]:
            prime[n * n :: n] = bytes(-(-(limit + 1 - n * n) // n))
    return [n for n in range(limit + 1) if prime[n]]


def work(base: list[int]) -> None:
    """Sieve segments until there are no more."""
    while (segment := receive("segments")[1]) is not None:
        send("counts", sieve(*segment, base))


def count_primes(number: int, workers: int, longest: int) -> int:
    """The primes up to `number`."""
    base = primes_up_to(math.isqrt(number))
    threads = [threading.Thread(target=work, args=(base,)) for _ in range(workers)]
    try:
        for thread in threads:
            thread.start()
        lows = range(2, number + 1, longest)
        for low in lows:
            send("segments", (low, min(low + longest, number + 1)))
        return sum(receive("counts")[1] for _ in lows)
    finally:
        drain("segments")  # after Ctrl-C there are some left
        for _ in threads:
            send("segments", None)
        for thread in threads:
            if thread.is_alive():
                thread.join()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="bocpy-primes", description="Count primes with threads and messages.")
    parser.add_argument("-w", "--workers", type=int, default=8, help="threads (default: %(default)s)")
    parser.add_argument("-m", "--max-segment", type=int, default=10000, help="numbers a message (default: %(default)s)")
    parser.add_argument("-n", "--number", type=int, default=100000, help="the last number (default: %(default)s)")
    args = parser.parse_args(argv)
    for name, least in (("workers", 1), ("max_segment", 1), ("number", 0)):
        if getattr(args, name) < least:
            parser.error(f"--{name.replace('_', '-')} is {getattr(args, name)}: at least {least} is needed")
    print(f"Number of primes: {count_primes(args.number, args.workers, args.max_segment)}")


if __name__ == "__main__":
    main()
