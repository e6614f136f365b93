"""An evening in two sketches: the shop without cheese and the menu without choice, both at once.

    bocpy-sketches

Shopping and reading the menu have nothing to do with each other, so each is a behavior without cowns and they run side
by side. What they return arrives in their results, and `supper` is scheduled on both of these: it waits for the slower
one. `verdict` is written after it and shares its cowns, so it comes after it. No thread waits for another in between.

The shop and the restaurant report through `logging`, as INFO on standard error, the diner through `print`: what a
behavior prints or logs goes where the main program's output goes.
"""

from __future__ import annotations

import argparse
import logging
import os
import random

from bocpy import Cown, wait, when

HERE = os.path.dirname(os.path.abspath(__file__))


def lines_of(name: str) -> list[str]:
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read().splitlines()


def in_stock(shop: logging.Logger, cheese: str) -> bool:
    """Ask politely. A cheese shop with cheese in it would be another sketch."""
    excuse = random.choice(["sold out", "on order", "eaten by the cat", "only on Mondays", "never heard of it"])
    shop.info("%s? %s.", cheese, excuse)
    return False


def buy_cheese() -> Cown[str | None]:
    @when()
    def cheese():
        shop = logging.getLogger("cheese shop")
        for name in lines_of("sketches_cheeses.txt"):
            if in_stock(shop, name):
                return name
        shop.info("A fine shop, but for one thing. Good day.")
        return None

    return cheese


def order_meal(without: str) -> Cown[str | None]:
    @when()
    def meal():
        restaurant = logging.getLogger("restaurant")
        for dish in lines_of("sketches_menu.txt"):
            restaurant.info("There is: %s.", dish)
            if without not in dish.lower():
                restaurant.info("No %s in that? Very well.", without)
                return dish
            if random.random() < 0.3:
                restaurant.info("(The next table sings about %s.)", without)
        return None

    return meal


def main(argv: list[str] | None = None) -> None:
    argparse.ArgumentParser(prog="bocpy-sketches", description="Cheese and spam, side by side.").parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="[%(name)s] %(message)s")

    cheese = buy_cheese()
    meal = order_meal(without="spam")

    @when(cheese, meal)
    def supper(cheese, meal):
        on_the_plate = [food for food in (cheese.value, meal.value) if food is not None]
        print(f"On the plate: {' and '.join(on_the_plate) or 'nothing at all'}")

    @when(cheese, meal)
    def verdict(cheese, meal):
        if cheese.value is not None:
            print("There was cheese. Who would have thought?")
        elif meal.value is not None:
            print("It was not cheese, though.")
        else:
            print("Home, hungry.")

    wait()


if __name__ == "__main__":
    main()
