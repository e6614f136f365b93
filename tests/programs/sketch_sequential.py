"""The sequential sketch of the original description, with the helpers that it leaves out.

Arguments: `cheese` (one is available), `spam` (every dish has it in it).
"""

import logging
import random
import sys

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


def buy_cheese():
    logger = logging.getLogger("cheese_shop")
    for name in all_known_cheeses():
        if is_available(logger, name):
            return name

    cleanup_shop(logger)
    return None


def order_meal(exclude: str):
    logger = logging.getLogger("greasy_spoon")
    for dish in menu():
        logger.info(dish)
        if exclude.lower() not in dish.lower():
            logger.info(f"That doesn't have much {exclude} in it")
            return dish

        vikings(logger)
        if random.random() < 0.3:
            logger.info("<bloody vikings>")

    return None


logging.basicConfig(level=logging.INFO)

cheese = buy_cheese()
meal = order_meal(exclude="spam")

if meal is not None:
    eat(meal)
elif cheese is not None:
    eat(cheese)

if meal is not None:
    print("I really wanted some cheese...")
elif cheese is not None:
    print("Cheesy comestibles")

return_to_library()
