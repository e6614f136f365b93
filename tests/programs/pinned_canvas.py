"""The pinned cown of the original description: a render loop that hands out work and writes it back, once per frame.

Around it, the helpers that the description leaves out: a canvas that belongs to the main thread, and the work.
"""

import threading

from bocpy import PinnedCown, pump, start, when


class MyCanvas:
    def __init__(self):
        self.lock = threading.Lock()  # can be neither copied nor carried
        self.owner = threading.get_ident()
        self.drawn = []

    def draw(self, shape):
        assert threading.get_ident() == self.owner
        with self.lock:
            self.drawn.append(shape)


def worker_compute(i):
    @when()
    def _():
        return i * i

    return _


n = 5

start()
canvas = PinnedCown(MyCanvas())  # main-thread-only handle


def update(dt):
    pump()  # drains prior frame's write-back; returns immediately if nothing is queued
    results = [worker_compute(i) for i in range(n)]  # per-item worker @whens

    @when(*results, canvas)  # one pinned behavior per frame
    def _writeback(*args):
        *cells, canvas = args
        for cell in cells:
            canvas.value.draw(cell.value)


while len(canvas.value.drawn) < 3 * n:  # a render loop without a window
    update(1 / 60)
print(canvas.value.drawn[: 3 * n])
