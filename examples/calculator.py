"""A calculator that several clients talk to by messages: no cowns, no behaviors, no locks.

    bocpy-calculator
    bocpy-calculator --num-clients 100 --num-operations 50 --timeout 5

The calculator is the only one that knows the value. It takes requests from its tag one after the other, and answers
each on the tag of the client that has sent it. There may be as many tags as one likes, so every client has its own.

What `after` is for: it says what happens when no message comes in time. The calculator then stops with what it has, and
clients end without an answer.
"""

from __future__ import annotations

import argparse
import operator
import random
import threading
from collections import Counter

from bocpy import receive, send

OPERATIONS = {"add": operator.add, "subtract": operator.sub, "multiply": operator.mul}
REQUESTS = "calculator"


def client(number: int, operations: int, timeout: float) -> None:
    """Send one request after the other, each when the last is answered, then say goodbye."""
    answers = f"client {number}"
    for _ in range(operations):
        name = random.choice(sorted(OPERATIONS))
        send(REQUESTS, (answers, name, random.randint(0, 9)))
        _, answer = receive(answers, timeout)
        if answer is None:  # the calculator, or the time, has ended
            return
    send(REQUESTS, (answers, "goodbye", None))


def calculate(clients: int, timeout: float) -> tuple[int, Counter[str], bool]:
    """Answer until all clients have said goodbye or no request comes in time.

    :returns: the value, how often there was which operation, and whether it has waited in vain.
    """
    value, done = 0, Counter[str]()
    while done["goodbye"] < clients:
        _, (answers, name, operand) = receive(REQUESTS, timeout, lambda: (REQUESTS, (None, "too late", None)))
        done[name] += 1
        if name == "too late":
            break
        if name in OPERATIONS:
            value = OPERATIONS[name](value, operand)
            send(answers, value)
    return value, done, done["too late"] > 0


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="bocpy-calculator", description="Let clients calculate by messages.")
    parser.add_argument("-n", "--num-clients", type=int, default=8, help="threads (default: %(default)s)")
    parser.add_argument("-a", "--num-operations", type=int, default=10, help="of each client (default: %(default)s)")
    parser.add_argument(
        "-t", "--timeout", type=float, default=-1, help="seconds to wait for a message; -1: for ever (the default)"
    )
    args = parser.parse_args(argv)
    for name in ("num_clients", "num_operations"):
        if getattr(args, name) < 0:
            parser.error(f"--{name.replace('_', '-')} is {getattr(args, name)}: at least 0 is needed")

    clients: list[threading.Thread] = []
    try:
        for number in range(args.num_clients):
            clients.append(threading.Thread(target=client, args=(number, args.num_operations, args.timeout)))
            clients[-1].start()
        value, done, too_late = calculate(args.num_clients, args.timeout)
    finally:
        for number in range(len(clients)):  # also after Ctrl-C: nobody waits for an answer for ever
            send(f"client {number}", None)
        for thread in clients:
            if thread.is_alive():
                thread.join()
    if too_late:
        print(f"no request for {args.timeout:g} s, {args.num_clients - done['goodbye']} clients have not said goodbye")
    print(f"{sum(done[name] for name in OPERATIONS)} operations: {', '.join(f'{done[n]} {n}' for n in OPERATIONS)}")
    print(f"final value: {value}")


if __name__ == "__main__":
    main()
