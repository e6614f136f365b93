"""The use of `quiesce()` that the original description names: a search that looks at the best so far after each round.

The behaviors name the module's loop variables: each keeps the value of the moment at which it was scheduled.
"""

from bocpy import Cown, quiesce, wait, when


def distance(candidate):
    return abs(candidate * candidate - 200)


best = Cown(0)

for around in (0, 10, 20):
    for candidate in range(around, around + 10):

        @when(best)
        def _(best):
            if distance(candidate) < distance(best.value):  # noqa: B023  what the program is about
                best.value = candidate  # noqa: B023

    quiesce()
    print(f"best so far: {best.result()}")

wait()
print(f"best of all: {best.value}")
