"""Cook an omelette with two cooks and no lock.

    bocpy-cooking-boc           and compare bocpy-cooking-threads, the same dinner with threads

Bowl, board, pan, toaster and plate are cowns. A step of the recipe says which of them it needs; that is all the
planning there is. Steps with nothing in common (whisking, grating, toasting) go on at the same time, if there is a cook
for each. Steps that share something happen in the order in which they are written down: the pan is hot before the eggs
go in, because both steps need the pan and one is written first.

Times are random, so two dinners rarely print the same lines in the same order. The plate is always the same.
"""

from __future__ import annotations

import argparse
import random
import time

from bocpy import Cown, start, wait, when


def work(text: str) -> None:
    """Do something that takes a while. One write per line: the other cook talks too."""
    time.sleep(random.uniform(0.01, 0.05))
    print(text + "\n", end="")


def cook() -> Cown[list[str]]:
    """Write the recipe down; it is being cooked while we write. The plate comes back before anything is on it."""
    bowl: Cown[list[str]] = Cown(["eggs", "milk"])
    board: Cown[list[str]] = Cown(["cheese"])
    toaster: Cown[list[str]] = Cown(["bread"])
    pan: Cown[list[str]] = Cown([])
    plate: Cown[list[str]] = Cown([])

    @when(bowl)
    def _(bowl):
        bowl.value = ["whisked " + " and ".join(bowl.value)]
        work("whisked the eggs")

    @when(board)
    def _(board):
        board.value = ["grated " + thing for thing in board.value]
        work("grated the cheese")

    @when(toaster)
    def _(toaster):
        toaster.value = ["toasted " + thing for thing in toaster.value]
        work("toasted the bread")

    @when(pan)
    def _(pan):
        pan.value.append("hot butter")
        work("melted the butter")

    # Two things at a time: this waits for the whisking and for the butter.
    @when(bowl, pan)
    def _(bowl, pan):
        pan.value += bowl.value
        bowl.value = []
        work("poured the eggs into the pan")

    @when(board, pan)
    def _(board, pan):
        pan.value += board.value
        board.value = []
        work("sprinkled the cheese over the eggs")

    @when(pan)
    def _(pan):
        pan.value = [f"omelette of {', '.join(pan.value)}"]
        work("folded the omelette")

    @when(pan, toaster, plate)
    def _(pan, toaster, plate):
        plate.value += pan.value + toaster.value
        pan.value, toaster.value = [], []
        work("put everything on the plate")

    return plate


def main(argv: list[str] | None = None) -> None:
    argparse.ArgumentParser(prog="bocpy-cooking-boc", description="An omelette, cooked by behaviors.").parse_args(argv)
    start(worker_count=2)

    plate = cook()

    @when(plate)
    def _(plate):
        print(f"Dinner is served: {' with '.join(plate.value)}")

    wait()


if __name__ == "__main__":
    main()
