"""Transfers between accounts in both directions at once, at the top level of a script: no deadlock, no coin lost."""

from bocpy import Cown, wait, when

accounts = [Cown(100) for _ in range(4)]


def transfer(source, target, amount):
    @when(source, target)
    def moved(source, target):
        if source.value < amount:
            return False
        source.value -= amount
        target.value += amount
        return True

    return moved


moves = [transfer(accounts[step % 4], accounts[(step * 3 + 1) % 4], step * 7 % 60) for step in range(300)]
moves.append(transfer(accounts[0], accounts[1], 10_000))


@when(accounts)
def total(accounts):
    return sum(account.value for account in accounts)


print("total", total.result())
wait()
print("refused", sum(not move.value for move in moves))
