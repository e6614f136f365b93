"""The checkpoint of the original description: rounds of a search that put their best on the noticeboard."""

from bocpy import notice_read, notice_seed, notice_update, quiesce, wait, when


def cost(candidate):
    return abs(candidate * candidate - 200)


def better(candidate):
    def choose(best):
        return candidate if best is None or cost(candidate) < cost(best) else best

    return choose


notice_seed("tried", 0)
for around in (0, 10, 20):
    for candidate in range(around, around + 10):

        @when()
        def _(candidate=candidate):
            notice_update("best", better(candidate))
            notice_update("tried", lambda tried: tried + 1)

    snap = quiesce(noticeboard=True)  # dict[str, Any]
    print("best so far:", snap.get("best"))
    # ... schedule the next round of @when calls ...

print(notice_read("tried"), "tried")
print("best of all:", wait(noticeboard=True)["best"])
print("afterwards:", notice_read("best", "nothing"))
