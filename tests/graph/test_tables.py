"""`tape.table` and `tape.tree`: the costs of operations and modules as text."""

from __future__ import annotations

import io

import pytest

import microgad as torch
from microgad import nn
from microgad.graph import text


def recorded(**level):
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Linear(8, 4), nn.Softmax(1))
    net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), inner)
    with torch.record(params=net, **level) as tape:
        net(torch.ones(2, 3)).square().sum().backward()
    return tape


def rows(table):
    return [line.split() for line in str(table).splitlines()]


def test_a_table_is_sorted_by_each_cost():
    tape = recorded(time=True)
    for sort, cost in [("bytes", lambda op: op.bytes), ("flops", lambda op: op.flops),
                       ("time", lambda op: op.seconds + op.backward_seconds)]:  # fmt: skip
        ordered = sorted(tape, key=cost, reverse=True)
        assert [row[0] for row in tape.table(sort=sort).rows] == [text.title(op) for op in ordered]


def test_groups_by_module_and_operation_sum_their_costs():
    tape = recorded(time=True)
    by_module = {row[0]: row[1:] for row in tape.table(by="module").rows}
    assert list(by_module) == ["0", "1", "2.0", "2.1", "(outside)"]
    assert by_module["2.0"][:3] == ["1", "64 B", str(2 * 2 * 4 * 8 + 8)]
    assert list({row[0]: row for row in tape.table(by="module", depth=1).rows}) == ["0", "1", "2", "(outside)"]
    by_op = {row[0]: row[1:] for row in tape.table(sort="calls", by="op").rows}
    assert by_op["Linear"][0] == "2"
    assert next(iter(by_op)) == "Linear"
    shares = [float(row[-1].removesuffix(" %")) for row in tape.table(by="op").rows]
    assert sum(shares) == pytest.approx(100, abs=0.5)


def test_an_operation_belongs_to_the_module_that_calls_it():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(2, 2)

        def forward(self, x):
            return (self.inner(x) - x).norm()

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Net()

        def forward(self, x):
            return self.net(x)

    with torch.record() as tape:
        Outer()(torch.ones(1, 2))
    assert {row[0] for row in tape.table(by="module").rows} == {"net", "net.inner"}


def test_a_table_fits_its_width():
    tape = recorded()
    for op in tape:
        op.path = "a_module_with_a_very_long_name." * 4 + op.path
    wide, narrow = str(tape.table(width=300)), str(tape.table(width=70))
    assert max(map(len, wide.splitlines())) > 100
    assert max(len(line) for line in narrow.splitlines()[:-1]) <= 70
    assert "a_module_" in narrow
    assert "…" in narrow
    assert narrow.splitlines()[1].endswith(wide.splitlines()[1].split()[-1])


def test_a_table_fits_the_terminal(monkeypatch):
    tape = recorded()
    for op in tape:
        op.path = "m" * 150
    monkeypatch.setenv("COLUMNS", "90")
    assert len(str(tape.table()).splitlines()[1]) <= 90


def test_rows_limits_the_number_of_rows():
    tape = recorded()
    lines = str(tape.table(rows=2)).splitlines()
    assert len(lines) == 1 + 2 + 2
    assert lines[3] == f"... {len(tape) - 2} more ..."
    assert "more" not in str(tape.table(rows=len(tape)))


def test_the_tree_has_modules_with_their_operations_and_totals():
    tape = recorded()
    assert [line.split("  ")[0] for line in str(tape.tree()).splitlines()] == [
        "operation", "0:", "└─ Linear", "1:", "└─ Relu", "2:", "├─ 0:", "│", "└─ 1:", "", *[
            line.split("  ")[0] for line in str(tape.tree()).splitlines()[-3:]
        ],
    ]  # fmt: skip
    kept = {row[0].strip("│├└─ :"): row[2] for row in tape.tree(depth=1).rows}
    assert list(kept)[:3] == ["0", "1", "2"]
    assert kept["2"] == f"{sum(op.bytes for op in tape if op.path.startswith('2'))} B"
    assert "... 3 more ..." in str(tape.tree(rows=len(tape.tree().rows) - 3))


def test_a_module_in_the_tree_has_the_result_that_is_read_outside_of_it():
    net = nn.ModuleDict({"bn": nn.BatchNorm1d(3), "lstm": nn.LSTM(3, 4), "last": nn.BatchNorm1d(4)})
    with torch.record(params=net) as tape:
        net["last"](net["lstm"](net["bn"](torch.randn(2, 3)))[0])
    shown = {row[0].strip("│├└─ :"): row[1] for row in tape.tree().rows}
    assert shown["bn"] == "(2, 3), (3,), (3,)"  # not num_batches_tracked, which is counted last
    assert shown["lstm"] == "(2, 4)"  # not c_n, (1, 4)
    assert shown["last"] == "(2, 4), (4,), (4,)"  # nothing reads it


def test_tables_of_long_chains_need_no_recursion():
    y = torch.ones(2, requires_grad=True)
    for _ in range(3000):
        y = y + 1.0
    tape = y.graph().tape
    assert len(tape.tree(rows=5000).rows) == 3000
    assert tape.table(by="op").rows == [["Add", "3,000", "0 B", "6.0 k"]]


def test_rich_renders_a_table():
    rich = pytest.importorskip("rich.console")
    console = rich.Console(width=80, record=True, file=io.StringIO())
    console.print(recorded().table(by="op"))
    assert "Softmax" in console.export_text()


def test_invalid_arguments_of_table_are_refused():
    tape = recorded()
    with pytest.raises(RuntimeError, match="record it with time=True"):
        tape.table(sort="time")
    with pytest.raises(ValueError, match="sort must be one of bytes, flops, time, calls or None, got 'size'"):
        tape.table(sort="size")
    with pytest.raises(ValueError, match="by must be"):
        tape.table(by="layer")
