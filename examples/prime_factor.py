"""Split a number into its prime factors, with several lanes that look for a factor and stop when one has found it.

    bocpy-prime-factor 8051
    bocpy-prime-factor --bits 32 --lanes 8

Pollard's rho walks through x*x + c modulo the number, and meets a factor sooner or later; how soon depends on c. So the
lanes try different c. A lane is a chain of behaviors: each takes the next few c, tries them, and schedules the next.

The lanes share no cown. They agree by the noticeboard:

- `notice_update("next", ...)` hands out the c, as one step: no c is tried twice;
- `notice_write("factor", ...)` says that one was found;
- `notice_read("factor")` is how the others learn that there is nothing left to do: a write is seen by all behaviors
  that begin after it.
"""

from __future__ import annotations

import argparse
import logging
import math
import random

from bocpy import notice_delete, notice_read, notice_seed, notice_update, notice_write, quiesce, wait, when

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SMALL_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
LONGEST_WALK = 1 << 20


def is_prime(n: int) -> bool:
    """The test of Miller and Rabin; with these bases it is right below 3 * 10**23, and very likely above."""
    if n < 2 or any(n % p == 0 for p in SMALL_PRIMES):
        return n in SMALL_PRIMES
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in SMALL_PRIMES:
        x = pow(base, odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def random_prime(bits: int) -> int:
    while True:
        n = random.getrandbits(bits) | 1 << (bits - 1) | 1
        if is_prime(n):
            return n


def rho(n: int, c: int) -> int | None:
    """A factor of the odd number n, or None if this walk leads to none."""
    slow = fast = 2
    for _ in range(LONGEST_WALK):
        slow = (slow * slow + c) % n
        fast = (fast * fast + c) % n
        fast = (fast * fast + c) % n
        factor = math.gcd(slow - fast, n)
        if factor > 1:
            return factor if factor < n else None
    return None


def claim(batch: int, candidates: int) -> range:
    """The next candidates that nobody has tried."""
    taken = []

    def take(first: int) -> int:
        taken.append(range(first, min(first + batch, candidates + 1)))
        return taken[0].stop

    notice_update("next", take)
    return taken[0]


def look_for_a_factor(n: int, lane: int, batch: int, candidates: int) -> None:
    """Schedule the next behavior of a lane."""

    @when()
    def attempt():
        if notice_read("factor") is not None:
            logging.info("lane %d stops: another has found a factor of %d", lane, n)
            return
        mine = claim(batch, candidates)
        for c in mine:
            factor = rho(n, c)
            if factor is not None:
                logging.info("lane %d has found %d with candidate %d", lane, factor, c)
                notice_write("factor", factor)
                return
        if mine:
            look_for_a_factor(n, lane, batch, candidates)


def factor_of(n: int, lanes: int, batch: int, candidates: int) -> int | None:
    """A factor of a number that is no prime, or None if no candidate leads to one."""
    for p in SMALL_PRIMES:
        if n % p == 0:
            return p
    notice_seed("next", 1)
    notice_delete("factor")
    for lane in range(lanes):
        look_for_a_factor(n, lane, batch, candidates)
    return quiesce(noticeboard=True).get("factor")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="bocpy-prime-factor", description="Split a number into its prime factors.")
    parser.add_argument("number", nargs="?", type=int, help="the number (default: the product of two random primes)")
    parser.add_argument("-n", "--lanes", type=int, default=4, help="chains of behaviors (default: %(default)s)")
    parser.add_argument("-c", "--candidates", type=int, default=2000, help="how many to try (default: %(default)s)")
    parser.add_argument("-b", "--batch", type=int, default=100, help="how many a behavior tries (default: %(default)s)")
    parser.add_argument("--bits", type=int, default=16, help="length of the random primes (default: %(default)s)")
    parser.add_argument("-l", "--loglevel", default="WARNING", type=str.upper, choices=LEVELS, help="what to log")
    args = parser.parse_args(argv)
    for name in ("lanes", "candidates", "batch"):
        if getattr(args, name) < 1:
            parser.error(f"--{name} is {getattr(args, name)}: at least 1 is needed")
    if args.bits < 2:
        parser.error(f"--bits is {args.bits}: the smallest primes have 2")
    if args.number is not None and args.number < 2:
        parser.error(f"number is {args.number}: only numbers from 2 on have prime factors")
    logging.basicConfig(level=args.loglevel)

    number = args.number if args.number is not None else random_prime(args.bits) * random_prime(args.bits)
    primes: list[int] = []
    parts = [number]
    while parts:
        part = parts.pop()
        factor = None if is_prime(part) else factor_of(part, args.lanes, args.batch, args.candidates)
        if factor is not None:
            parts += [factor, part // factor]
        elif is_prime(part):
            primes.append(part)
        else:
            wait()
            parser.exit(1, f"no factor of {part} found with {args.candidates} candidates: try --candidates\n")
    wait()
    print(f"{number} = {' * '.join(map(str, sorted(primes)))}")


if __name__ == "__main__":
    main()
