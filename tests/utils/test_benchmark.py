"""Timers and tables of torch.utils.benchmark: PyTorch's names and statistics, with times of a fake clock."""

import numpy as np
import pytest

import microgad as torch
from microgad.utils import benchmark
from microgad.utils.benchmark import Compare, Measurement, TaskSpec, Timer


class Clock:
    """A clock that advances by a second with each call."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


def test_a_statement_sees_its_globals_and_torch():
    seen = []
    measured = Timer("seen.append(torch.ones(1).item() + y)", "y = 1", globals={"seen": seen}).timeit(5)
    assert seen[0] == 2.0
    assert len(seen) >= 5
    assert measured.number_per_run == 5
    assert len(measured.times) == 1
    assert measured.mean == measured.median > 0


def test_measurements_by_a_fake_clock():
    timer = Timer("pass", timer=Clock(), label="nothing", sub_label="none", num_threads=2)
    assert timer.timeit(4).times == [0.25]
    blocks = timer.blocked_autorange(min_run_time=3)
    assert blocks.raw_times == [1.0, 1.0, 1.0]
    assert blocks.iqr == 0
    assert not blocks.has_warnings
    assert len(timer.adaptive_autorange(min_run_time=2, max_run_time=50).times) == 6
    text = repr(blocks)
    assert "nothing: none" in text
    assert "Median: 1.00 s" in text
    assert "3 measurements, 1 runs per measurement, 2 threads" in text


def test_statistics_are_those_of_pytorch():
    theirs = pytest.importorskip("torch.utils.benchmark")
    times = [1.0, 5.0, 2.0, 8.0, 3.0]
    mine = Measurement(2, times, TaskSpec("f()", "pass", description="d"))
    other = theirs.Measurement(2, times, theirs.TaskSpec("f()", "pass", description="d"))
    for name in ("times", "median", "mean", "iqr", "has_warnings", "title", "as_row_name", "description", "stmt"):
        assert getattr(mine, name) == getattr(other, name)
    with pytest.raises(AttributeError):
        mine.unheard_of  # noqa: B018


@pytest.mark.parametrize("form", [
    lambda c: None,
    lambda c: c.trim_significant_figures(),
    lambda c: c.colorize(),
    lambda c: c.colorize(rowwise=True),
    lambda c: c.highlight_warnings(),
    lambda c: [c.trim_significant_figures(), c.colorize(), c.highlight_warnings()],
])  # fmt: skip
def test_compare_prints_pytorchs_table(form):
    theirs = pytest.importorskip("torch.utils.benchmark")
    rng = np.random.default_rng(0)
    cases = [
        (label, row, column, threads, 10.0 ** rng.uniform(-6, -3) * (1 + rng.uniform(0, 0.3) * rng.random(8)))
        for label in ("sum", "a longer label")
        for row in ("a", "row")
        for column in ("x", "a longer column", "z")
        for threads in (1, 4)
        if (row, column) != ("row", "x")
    ]
    texts = []
    for lib in (benchmark, theirs):
        results = [
            lib.Measurement(2, times.tolist(), lib.TaskSpec("s", "pass", "", label, row, column, None, threads))
            for label, row, column, threads, times in [*cases, *cases[:3]]
        ]
        compare = lib.Compare(results)
        form(compare)
        texts.append(str(compare))
    assert texts[0] == texts[1]


def test_compare_prints_a_table():
    measurements = [
        Measurement(1, [t], TaskSpec("s", "pass", label="sum", sub_label=row, description=column))
        for row, column, t in (("a", "x", 1e-3), ("a", "y", 2e-3), ("b", "y", 30e-3), ("a", "x", 3e-3))
    ]
    compare = Compare(measurements)
    compare.colorize()
    lines = str(compare).splitlines()
    assert lines[3].split()[:2] == ["a", "|"]
    assert "\033[92m\033[1m2.0\033[0m" in lines[3]
    assert "\033[31m\033[1m30.0\033[0m" in lines[4]
    assert "sum" in lines[0]
    assert lines[-1] == "Times are in milliseconds (ms)."
    with pytest.raises(ValueError, match="Expected an instance"):
        compare.extend_results([1])


def test_unsupported_arguments_are_refused():
    with pytest.raises(NotImplementedError, match="language"):
        Timer("x", language="c++")
    with pytest.raises(NotImplementedError, match="blocked_autorange"):
        Timer("x").autorange()
    with pytest.raises(ValueError, match="global_setup"):
        torch.utils.benchmark.Timer("x", global_setup="#include")
