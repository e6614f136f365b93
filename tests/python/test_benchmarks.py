"""The benchmarks that come as examples: what they count, what they write, and what they refuse. No figure is judged."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from boc_testing import DEADLINE
from bocpy import Cown, notice_seed, notice_write, quiesce, start, wait, when
from bocpy.examples import benchmark, fanout_benchmark
from bocpy.examples._bench_counters import derive, gini, ratio
from bocpy.examples._bench_options import Benchmark, as_arguments, doubling
from bocpy.examples._bench_results import BadResults, git_sha, load, save, summary, table
from bocpy.examples._bench_ring import new_payload, schedule_step, slot_key
from bocpy.examples._bench_sweep import command, print_record

RING = "bocpy.examples.benchmark"
FANOUT = "bocpy.examples.fanout_benchmark"
SMALL = ["--duration=0.05", "--warmup=0.01", "--iters=1", "--ring-size=16", "--payload-rows=2", "--workers=2"]
SMALL_FANOUT = ["--producer-steps=5", "--fanout-width=3", "--producers=2", "--payload-rows=2", "--workers=2"]


def run(module: str, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done


def results_of(module: str, folder: Path, *arguments: str) -> dict[str, Any]:
    output = folder / "new" / "results.json"
    done = run(module, *arguments, f"--output={output}", "--quiet", "--no-table")
    assert (done.stdout, done.stderr) == ("", "")
    return json.loads(output.read_text())


def record_of(module: str, *arguments: str) -> dict[str, Any]:
    lines = run(module, *arguments, "--json-stdout").stdout.splitlines()
    assert lines[0] == "---BOCPY-BENCH-BEGIN---" and lines[2:] == ["---BOCPY-BENCH-END---"]
    return json.loads(lines[1])


# What counts


@pytest.mark.parametrize("counted", [True, False])
def test_only_what_ends_in_the_window_counts(counted: bool) -> None:
    """Two chains on one ring: with a window that is always open, and with one that opens when all is over."""
    start(2)
    for position in range(8):
        notice_seed(slot_key(0, position), Cown(None))
    window = [0, 1 << 62] if counted else [(1 << 62) - 1, 1 << 62]
    states = [Cown([*window, 0]) for _ in range(2)]
    notice_seed("stop", False)
    for state in states:
        schedule_step(state, 0, 0, (8, 2, 1, 0))

    @when(states[0])  # what is queued behind the first step sees that chains go on
    def after_the_first(state):
        notice_write("stop", True)

    counters = quiesce(stats=True)
    executed = sum(worker["executed"] for worker in counters) - 1
    assert executed >= 2
    assert sum(state.result()[2] for state in states) == (executed if counted else 0)


def test_a_payload_is_its_own_square() -> None:
    matrix = new_payload({"null_payload": False, "payload_rows": 5, "payload_cols": 5})
    assert matrix is not None and matrix.allclose(matrix, matrix @ matrix)
    assert new_payload({"null_payload": True}) is None


def test_ring_record() -> None:
    record = record_of(RING, *SMALL, "--emit-scheduler-stats")
    assert set(record) == {
        *("completed_behaviors", "elapsed_s", "throughput", "wall_clock_ns_start", "pinned_dispatches"),
        *("scheduler_stats", "queue_stats", "derived"),
    }
    assert record["elapsed_s"] == 0.05
    assert record["throughput"] == record["completed_behaviors"] / 0.05
    assert record["pinned_dispatches"] is None and record["queue_stats"] is None
    assert [worker["worker_index"] for worker in record["scheduler_stats"]] == [0, 1]
    executed = [worker["executed"] for worker in record["scheduler_stats"]]
    assert record["derived"]["executed_per_worker"] == executed
    assert record["completed_behaviors"] <= sum(executed)


def test_pinned_behaviors_beside_the_ring() -> None:
    spinner = ["--null-payload", "--pinned-spinner", "--pinned-spinner-sleep-s=0"]
    for seconds in (0.05, 1, 20):  # on a busy machine there may be none in a short time
        record = record_of(RING, *SMALL, *spinner, f"--duration={seconds}")
        assert record["scheduler_stats"] is None
        if record["pinned_dispatches"]:
            break
    assert record["pinned_dispatches"] > 0


def test_fanout_counts_all_children() -> None:
    record = record_of(FANOUT, *SMALL_FANOUT)
    assert record["completed_children"] == 5 * 3 * 2
    assert sum(record["derived"]["executed_per_worker"]) == 5 * 3 * 2 + 5 * 2
    assert record["elapsed_s"] > 0 and record["queue_stats"] is None


def test_a_behavior_that_fails_makes_no_record(capsys: pytest.CaptureFixture[str], unraisable: list[str]) -> None:
    def measure(inputs: dict[str, Any]) -> dict[str, Any]:
        @when()
        def fails():
            raise LookupError("lost")

        return {"completed_behaviors": 1, "elapsed_s": 1.0}

    bad = dataclasses.replace(benchmark.BENCHMARK, measure=measure)
    hook = sys.unraisablehook
    with pytest.raises(SystemExit, match=r"1 behaviors failed, the first with LookupError\('lost'\)"):
        print_record(bad, {}, False)
    assert sys.unraisablehook is hook
    assert len(unraisable) == 1 and "LookupError: lost" in unraisable[0]
    assert capsys.readouterr().out == ""


# Sizes and options


def resolved(**changes: Any) -> dict[str, Any]:
    given = {"workers": 4, "duration": 5.0, "warmup": None, "group_size": 2, "stride": 1, "ring_size": 128}
    given |= {"rings": None, "chains_per_ring": None, "payload_rows": 16, "payload_cols": None}
    return benchmark.resolve({**given, **changes})


def test_sizes_that_are_not_given() -> None:
    inputs = resolved()
    assert (inputs["chains_per_ring"], inputs["rings"], inputs["payload_cols"]) == (8, 16, 16)
    assert inputs["warmup"] == 0.5
    assert resolved(duration=20.0)["warmup"] == 1.0
    assert resolved(warmup=0.0)["warmup"] == 0.0
    few = resolved(group_size=16, ring_size=32)
    assert (few["chains_per_ring"], few["rings"]) == (1, 64)
    fanout = {"workers": 9, "producers": None, "fanout_width": None, "payload_rows": 3, "payload_cols": None}
    assert fanout_benchmark.resolve(fanout) == {
        **fanout,
        **{"producers": 2, "fanout_width": 36, "payload_cols": 3},
    }
    assert fanout_benchmark.resolve({**fanout, "workers": 1})["producers"] == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["--group-size=8", "--stride=9"],
            "--ring-size is 128: windows of --group-size 8 with --stride 9 need at least",
        ),
        (["--sweep-axis=group-size", "--sweep-values=2,65"], "--ring-size is 128: windows of --group-size 65"),
        (["--payload-rows=8", "--payload-cols=9"], "only square matrices"),
        (["--workers=0"], "argument --workers: 0: at least 1"),
        (["--iters=-1"], "argument --iters: -1: at least 0"),
        (["--duration=0"], "argument --duration: 0: a time above 0 s"),
        (["--duration=nan"], "argument --duration: nan"),
        (["--warmup=-1"], "argument --warmup: -1"),
        (["--pinned-spinner-sleep-s=inf"], "argument --pinned-spinner-sleep-s: inf"),
        (["--repeats=0"], "argument --repeats: 0: at least 1"),
        (["--sweep-values=1,x"], "'1,x': ints separated by commas"),
        (["--sweep-values="], "'': ints separated by commas"),
        (["--sweep-values=0"], "--sweep-values has 0: workers is at least 1"),
        (["--sweep-axis=none", "--sweep-values=1"], "--sweep-values needs a --sweep-axis other than none"),
        (["--sweep-axis=color"], "argument --sweep-axis: invalid choice: 'color'"),
    ],
)
def test_bad_options(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str], monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        benchmark.main(arguments)
    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as stopped:
        benchmark.main([f"--output={tmp_path / 'file' / 'results.json'}"])
    assert stopped.value.code == 2
    assert "results.json cannot be written: " in capsys.readouterr().err


def test_options_for_a_process_of_its_own() -> None:
    inputs = {"workers": 2, "warmup": 0.5, "null_payload": True, "pinned_spinner": False}
    assert as_arguments(inputs) == ["--workers=2", "--warmup=0.5", "--null-payload"]


def test_doubling() -> None:
    assert [doubling(most) for most in (1, 2, 3, 8, 12)] == [[1], [1, 2], [1, 2, 3], [1, 2, 4, 8], [1, 2, 4, 8, 12]]


# Sweeps


def test_sweep_over_workers(tmp_path: Path) -> None:
    results = results_of(RING, tmp_path, *SMALL, "--sweep-values=2,1", "--repeats=2")
    assert list(results) == ["schema_version", "metadata", "sweep", "points"]
    assert results["schema_version"] == 1
    facts = results["metadata"]
    assert facts["benchmark"] == "benchmark" and facts["interrupted"] is False
    assert facts["started_at"] <= facts["finished_at"]
    assert facts["argv"][: len(SMALL)] == SMALL
    for name in ("hostname", "platform", "cpu_count", "python_version", "python_implementation", "bocpy_version"):
        assert facts[name]
    assert {"physical_cpu_count", "free_threaded", "gil_enabled", "backend", "git_sha"} <= set(facts)
    assert (results["sweep"]["axis"], results["sweep"]["values"]) == ("workers", [2, 1])
    assert results["sweep"]["fixed"]["rings"] is None
    assert [(point["inputs"]["workers"], point["inputs"]["rings"]) for point in results["points"]] == [(2, 32), (1, 16)]
    for point in results["points"]:
        figures = [repeat["throughput"] for repeat in point["repeats"]]
        assert [repeat["repeat_index"] for repeat in point["repeats"]] == [0, 1]
        assert (point["throughput_min"], point["throughput_max"]) == (min(figures), max(figures))
        assert point["throughput_stdev"] is not None and point["error"] is None
    assert os.listdir(tmp_path / "new") == ["results.json"]


@pytest.mark.parametrize(
    ("axis", "names"),
    [("iters", ["iters"]), ("group-size", ["group_size"]), ("payload", ["payload_rows", "payload_cols"])],
)
def test_other_axes(axis: str, names: list[str], tmp_path: Path) -> None:
    small = [argument for argument in SMALL if not argument.startswith("--payload-rows")]
    results = results_of(RING, tmp_path, *small, f"--sweep-axis={axis}", "--sweep-values=1,2")
    assert [[point["inputs"][name] for name in names] for point in results["points"]] == [
        [n] * len(names) for n in (1, 2)
    ]


@pytest.mark.parametrize("axis", ["workers", "fanout-width", "producers", "child-iters", "producer-steps"])
def test_axes_of_fanout(axis: str, tmp_path: Path) -> None:
    results = results_of(FANOUT, tmp_path, *SMALL_FANOUT, f"--sweep-axis={axis}", "--sweep-values=2")
    (point,) = results["points"]
    assert point["inputs"][axis.replace("-", "_")] == 2
    inputs = point["inputs"]
    children = inputs["producers"] * inputs["producer_steps"] * inputs["fanout_width"]
    assert point["repeats"][0]["completed_children"] == children
    assert results["metadata"]["benchmark"] == "fanout"


def test_default_file_progress_and_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    fanout_benchmark.main([*SMALL_FANOUT, "--sweep-axis=none"])
    (output,) = (tmp_path / "results").glob("fanout-*.json")
    told = capsys.readouterr()
    assert told.err.splitlines()[0] == "point 1 of 1"
    assert told.err.splitlines()[-1] == f"results: {output.relative_to(tmp_path)}"
    fanout_benchmark.main(["--print-table", str(output)])
    again = capsys.readouterr()
    assert (again.out, again.err) == (told.out, "")
    assert told.out.splitlines()[0].split() == ["none", "per", "second", "stdev", "runs"]


def other(module: str) -> Benchmark:
    return dataclasses.replace(fanout_benchmark.BENCHMARK, module=module)


def test_a_repeat_that_fails_is_told_and_the_others_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "results.json"
    with pytest.raises(SystemExit) as stopped:
        command(other("bocpy.no_such_module"), __file__, [f"--output={output}", "--sweep-values=1,2", "--repeats=3"])
    assert stopped.value.code == 1
    told = capsys.readouterr()
    assert "  failed: exit code 1: " in told.err
    assert [line.split()[-1] for line in told.out.splitlines()[1:]] == ["failed", "failed"]
    for point in json.loads(output.read_text())["points"]:
        assert "no_such_module" in point["error"]
        assert point["repeats"] == [] and point["throughput_mean"] is None


def test_a_repeat_without_a_record(tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    with pytest.raises(SystemExit) as stopped:
        command(other("this"), __file__, [f"--output={output}", "--quiet", "--sweep-axis=none"])
    assert stopped.value.code == 1
    assert json.loads(output.read_text())["points"][0]["error"].startswith("no record in its output: ")


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    arguments = [*SMALL, "--duration=300", "--sweep-values=1,2", f"--output={output}"]
    running = subprocess.Popen(
        [sys.executable, "-m", RING, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None
    assert running.stderr.readline() == "point 1 of 2: 1\n"
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    limit = time.monotonic() + DEADLINE
    # Until its workers run: the sweep has long got hold of it then.
    while not (child := children.read_text().strip()) or len(os.listdir(f"/proc/{child}/task")) == 1:
        assert time.monotonic() < limit
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=DEADLINE)
    assert running.returncode == 130
    assert err == f"results: {output}\n" and "workers" in out
    results = json.loads(output.read_text())
    assert results["metadata"]["interrupted"] is True and results["metadata"]["finished_at"]
    assert [point["repeats"] for point in results["points"]] == [[]]
    assert not Path(f"/proc/{child}").exists()


# Files and tables


def a_file(axis: str = "workers") -> dict[str, Any]:
    points = [
        {"inputs": {"workers": 1}, "repeats": [{}, {}], **summary([900.0, 1100.0]), "error": None},
        {"inputs": {"workers": 2}, "repeats": [{}], **summary([1500.0]), "error": None},
        {"inputs": {"workers": 4}, "repeats": [], **summary([]), "error": "exit code 1"},
    ]
    return {"schema_version": 1, "metadata": {}, "sweep": {"axis": axis, "values": [1, 2, 4]}, "points": points}


def test_table_of_workers() -> None:
    assert [line.split() for line in table(a_file())[1:]] == [
        ["1", "1,000", "141", "2", "1.00x", "100%"],
        ["2", "1,500", "-", "1", "1.50x", "75%"],
        ["4", "-", "-", "0", "-", "-", "failed"],
    ]


def test_table_of_another_axis() -> None:
    assert table(a_file("iters"))[0].split() == ["iters", "per", "second", "stdev", "runs"]


def test_summary() -> None:
    assert summary([]) == dict.fromkeys(["throughput_mean", "throughput_stdev", "throughput_min", "throughput_max"])
    assert summary([2.0])["throughput_mean"] == 2.0 and summary([2.0])["throughput_min"] is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "cannot be read: No such file"),
        ("{", "holds no JSON"),
        ("[]", "has schema_version None"),
        ('{"schema_version": 2}', "has schema_version 2; this program shows files with 1"),
        ('{"schema_version": 1}', "is no file of results: KeyError: 'sweep'"),
        ('{"schema_version": 1, "sweep": {"axis": "iters", "values": [1]}, "points": [1]}', "is no file of results"),
    ],
)
def test_files_that_hold_no_results(
    text: str | None, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "results.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BadResults, match=complaint):
        load(file)
    with pytest.raises(SystemExit) as stopped:
        benchmark.main(["--print-table", str(file)])
    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_save_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    save(a_file(), output)
    with pytest.raises(TypeError):
        save({"not": {"JSON"}}, output)
    assert load(output) == a_file()
    assert os.listdir(tmp_path) == ["results.json"]


def test_git_sha(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOCPY_BENCH_GIT_SHA", raising=False)
    (tmp_path / "program.py").write_text("")
    assert git_sha(str(tmp_path / "program.py")) is None
    monkeypatch.setenv("BOCPY_BENCH_GIT_SHA", "abc")
    assert git_sha(str(tmp_path / "program.py")) == "abc"


# Ratios


def test_ratios() -> None:
    assert ratio(1, 4) == 0.25 and ratio(1, 0) is None
    assert gini([5, 5, 5]) == pytest.approx(0) and gini([0, 0]) is None
    assert gini([0, 0, 0, 8]) == pytest.approx(0.75)


def test_ratios_of_an_idle_and_a_busy_worker() -> None:
    start(2)

    @when()
    def one():
        return 1

    figures = derive(wait(stats=True))
    assert sum(figures["executed_per_worker"]) == 1
    assert figures["fairness_cv"] == 1 and figures["fairness_gini"] == 0.5
    assert figures["enq_retry_ratio"] is None
    assert one.value == 1
