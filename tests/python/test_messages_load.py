"""Messages under load: many senders and receivers, each message received once, in order; threads come and go."""

from __future__ import annotations

import collections
import random
import threading
from typing import Any

import bocpy
import pytest
from boc_testing import DEADLINE, run_threads
from bocpy import TIMEOUT, drain, receive, scope, send, set_tags, when, whencall

MOST = 2000


pytestmark = pytest.mark.usefixtures("no_messages")


def send_all(sender: int, count: int, tags: list[str]) -> None:
    for i in range(count):
        send(tags[i % len(tags)], (sender, i))


def receive_all(tags: list[str]) -> list[Any]:
    """Until a message says that this is all."""
    got = []
    while True:
        tag, contents = receive(tags, DEADLINE)
        if tag is TIMEOUT or contents is None:
            return got
        got.append((tag, contents))


def check(received: list[list[Any]], senders: int, count: int) -> None:
    """Each once, and each receiver got those of one sender and tag in order."""
    counted = collections.Counter(contents for got in received for _, contents in got)
    assert counted == {(sender, i): 1 for sender in range(senders) for i in range(count)}
    for got in received:
        last: dict[Any, int] = {}
        for tag, (sender, i) in got:
            assert last.get((tag, sender), -1) < i
            last[tag, sender] = i


@pytest.mark.parametrize("tags", [["t"], ["a", "b", "c"]], ids=["one tag", "three tags"])
@pytest.mark.parametrize("receivers", [1, 4])
def test_threads(tags: list[str], receivers: int) -> None:
    senders = 4
    sent = threading.Semaphore(0)

    def sender(number: int) -> None:
        send_all(number, MOST, tags)
        sent.release()

    def finish() -> None:
        for _ in range(senders):
            assert sent.acquire(timeout=DEADLINE)
        for _ in range(receivers):
            send(tags[0], None)

    outcome = run_threads(
        *[lambda: receive_all(tags)] * receivers, *[lambda n=n: sender(n) for n in range(senders)], finish
    )
    check(outcome[:receivers], senders, MOST)


@pytest.mark.parametrize("workers", [2, 4, 8])
def test_behaviors_and_threads(workers: int) -> None:
    """Half of the workers receive, the others send, as threads do."""
    bocpy.start(workers)
    tags = ["a", "b"]
    half = workers // 2
    consumers = [when()(lambda: receive_all(tags)) for _ in range(half)]
    producers = [whencall(send_all, [], [n, 500, tags]) for n in range(half)]
    run_threads(*[lambda n=n: send_all(half + n, 500, tags) for n in range(3)])
    for producer in producers:
        producer.result()
    for _ in consumers:
        send("b", None)
    check([consumer.result() for consumer in consumers], half + 3, 500)


@pytest.mark.parametrize("workers", [2, 4, 8])
def test_requests_and_answers(workers: int) -> None:
    """Servers on all workers but one; each client has a tag of its own for the answer."""
    bocpy.start(workers)

    def serve():
        served = 0
        while (request := receive("request", DEADLINE)[1]) is not None:
            answer, value = request
            send(answer, [value, value])
            served += 1
        return served

    servers = [when()(serve) for _ in range(workers - 1)]

    def client(number: int) -> int:
        for i in range(200):
            tag = f"answer {number} {i}"
            send("request", (tag, i))
            assert receive(tag, DEADLINE) == (tag, [i, i])
        return 200

    behaviors = [whencall(client, [], [100 + n]) for n in range(3)]
    asked = sum(run_threads(*[lambda n=n: client(n) for n in range(4)]))
    asked += sum(b.result() for b in behaviors)
    for _ in servers:
        send("request", None)
    assert sum(server.result() for server in servers) == asked


def test_threads_come_and_go() -> None:
    """Threads that live for one message; receivers whose time is over take none along."""
    received: collections.Counter[int] = collections.Counter()
    lock = threading.Lock()
    total = 100

    def take(seed: int) -> None:
        choice = random.Random(seed)
        tag, contents = receive(["x", "y"], choice.choice([0, 0.0001, 0.001]))
        if tag is not TIMEOUT:
            with lock:
                received[contents[0]] += 1

    def run() -> None:
        for i in range(total):
            taker = threading.Thread(target=take, args=(i,))
            sender = threading.Thread(target=send, args=("xy"[i % 2], [i]))
            taker.start()
            sender.start()
            taker.join(DEADLINE)
            sender.join(DEADLINE)

    run()
    while (left := receive(["x", "y"], 0))[0] is not TIMEOUT:
        received[left[1][0]] += 1
    assert received == {i: 1 for i in range(total)}


def test_time_outs_against_senders() -> None:
    """A message that comes as the time is over is received or stays: never both, never neither."""
    got: list[int] = []
    done = threading.Event()

    def taker() -> list[int]:
        mine = []
        while not done.is_set():
            tag, contents = receive(["x", "y", "z"], 0.00005)
            if tag is not TIMEOUT:
                mine.append(contents)
        return mine

    def sender() -> list[int]:
        for i in range(3 * MOST):
            send("xyz"[i % 3], i)
            if i % 50 == 0:
                receive("nothing", 0.0001)
        done.set()
        return []

    for mine in run_threads(taker, taker, sender):
        got += mine
    while (left := receive(["x", "y", "z"], 0))[0] is not TIMEOUT:
        got.append(left[1])
    assert sorted(got) == list(range(3 * MOST))


def test_draining_beside_senders_and_receivers() -> None:
    done = threading.Event()

    def meddle() -> int:
        while not done.is_set():
            drain(["a", "b"])
            set_tags([])
        return 0

    def sender() -> int:
        for i in range(MOST):
            send("ab"[i % 2], [i])
        return 0

    def taker() -> int:
        seen = -1
        while not done.is_set():
            tag, contents = receive("a", 0.0005)
            if tag is not TIMEOUT:
                assert contents[0] > seen
                seen = contents[0]
        return 0

    def finish() -> int:
        sender()
        done.set()
        return 0

    run_threads(meddle, taker, taker, finish)
    drain(["a", "b"])
    assert receive(["a", "b"], 0) == (TIMEOUT, None)


def test_tags_that_are_used_once() -> None:
    """Each wait on many tags, most of which never get a message."""

    def client(number: int) -> None:
        for i in range(100):
            tags = [f"{number} {i} {n}" for n in range(20)]
            send("ask", tags[i % 20])
            assert receive(tags, DEADLINE) == (tags[i % 20], i)

    def server() -> None:
        counted: collections.Counter[str] = collections.Counter()
        for _ in range(400):
            tag = receive("ask", DEADLINE)[1]
            number = tag.split()[0]
            send(tag, counted[number])
            counted[number] += 1

    run_threads(server, *[lambda n=n: client(n) for n in range(4)])


def test_cancelling_beside_senders() -> None:
    """A wait that is given up takes no message along."""
    bocpy.start(4)
    for _ in range(30):
        with scope() as s:
            for _ in range(3):

                @when()
                def waits():
                    send("ready", 1)
                    send("got", receive(["m", "n"])[1])

            for _ in range(3):
                receive("ready", DEADLINE)
            run_threads(lambda: [send("mn"[i % 2], i) for i in range(3)], s.cancel)
        left = []
        while (message := receive(["m", "n", "got"], 0))[0] is not TIMEOUT:
            left.append(message[1])
        assert sorted(left) == [0, 1, 2]
