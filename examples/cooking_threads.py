"""Cook the omelette of cooking_boc.py with threads, locks and events, to see what behaviors spare us.

    bocpy-cooking-threads

What this version has to say, and the other one does not:

* Each thing needs a lock *and* its value, and nothing but discipline ties the two together.
* A step that needs several things must take their locks in one order that all steps agree on, or two cooks that hold
  one thing each wait for the other for ever. `hold_all` sorts them.
* Holding the pan does not mean that the butter has melted: the order of the steps needs an event of its own for each
  thing that a later step waits for. A forgotten one shows now and then, as a raw omelette.
* A cook who waits for an event is a thread that does nothing. Two cooks could both wait while work that neither of
  them was given lies about. So who does what is planned by hand.
* If the second cook drops the bowl (an exception), the first one waits for the eggs for ever.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


class Thing:
    """Something in the kitchen with a lock, to be held by whoever touches the content."""

    made = 0

    def __init__(self, *content: str) -> None:
        self.lock = threading.Lock()
        self.content = list(content)
        Thing.made += 1
        self.rank = Thing.made


@contextmanager
def hold_all(*things: Thing) -> Iterator[None]:
    with ExitStack() as stack:
        for thing in sorted(things, key=lambda thing: thing.rank):
            stack.enter_context(thing.lock)
        yield


def work(text: str) -> None:
    """Do something that takes a while. One write per line: the other cook talks too."""
    time.sleep(random.uniform(0.01, 0.05))
    print(text + "\n", end="")


class Kitchen:
    def __init__(self) -> None:
        self.bowl = Thing("eggs", "milk")
        self.board = Thing("cheese")
        self.toaster = Thing("bread")
        self.pan = Thing()
        self.plate = Thing()
        self.whisked = threading.Event()
        self.grated = threading.Event()
        self.toasted = threading.Event()

    def first_cook(self) -> None:
        """Everything in the pan. Each `wait` below stands for an order that behaviors get from their arguments."""
        with hold_all(self.pan):
            self.pan.content.append("hot butter")
            work("melted the butter")
        self.whisked.wait()
        with hold_all(self.bowl, self.pan):
            self.pan.content += self.bowl.content
            self.bowl.content = []
            work("poured the eggs into the pan")
        self.grated.wait()
        with hold_all(self.board, self.pan):
            self.pan.content += self.board.content
            self.board.content = []
            work("sprinkled the cheese over the eggs")
        with hold_all(self.pan):
            self.pan.content = [f"omelette of {', '.join(self.pan.content)}"]
            work("folded the omelette")
        self.toasted.wait()
        with hold_all(self.pan, self.toaster, self.plate):
            self.plate.content += self.pan.content + self.toaster.content
            self.pan.content, self.toaster.content = [], []
            work("put everything on the plate")

    def second_cook(self) -> None:
        """Everything that is prepared elsewhere, in the order in which the first cook will ask for it."""
        with hold_all(self.bowl):
            self.bowl.content = ["whisked " + " and ".join(self.bowl.content)]
            work("whisked the eggs")
        self.whisked.set()
        with hold_all(self.board):
            self.board.content = ["grated " + thing for thing in self.board.content]
            work("grated the cheese")
        self.grated.set()
        with hold_all(self.toaster):
            self.toaster.content = ["toasted " + thing for thing in self.toaster.content]
            work("toasted the bread")
        self.toasted.set()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="bocpy-cooking-threads", description="An omelette, cooked by threads.")
    parser.parse_args(argv)
    kitchen = Kitchen()
    cooks = [threading.Thread(target=cook) for cook in (kitchen.first_cook, kitchen.second_cook)]
    for cook in cooks:
        cook.start()
    for cook in cooks:
        cook.join()
    with hold_all(kitchen.plate):
        print(f"Dinner is served: {' with '.join(kitchen.plate.content)}")


if __name__ == "__main__":
    main()
