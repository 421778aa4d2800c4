"""torch.profiler and torch.autograd.profiler: recorded events, tables, schedules and exported traces."""

import gzip
import json
import time

import pytest

import microgad as torch
from microgad import nn, state
from microgad.grad_fn.torch_names import operator_name
from microgad.graph.formulas import function_names, loaded
from microgad.profiler import (
    ProfilerAction,
    ProfilerActivity,
    profile,
    record_function,
    schedule,
    tensorboard_trace_handler,
)


def work():
    x = torch.ones(10, 10, requires_grad=True)
    with record_function("mine"):
        (x @ x).relu().sum().backward()


def test_operations_have_pytorchs_names():
    theirs = pytest.importorskip("torch")
    rows = []
    for lib, profiler in ((theirs, theirs.profiler), (torch, torch.profiler)):
        F, x = lib.nn.functional, lib.ones(2, 4, requires_grad=True)
        w, image = lib.ones(3, 4, requires_grad=True), lib.ones(1, 1, 4, 4)
        with profiler.profile() as prof, profiler.record_function("mine"):
            y = F.linear(x, w, lib.ones(3, requires_grad=True)).relu().exp() + F.gelu(x)[:, :3]
            z = F.layer_norm(x, (4,)).mean() + F.conv2d(image, image).sum() + F.log_softmax(x, 1).std()
            loss = F.mse_loss(y, y.detach()) + F.cross_entropy(x, lib.tensor([0, 1])) + lib.cat([x, x]).sum() + z
            loss.backward()
        rows.append({event.key for event in prof.key_averages()})
    ours = {name for name in rows[1] if name.startswith("aten::")}
    assert ours - rows[0] <= {"aten::index", "aten::var"}  # PyTorch has aten::slice instead, and one operation for std
    nodes = {"MseLossBackward0", "AddmmBackward0", "ReluBackward0", "ExpBackward0", "GeluBackward0", "CatBackward0"}
    assert nodes <= rows[1] & rows[0]
    assert {"mine", "aten::linear", "aten::cross_entropy_loss", "aten::conv2d", "aten::layer_norm"} <= rows[1]


def test_an_operation_that_pytorch_does_not_have_has_the_name_of_its_class():
    theirs = pytest.importorskip("torch")
    assert function_names()  # imports all operations
    found = [operator_name(cls) for cls in loaded() if cls.__module__.startswith("microgad.") and cls.inputs]
    known = {name for name in found if name.startswith("aten::")}
    assert [name for name in known if not hasattr(theirs.ops.aten, name.removeprefix("aten::"))] == []
    assert len(known) > 250
    assert {"aten::isnan", "aten::any", "aten::fft_rfft", "GatherAdjoint", "SegmentSum"} <= {*found}


def test_events_nest_and_times_add_up():
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as prof:
        work()
    events = prof.events()
    mine = next(event for event in events if event.name == "mine")
    names = [event.name for event in mine.cpu_children]
    assert names[:3] == ["aten::matmul", "aten::relu", "aten::sum"]
    assert {"SumBackward0", "ReluBackward0", "MmBackward0"} <= set(names)
    assert mine.cpu_time_total >= sum(child.cpu_time_total for child in mine.cpu_children)
    assert all(mine.start <= child.start <= child.end <= mine.end for child in mine.cpu_children)
    top = sum(event.cpu_time_total for event in events if event.cpu_parent is None)
    assert events.self_cpu_time_total == pytest.approx(top)


class Renamed(torch.optim.SGD):
    def step(self, closure=None):
        return super().step(closure)


@pytest.mark.parametrize("kind", [torch.optim.Adam, Renamed])
@pytest.mark.parametrize("workers", [0, 1])
def test_optimizers_and_loaders_are_listed_under_pytorchs_labels(kind, workers):
    net = nn.Linear(3, 2)
    optimizer = kind(net.parameters())
    loader = torch.utils.data.DataLoader(torch.ones(4, 3), 2, num_workers=workers)
    with profile() as prof:
        for x in loader:
            optimizer.zero_grad()
            net(x).sum().backward()
            optimizer.step()
    counts = {event.key: event.count for event in prof.key_averages() if "#" in event.key}
    iterator = "_MultiProcessingDataLoaderIter" if workers else "_SingleProcessDataLoaderIter"
    assert counts == {
        f"enumerate(DataLoader)#{iterator}.__next__": 3,  # the last one finds the end
        f"Optimizer.zero_grad#{kind.__name__}.zero_grad": 2,
        f"Optimizer.step#{kind.__name__}.step": 2,
    }


