"""`wait()` of the original description: with a time limit that runs out, with one that does not, and without one."""

import os

from bocpy import Cown, wait, when

letter = Cown("unread")
reading, writing = os.pipe()


@when(letter)
def _(letter):
    os.read(reading, 1)  # the postman comes when the program writes to the pipe
    letter.value = "read"


try:
    wait(timeout=0.05)
except TimeoutError:
    print("still waiting")

os.write(writing, b"x")
wait(timeout=60)
print(letter.value)


@when(letter)  # the runtime has ended and starts again by itself
def _(letter):
    letter.value += " twice"


wait()
print(letter.value)
wait()  # nothing to wait for
