"""`x += 1` from many places at once, which the original description says comes out right: by four threads that
schedule, and by behaviors that schedule behaviors."""

import threading

from bocpy import Cown, wait, when

THREADS = 4
EACH = 250

counter = Cown(0)


def count():
    for _ in range(EACH):

        @when(counter)
        def _(counter):
            counter.value += 1

            @when(counter)
            def _(counter):
                counter.value += 1


threads = [threading.Thread(target=count) for _ in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

wait()
print(counter.value, "of", 2 * THREADS * EACH)