def test_tables_show_columns_counts_memory_and_flops():
    with profile(record_shapes=True, profile_memory=True, with_flops=True, with_stack=True) as prof:
        work()
        work()
    table = prof.key_averages(group_by_input_shape=True, group_by_stack_n=1).table(sort_by="self_cpu_time_total")
    head = table.splitlines()[1]
    columns = [
        "Name",
        "Self CPU %",
        "CPU time avg",
        "CPU Mem",
        "# of Calls",
        "Input Shapes",
        "Source Location",
        "FLOPs",
    ]
    assert all(column in head for column in columns)
    assert "[[10, 10], [10, 10]]" in table
    assert "Self CPU time total: " in table.splitlines()[-1]
    averages = {event.key: event for event in prof.key_averages()}
    matmul = averages["aten::matmul"]
    assert (matmul.count, matmul.self_cpu_memory_usage, matmul.flops) == (2, 800, 2 * 2 * 10**3)
    assert matmul.cuda_time_total == matmul.self_device_time_total == matmul.device_memory_usage == 0
    assert matmul.cpu_time_str.endswith("us") or matmul.cpu_time_str.endswith("ms")
    assert len(prof.key_averages().table(row_limit=2, header="Mine").splitlines()) == 4 + 2 + 2 + 1
    with pytest.raises(AttributeError, match="nonsense"):
        prof.key_averages().table(sort_by="nonsense")
    with pytest.raises(AttributeError):
        _ = matmul.nonsense


def test_tables_are_sorted_by_the_given_column():
    with profile() as prof:
        with record_function("slow"):
            time.sleep(0.01)
        work()
    averages = prof.key_averages()
    rows = averages.table(sort_by="cpu_time_total").splitlines()[3:-2]
    assert rows[0].split()[0] == "slow"
    assert averages[0].cpu_time_total > 1e4


@pytest.mark.filterwarnings("ignore:Profiler won")
def test_schedules_are_those_of_pytorch():
    torch_profiler = pytest.importorskip("torch.profiler")
    for numbers in [(1, 1, 3, 2, 0, 0), (0, 0, 1, 0, 2, 0), (2, 1, 1, 1, 3, 1), (1, 0, 2, 0, 0, 0)]:
        options = dict(
            zip(("wait", "warmup", "active", "repeat", "skip_first", "skip_first_wait"), numbers, strict=True)
        )
        ours, theirs = schedule(**options), torch_profiler.schedule(**options)
        assert [ours(i).name for i in range(20)] == [theirs(i).name for i in range(20)]
    with pytest.raises(AssertionError):
        schedule(wait=0, warmup=0, active=0)


@pytest.mark.parametrize(("active", "ends"), [(1, [1, 2, 3, 4, 4]), (2, [2, 4, 4])])
def test_cycles_may_follow_each_other_without_a_wait(active, ends):
    steps = []
    cycles = schedule(wait=0, warmup=0, active=active)
    with profile(schedule=cycles, on_trace_ready=lambda prof: steps.append(prof.step_num)) as prof:
        for _ in range(4):
            prof.step()
    assert steps == ends  # the last cycle has begun, and ends with the block


def test_a_schedule_records_its_active_steps(tmp_path):
    cycles = []

    def on_trace_ready(prof):
        cycles.append([event.trace_name for event in prof.events() if event.is_user_annotation])
        assert {e.key: e.count for e in prof.key_averages() if e.is_user_annotation} == {"ProfilerStep*": 2}
        tensorboard_trace_handler(str(tmp_path / "log"), use_gzip=len(cycles) == 2)(prof)

    with profile(schedule=schedule(wait=1, warmup=1, active=2, repeat=2), on_trace_ready=on_trace_ready) as prof:
        for _ in range(10):
            torch.ones(2).exp()
            prof.step()
    assert cycles == [["ProfilerStep#2", "ProfilerStep#3"], ["ProfilerStep#6", "ProfilerStep#7"]]
    assert prof.current_action is ProfilerAction.NONE
    files = sorted(path.suffix for path in (tmp_path / "log").iterdir())
    assert files == [".gz", ".json"]


