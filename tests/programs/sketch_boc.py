"""The concurrent sketch of the original description, with the helpers that it leaves out.

Arguments: `cheese` (one is available), `spam` (every dish has it in it).
"""

import logging
import random
import sys

from bocpy import Cown, wait, when

IN_STOCK = "Stilton" if "cheese" in sys.argv else None
DISHES = ["Spam soup", "Eggs with spam"] + ([] if "spam" in sys.argv else ["Lobster"])


def all_known_cheeses():
    return ["Cheddar", "Gouda", "Stilton"]


def is_available(logger, name):
    logger.info(name)
    return name == IN_STOCK


def cleanup_shop(logger):
    logger.info("the shop is empty")


def menu():
    return list(DISHES)


def vikings(logger):
    logger.info("singing")


def eat(food):
    print(f"eating {food}")


def return_to_library():
    print("back in the library")


logging.basicConfig(level=logging.INFO)


def buy_cheese():
    cheese = Cown(None)

    @when(cheese)
    def _(cheese):
        logger = logging.getLogger("cheese_shop")
        for name in all_known_cheeses():
            if is_available(logger, name):
                cheese.value = name
                return

        cleanup_shop(logger)

    return cheese


def order_meal(exclude: str):
    order = Cown(None)

    @when(order)
    def _(order):
        logger = logging.getLogger("greasy_spoon")
        logger.info("We have...")
        for dish in menu():
            logger.info(dish)
            if exclude.lower() not in dish.lower():
                logger.info(f"That doesn't have much {exclude} in it")
                order.value = dish
                return

            vikings(logger)
            if random.random() < 0.3:
                logger.info("<bloody vikings>")

    return order


cheese = buy_cheese()
meal = order_meal(exclude="spam")


@when(cheese, meal)
def _(cheese, meal):
    if meal.value is not None:
        eat(meal.value)
    elif cheese.value is not None:
        eat(cheese.value)
    else:
        print("<stomach rumbles>")


@when(cheese, meal)
def _(cheese, meal):
    if meal.value is not None:
        print("I really wanted cheese...")
    elif cheese.value is not None:
        print("Cheesy comestibles!")

    return_to_library()


wait()
