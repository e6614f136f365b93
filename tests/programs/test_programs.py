"""Programs of the original description, each as a user would start it: a plain script in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DEADLINE = 60


def run(*command: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments, and find no sign of trouble but what the test looks at."""
    done = subprocess.run([sys.executable, *command], input=given, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    return done


def run_quietly(name: str) -> list[str]:
    done = run(str(HERE / name))
    assert done.stderr == ""
    return done.stdout.splitlines()


SUPPERS = {
    ("cheese", "spam"): ["eating Stilton", "Cheesy comestibles", "back in the library"],
    ("cheese",): ["eating Lobster", "I really wanted some cheese...", "back in the library"],
    ("spam",): ["back in the library"],
    (): ["eating Lobster", "I really wanted some cheese...", "back in the library"],
}
CONCURRENT_SUPPERS = {
    ("cheese", "spam"): ["eating Stilton", "Cheesy comestibles!", "back in the library"],
    ("cheese",): ["eating Lobster", "I really wanted cheese...", "back in the library"],
    ("spam",): ["<stomach rumbles>", "back in the library"],
    (): ["eating Lobster", "I really wanted cheese...", "back in the library"],
}


def check_log(log: str, options: tuple[str, ...]) -> None:
    """Both sketches log through the main program's handler, a whole line each."""
    lines = [line for line in log.splitlines() if line != "INFO:greasy_spoon:<bloody vikings>"]
    shop = [line.removeprefix("INFO:cheese_shop:") for line in lines if line.startswith("INFO:cheese_shop:")]
    spoon = [line.removeprefix("INFO:greasy_spoon:") for line in lines if line.startswith("INFO:greasy_spoon:")]
    assert len(shop) + len(spoon) == len(lines)
    assert shop == ["Cheddar", "Gouda", "Stilton"] + ([] if "cheese" in options else ["the shop is empty"])
    assert [line for line in spoon if line != "We have..."] == [
        *("Spam soup", "singing", "Eggs with spam", "singing"),
        *([] if "spam" in options else ["Lobster", "That doesn't have much spam in it"]),
    ]


@pytest.mark.parametrize("options", SUPPERS, ids=" ".join)
def test_sequential_sketch(options: tuple[str, ...]) -> None:
    done = run(str(HERE / "sketch_sequential.py"), *options)
    assert done.stdout.splitlines() == SUPPERS[options]
    check_log(done.stderr, options)


@pytest.mark.parametrize("options", CONCURRENT_SUPPERS, ids=" ".join)
def test_concurrent_sketch(options: tuple[str, ...]) -> None:
    done = run(str(HERE / "sketch_boc.py"), *options)
    assert done.stdout.splitlines() == CONCURRENT_SUPPERS[options]
    check_log(done.stderr, options)


def test_concurrent_sketch_from_standard_input() -> None:
    done = run("-", "cheese", "spam", given=(HERE / "sketch_boc.py").read_text())
    assert done.stdout.splitlines() == CONCURRENT_SUPPERS["cheese", "spam"]


def test_concurrent_sketch_as_a_command() -> None:
    done = run("-c", (HERE / "sketch_boc.py").read_text(), "cheese")
    assert done.stdout.splitlines() == CONCURRENT_SUPPERS["cheese",]


def test_waiting() -> None:
    assert run_quietly("waiting.py") == ["still waiting", "read", "read twice"]


def test_quiesce_between_rounds() -> None:
    assert run_quietly("quiesce_rounds.py") == [
        *("best so far: 9", "best so far: 14", "best so far: 14", "best of all: 14")
    ]


def test_rounds_with_the_noticeboard() -> None:
    assert run_quietly("noticeboard_rounds.py") == [
        *("best so far: 9", "best so far: 14", "best so far: 14"),
        *("30 tried", "best of all: 14", "afterwards: nothing"),
    ]


def test_pinned_canvas() -> None:
    assert run_quietly("pinned_canvas.py") == [repr([0, 1, 4, 9, 16] * 3)]


def test_every_name_of_the_original() -> None:
    assert run_quietly("surface.py") == [
        "with: 100 True 100",
        """unwrap: 406 None (True, "KeyError('lost')") None""",
        "unwrap raises: 'lost'",
        "noticeboard: 1 15 gone {'a': [1]}",
        "window: [1131] account: 1131 keys: ['hits', 'name', 'new'] workers: 2",
    ]


def test_the_benchmark_of_the_original_description(tmp_path: Path) -> None:
    """Its command line, with a shorter time and fewer workers."""
    output = tmp_path / "scaling.json"
    done = run(
        *(str(HERE.parents[1] / "examples" / "benchmark.py"), "--sweep-axis", "workers", "--sweep-values", "1,2"),
        *("--duration", "0.1", "--warmup", "0.05", "--repeats", "2", "--output", str(output)),
    )
    assert len(done.stdout.splitlines()) == 3
    points = json.loads(output.read_text())["points"]
    assert [(point["inputs"]["workers"], len(point["repeats"])) for point in points] == [(1, 2), (2, 2)]


def test_messages() -> None:
    assert run_quietly("messages.py") == [
        "('numbers', 1) ('numbers', [2, 3]) ('words', {'four': 4})",
        "('__timeout__', None) True after",
        "('main', 'SPAM')",
        "('main', 'EGG')",
        "20",
        "(('kept', 1), ('__timeout__', None))",
    ]


def test_counter() -> None:
    assert run_quietly("counter.py") == ["2000 of 2000"]


def test_transfers() -> None:
    assert run_quietly("transfers.py") == ["total 400", f"refused {refused_transfers()}"]


def refused_transfers() -> int:
    """The same transfers one after the other: the script keeps this order where it matters."""
    accounts, refused = [100] * 4, 0
    transfers = [(step % 4, (step * 3 + 1) % 4, step * 7 % 60) for step in range(300)]
    for source, target, amount in [*transfers, (0, 1, 10_000)]:
        if accounts[source] < amount:
            refused += 1
        else:
            accounts[source] -= amount
            accounts[target] += amount
    return refused