def test_traces_and_stacks_are_exported(tmp_path):
    with profile(record_shapes=True, with_stack=True) as prof:
        work()
    prof.add_metadata("who", "me")
    prof.export_chrome_trace(str(tmp_path / "trace.json"))
    prof.export_chrome_trace(str(tmp_path / "trace.json.gz"))
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert trace["who"] == "me"
    assert {"ph", "name", "ts", "dur", "pid", "tid", "cat", "args"} <= set(trace["traceEvents"][0])
    assert [event["cat"] for event in trace["traceEvents"][:2]] == ["user_annotation", "cpu_op"]
    with gzip.open(tmp_path / "trace.json.gz", "rt") as file:
        assert len(json.load(file)["traceEvents"]) == len(prof.events())
    prof.export_stacks(str(tmp_path / "stacks.txt"))
    assert "work" in (tmp_path / "stacks.txt").read_text()


def test_events_tell_their_device_time_and_kernels_as_pytorchs_do():
    theirs = pytest.importorskip("torch")
    told = []
    for lib, profiler in ((theirs, theirs.profiler), (torch, torch.profiler)):
        with profiler.profile() as prof, profiler.record_function("mine"):
            lib.ones(2).exp()
        event, average = prof.events()[0], prof.key_averages()[0]
        names = ["use_device", "node_id", "is_async", "is_remote", "is_legacy", "cpu_parent"]
        values = [getattr(each, name) for name in names for each in (event, average)]
        told.append([*values, list(event.kernels), event.device_type.name, average.device_type.name])
        assert event.device_type == lib.autograd.DeviceType.CPU != lib.autograd.DeviceType.CUDA
        span = event.time_range
        assert span.elapsed_us() == span.end - span.start == pytest.approx(event.cpu_time_total)
        assert span.start <= event.cpu_children[-1].time_range.start
    assert told[0] == told[1]


def test_events_of_derivatives_tell_their_gradients_and_which_operation_they_belong_to():
    x = torch.ones(3, 5, requires_grad=True)
    with profile(record_shapes=True, profile_memory=True) as prof:
        x.exp().sum().backward()
    events = {event.name: event for event in prof.events()}
    forward, backward = events["aten::exp"], events["ExpBackward0"]
    assert (forward.input_shapes, backward.input_shapes) == ([[3, 5]], [[3, 5]])
    assert forward.sequence_nr == backward.sequence_nr >= 0
    assert events["aten::sum"].sequence_nr == events["SumBackward0"].sequence_nr != forward.sequence_nr
    assert forward.self_cpu_memory_usage == backward.self_cpu_memory_usage == 60
    with profile() as prof:
        x.exp().sum().backward()
    assert not any(event.input_shapes or event.self_cpu_memory_usage for event in prof.events())


def test_averages_before_the_start_raise_and_nothing_is_recorded_after_the_end():
    prof = profile()
    with pytest.raises(AssertionError, match="nothing is recorded yet"):
        prof.key_averages()
    prof.start()
    torch.ones(2).exp()
    prof.stop()
    torch.ones(2).exp()
    assert [event.name for event in prof.events()] == ["aten::exp"]


def test_the_profiler_of_autograd_records_the_same_events():
    with torch.autograd.profiler.profile(use_cuda=False, profile_memory=True) as prof:
        work()
    assert "matmul" in str(prof)
    assert prof.total_average().count == len(prof.function_events)
    assert prof.key_averages()[0].count == 1
    with torch.autograd.profiler.profile(enabled=False) as prof:
        work()
    assert prof.function_events is None
    with torch.autograd.profiler.emit_nvtx():
        work()


def test_record_function_is_a_decorator_and_does_nothing_without_a_profiler():
    @record_function("f")
    def f():
        return torch.ones(2).exp()

    f()
    with profile() as prof:
        f()
    assert [event.name for event in prof.events()] == ["f", "aten::exp"]


def test_operations_of_modules_are_recorded_after_an_exception():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    with profile() as prof:
        with pytest.raises(RuntimeError):
            model(torch.ones(2, 3))
        model(torch.ones(2, 2))
    assert "aten::dropout" in [event.name for event in prof.events()]
    assert not prof._recorder._running.open


def test_profiling_ends_if_on_trace_ready_raises():
    def fail(prof):
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"), torch.profiler.profile(on_trace_ready=fail):
        torch.ones(2) * 2
    assert state.current().observer is None


def test_programs_ask_for_kineto_by_torchs_names():
    assert torch.autograd.kineto_available is torch.autograd.profiler.kineto_available
    with torch.autograd.profiler.profile(use_kineto=torch.autograd.kineto_available()) as profile:
        _ = torch.ones(2) * 2
    assert "aten::mul" in {event.name for event in profile.function_events}
