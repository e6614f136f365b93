"""Messages as the original has them: tags, time limits, `after`, from threads and behaviors, with a runtime or none."""

import threading

from bocpy import TIMEOUT, Cown, drain, receive, send, set_tags, wait, when

set_tags(["numbers", "words"])
send("numbers", 1)
send("numbers", [2, 3])
send("words", {"four": 4})
print(receive("numbers"), receive(["words", "numbers"]), receive("words"))
print(receive("words", 0), receive(["words", "numbers"], 0.01) == (TIMEOUT, None), receive("words", 0, lambda: "after"))


def echo():
    while True:
        _, (sender, text) = receive("echo")
        if text is None:
            return
        send(sender, text.upper())


server = threading.Thread(target=echo)
server.start()
for text in ("spam", "egg"):
    send("echo", ("main", text))
    print(receive("main"))
send("echo", (None, None))
server.join()

total = Cown(0)
for number in range(5):

    @when(total)
    def _(total, number=number):
        total.value += number
        send("totals", total.value)


print(sum(receive("totals")[1] for _ in range(5)))
wait()
send("kept", 1)  # by nobody's start or wait
send("dropped", 2)
drain("dropped")


@when(total)
def last(total):
    return receive("kept"), receive("dropped", 0)


wait()
print(last.value)
