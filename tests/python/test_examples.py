"""Every example in a process of its own, as a module, as a script and as the command that is installed for it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "examples"
SCRIPTS = Path(sysconfig.get_path("scripts"))
DEADLINE = 60
NAMES = sorted(path.stem for path in SOURCES.glob("[a-z]*.py"))


def run(*command: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == code, done.stderr
    return done


def example(name: str, *arguments: str) -> list[str]:
    """The lines that an example prints; it has nothing to say on standard error."""
    done = run(sys.executable, "-m", f"bocpy.examples.{name}", *arguments)
    assert done.stderr == ""
    return done.stdout.splitlines()


def dinner() -> str:
    return "Dinner is served: omelette of hot butter, whisked eggs and milk, grated cheese with toasted bread"


def test_all_examples_are_known_here() -> None:
    assert [
        *("bank", "benchmark", "boids", "calculator", "codestats", "cooking_boc", "cooking_threads"),
        *("dining_philosophers", "fanout_benchmark", "fibonacci", "prime_factor", "primes", "progress", "sketches"),
    ] == NAMES


def test_fanout_benchmark_has_no_script_of_its_own() -> None:
    command = [sys.executable, "-m", "bocpy.examples.fanout_benchmark"]
    assert "usage: python -m bocpy.examples.fanout_benchmark" in run(*command, "--help").stdout
    assert "unrecognized arguments: --no-such-option" in run(*command, "--no-such-option", code=2).stderr


@pytest.mark.parametrize("name", [name for name in NAMES if name != "fanout_benchmark"])
def test_command(name: str) -> None:
    command = "bocpy-" + {"benchmark": "bench"}.get(name, name).replace("_", "-")
    assert f"usage: {command}" in run(str(SCRIPTS / command), "--help").stdout
    done = run(str(SCRIPTS / command), "--no-such-option", code=2)
    assert f"{command}: error: unrecognized arguments: --no-such-option" in done.stderr


# The boids need a display, or ffmpeg: test_boids_video.py runs them as a script.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "boids"])
def test_script(name: str, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("import os\n")
    output = f"--output={tmp_path / 'results.json'}"
    arguments = {
        "benchmark": ["--duration=0.05", "--iters=1", output],
        "codestats": [str(tmp_path)],
        "fanout_benchmark": ["--producer-steps=5", output],
    }
    assert run(sys.executable, str(SOURCES / f"{name}.py"), *arguments.get(name, [])).stdout


@pytest.mark.parametrize(
    ("amount", "verdict", "alice", "bob"),
    [(50, "success", 50, 50), (100, "success", 0, 100), (101, "failure", 100, 0), (-1, "failure", 100, 0)],
)
def test_bank(amount: int, verdict: str, alice: int, bob: int) -> None:
    done = run(sys.executable, "-m", "bocpy.examples.bank", f"--amount={amount}", "-l", "error")
    assert done.stdout.splitlines() == [
        "before: alice 100, bob 0, together 100",
        verdict,
        f"after: alice {alice}, bob {bob}, together 100",
    ]


def test_bank_logs_where_the_main_program_logs() -> None:
    done = run(sys.executable, "-m", "bocpy.examples.bank", "--amount", "101", "--loglevel", "info")
    assert done.stderr.splitlines() == [
        "INFO:root:moving 101 from alice to bob",
        "WARNING:root:alice has 100, which is less than 101",
    ]


@pytest.mark.parametrize(("philosophers", "hunger"), [(5, 4), (1, 3), (2, 1), (40, 5), (3, 0)])
def test_dining_philosophers(philosophers: int, hunger: int) -> None:
    lines = example("dining_philosophers", "-p", str(philosophers), "-g", str(hunger))
    told, forks = lines[:-philosophers], lines[-philosophers:]
    assert forks == [f"Fork {number} uses: {2 * hunger}" for number in range(philosophers)]
    assert Counter(told) == Counter(
        {f"Philosopher {number} has taken a bite": hunger for number in range(philosophers)}
    ) + Counter(f"Philosopher {number} is full" for number in range(philosophers))
    for number in range(philosophers):
        own = [line for line in told if line.startswith(f"Philosopher {number} ")]
        assert own[-1] == f"Philosopher {number} is full"


@pytest.mark.parametrize(("number", "value"), [(0, 0), (1, 1), (10, 55), (18, 2584)])
def test_fibonacci(number: int, value: int) -> None:
    assert example("fibonacci", str(number)) == [f"fib({number}): {value} (expected: {value})"]


def test_fibonacci_of_a_negative_number() -> None:
    done = run(sys.executable, "-m", "bocpy.examples.fibonacci", "--", "-3", code=2)
    assert "n is -3" in done.stderr


@pytest.mark.parametrize(
    ("number", "factors"),
    [(2, "2"), (4, "2 * 2"), (97, "97"), (8051, "83 * 97"), (41**4, "41 * 41 * 41 * 41"), (2**32 + 1, "641 * 6700417")],
)
def test_prime_factor(number: int, factors: str) -> None:
    assert example("prime_factor", str(number), "--lanes", "3", "--batch", "1") == [f"{number} = {factors}"]


def test_prime_factor_of_a_random_number() -> None:
    (line,) = example("prime_factor", "--bits", "20")
    number, factors = line.split(" = ")
    first, second = map(int, factors.split(" * "))
    assert first * second == int(number) and first.bit_length() == second.bit_length() == 20


def test_prime_factor_tells_what_it_does() -> None:
    done = run(sys.executable, "-m", "bocpy.examples.prime_factor", "8051", "-l", "info")
    assert re.search(r"^INFO:root:lane \d has found (83|97) with candidate \d+$", done.stderr, re.MULTILINE)


@pytest.mark.parametrize("option", ["--lanes=0", "--candidates=0", "--batch=-1", "--bits=1", "1"])
def test_prime_factor_with_bad_arguments(option: str) -> None:
    done = run(sys.executable, "-m", "bocpy.examples.prime_factor", option, code=2)
    assert "bocpy-prime-factor: error: " in done.stderr


@pytest.mark.parametrize(("clients", "operations"), [(8, 10), (1, 1), (0, 5), (3, 0), (100, 2)])
def test_calculator(clients: int, operations: int) -> None:
    counts, value = example("calculator", "-n", str(clients), "-a", str(operations))
    total, *each = map(int, re.findall(r"\d+", counts))
    assert re.fullmatch(r"\d+ operations: \d+ add, \d+ subtract, \d+ multiply", counts)
    assert total == sum(each) == clients * operations
    assert re.fullmatch(r"final value: -?\d+", value)


def test_calculator_that_nobody_asks_in_time() -> None:
    """Whatever has come until then, it stops, and so do all clients."""
    first, *_, last = example("calculator", "--num-clients", "50", "--num-operations", "50", "--timeout", "0")
    assert re.fullmatch(r"no request for 0 s, \d+ clients have not said goodbye", first)
    assert last.startswith("final value: ")


@pytest.mark.parametrize(
    "command", [["calculator", "-n", "3", "-a", str(10**9)], ["primes", "-w", "3", "-n", str(10**9)]]
)
def test_ctrl_c_ends_all_threads(command: list[str]) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", f"bocpy.examples.{command[0]}", *command[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    limit = time.monotonic() + DEADLINE
    while len(os.listdir(f"/proc/{running.pid}/task")) < 4:  # until its threads run
        assert time.monotonic() < limit
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=DEADLINE)
    assert (running.returncode, out) == (-signal.SIGINT, "")
    assert err.endswith("KeyboardInterrupt\n") and err.count("Traceback") == 1


@pytest.mark.parametrize(
    ("number", "count"), [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (30, 10), (10000, 1229), (100000, 9592)]
)
@pytest.mark.parametrize("segment", [7, 10000])
def test_primes(number: int, count: int, segment: int) -> None:
    lines = example("primes", "-n", str(number), "-m", str(max(segment, number // 100)), "-w", "3")
    assert lines == [f"Number of primes: {count}"]


@pytest.mark.parametrize(
    ("name", "option"),
    [
        *(("calculator", "--num-clients=-1"), ("calculator", "--num-operations=-1")),
        *(("primes", "--workers=0"), ("primes", "--max-segment=0"), ("primes", "--number=-1")),
    ],
)
def test_messages_with_bad_arguments(name: str, option: str) -> None:
    done = run(sys.executable, "-m", f"bocpy.examples.{name}", option, code=2)
    assert f"bocpy-{name}: error: {option.replace('=', ' is ')}: at least " in done.stderr


@pytest.mark.parametrize("name", ["cooking_boc", "cooking_threads"])
def test_cooking(name: str) -> None:
    lines = example(name)
    assert lines[-1] == dinner()
    at = {line: place for place, line in enumerate(lines)}
    assert len(at) == len(lines) == 9
    for earlier, later in [
        ("whisked the eggs", "poured the eggs into the pan"),
        ("melted the butter", "poured the eggs into the pan"),
        ("poured the eggs into the pan", "sprinkled the cheese over the eggs"),
        ("grated the cheese", "sprinkled the cheese over the eggs"),
        ("sprinkled the cheese over the eggs", "folded the omelette"),
        ("folded the omelette", "put everything on the plate"),
        ("toasted the bread", "put everything on the plate"),
    ]:
        assert at[earlier] < at[later]


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize(("below", "parts", "primes"), [(1000, 5, 168), (0, 3, 0), (100, 1, 25)])
def test_progress(below: int, parts: int, primes: int, loop: bool) -> None:
    lines = example("progress", f"--below={below}", f"--parts={parts}", *(["--asyncio"] if loop else []))
    if loop:
        assert lines.pop(-2) == "the event loop has seen them all"
    *shown, last = lines
    assert last == f"{primes} primes below {below}"
    assert [line.partition(":")[0] for line in shown] == [f"part {i + 1} of {parts}" for i in range(parts)]
    assert shown[-1].endswith(f": {primes} primes so far")


def test_progress_of_no_parts() -> None:
    done = run(sys.executable, "-m", "bocpy.examples.progress", "--parts=0", code=2)
    assert "--parts is 0" in done.stderr


def test_sketches() -> None:
    done = run(sys.executable, "-m", "bocpy.examples.sketches")
    menu = (SOURCES / "sketches_menu.txt").read_text().splitlines()
    dish = next(dish for dish in menu if "spam" not in dish.lower())
    assert done.stdout.splitlines() == [f"On the plate: {dish}", "It was not cheese, though."]
    log = done.stderr.splitlines()
    assert {line.partition("]")[0] for line in log} == {"[cheese shop", "[restaurant"}
    for cheese in (SOURCES / "sketches_cheeses.txt").read_text().splitlines():
        assert sum(bool(re.fullmatch(rf"\[cheese shop\] {cheese}\? .+\.", line)) for line in log) == 1
    assert [line for line in log if line.startswith("[restaurant] There is: ")] == [
        f"[restaurant] There is: {known}." for known in menu[: menu.index(dish) + 1]
    ]
