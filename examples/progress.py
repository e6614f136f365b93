"""Show on the main thread what workers find: a pinned cown for what must not leave it.

    bocpy-progress                      count the primes below 200,000 in 20 parts
    bocpy-progress --below 1000000      count further
    bocpy-progress --asyncio            the main thread runs an event loop meanwhile

The display stands for whatever belongs to one thread: a window, a GPU context, a library that minds who calls it. It
has a lock in it, so it could be neither copied nor carried to another interpreter. `PinnedCown` keeps it where it was
made, and behaviors that need it run there, while the main thread waits for something or calls `pump()`.

Whatever takes long is done by workers. Each part that is ready schedules one short behavior on the display: the main
thread is only one, so it should get few and small ones.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import threading

from bocpy import Cown, PinnedCown, pump, set_pump_notify, wait, when


class Display:
    """Draws on the thread that has made it and on no other, as many libraries want it."""

    def __init__(self, parts: int) -> None:
        self.thread = threading.current_thread()
        self.drawing = threading.Lock()
        self.parts = parts
        self.shown = 0

    def show(self, found: int) -> None:
        if threading.current_thread() is not self.thread:
            raise RuntimeError("the display is used on another thread")
        with self.drawing:
            self.shown += 1
            print(f"part {self.shown} of {self.parts}: {found} primes so far")


def count_primes(begin: int, end: int) -> int:
    return sum(1 for n in range(max(2, begin), end) if all(n % d for d in range(2, int(n**0.5) + 1)))


def count_part(begin: int, end: int, total: Cown[int], display: PinnedCown[Display]) -> Cown[Cown[None]]:
    """Schedule the counting of one part. Its result is the result of the behavior that shows it."""

    @when()
    def counted():
        found = count_primes(begin, end)

        # `total` comes to the main thread for this behavior and goes back; `display` never left.
        @when(total, display)
        def show(total, display):
            total.value += found
            display.value.show(total.value)

        return show

    return counted


async def until_shown(parts: list[Cown[Cown[None]]]) -> None:
    """The event loop sleeps until there is something to do: a behavior for the main thread wakes it, no timer does."""
    loop = asyncio.get_running_loop()
    set_pump_notify(lambda: loop.call_soon_threadsafe(pump))
    try:
        for part in parts:
            shown = await asyncio.to_thread(part.result)
            await asyncio.to_thread(shown.result)
        print("the event loop has seen them all")
    finally:
        set_pump_notify(None)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="bocpy-progress", description="Workers count primes, the main thread shows it."
    )
    parser.add_argument("-b", "--below", type=int, default=200_000, help="count up to here (default: %(default)s)")
    parser.add_argument("-p", "--parts", type=int, default=20, help="in so many parts (default: %(default)s)")
    parser.add_argument("--asyncio", action="store_true", help="run an event loop on the main thread")
    args = parser.parse_args(argv)
    if args.below < 0:
        parser.error(f"--below is {args.below}: there are no primes below zero")
    if args.parts < 1:
        parser.error(f"--parts is {args.parts}: at least 1")

    display = PinnedCown(Display(args.parts))
    total = Cown(0)
    bounds = [args.below * i // args.parts for i in range(args.parts + 1)]
    parts = [count_part(begin, end, total, display) for begin, end in itertools.pairwise(bounds)]
    if args.asyncio:
        asyncio.run(until_shown(parts))
    wait()  # shows what is not shown yet, then stops the workers
    print(f"{total.value} primes below {args.below}")


if __name__ == "__main__":
    main()
