"""What PyTorch has beside its operations: other libraries' memory, places in the graph, functions of few programs."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import microgad  # noqa: E402

from .both import Programs  # noqa: E402
from .op_db.compare import same  # noqa: E402

programs = Programs()
# Numbers that a dtype can hold or not, and operands that don't go together.
HELD = (
    "t.full((2,), 1e5, dtype=t.float16)",
    "t.full_like(t.ones(2, dtype=t.float16), -1e5)",
    "t.full((2,), 1e40j, dtype=t.complex64)",
    "t.ones(2, dtype=t.float16).fill_(1e5)",
    "t.ones(2, dtype=t.float16).masked_fill(t.tensor([True, False]), -1e9)",
    "t.ones(2, dtype=t.float16).masked_fill(t.tensor([True, False]), -math.inf)",
    "t.ones(2, dtype=t.float16).index_fill(0, t.tensor([0]), 65505.0)",
    "t.full((2,), complex(math.inf, math.nan), dtype=t.complex64)",
    "t.ones(2).fill_(t.ones(2))",
    "t.result_type(scalar=1, other=2)",
)
NAN = float("nan")


@programs
def relu_and_abs_of_nan(t, nn):
    x = t.tensor([NAN, -1.0, 0.0, 2.0], requires_grad=True)
    y = nn.functional.relu(x), t.relu(x), x.clone().relu_(), x.abs(), x.abs().square()
    graph = [t.autograd.grad(z.sum(), x, create_graph=True)[0].detach() for z in y]
    return [t.autograd.grad(z.sum(), x)[0] for z in y], graph


@programs
def norms(t, nn):
    x = t.arange(24.0).reshape(2, 3, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = t.frobenius_norm(x, 1), t.frobenius_norm(x, [0, 2], True), t.nuclear_norm(x), t.nuclear_norm(x[0], True)
    return found, t.norm_except_dim(x), t.norm_except_dim(x, 1, 2), t.norm_except_dim(x, 2, -1)


@programs
def in_place_functions_by_name(t, nn):
    x = t.tensor([-1.0, 0.5, 3.0])
    found = [t.clamp_(input=x.clone(), min=0, max=2), t.clamp_min_(input=x.clone(), min=1), t.abs_(input=x.clone())]
    found += [t.fill_(input=x.clone(), value=3), t.relu_(x.clone()), t.exp_(input=x.clone())]
    return [*found, t.zero_(input=x), x]


@programs
def memory_read_as_a_type_of_python(t, nn):
    x = t.tensor([1.0, -2.0], dtype=t.float64)
    return x.view(int), x.view(float), x.view(dtype=complex), t.view_copy(x, float), x.view(t.float32).view(int)


@programs
def result_type_by_name(t, nn):
    x = t.ones(2, dtype=t.int8)
    found = t.result_type(tensor=x, other=1.5), t.result_type(scalar=2, tensor=x), t.result_type(scalar1=1, scalar2=2.0)
    return [str(kind) for kind in (*found, t.result_type(x, other=x))]


@programs
def half_takes_what_is_too_large_by_index(t, nn):
    x = t.ones(3, dtype=t.float16)
    x[0], x[1:] = 1e5, -1e9
    return x


@programs
def bags(t, nn):
    weight = t.arange(12.0).reshape(6, 2).requires_grad_()
    indices, offsets = t.tensor([0, 1, 4, 5, 3]), t.tensor([0, 0, 2, 5])
    found = [t.embedding_bag(weight, indices, offsets, False, mode) for mode in (1, 2)]
    found += [t.embedding_bag(weight, indices, offsets, False, 2, False, None, True, 1)]
    summed = t.embedding_bag(weight, indices, offsets, False, 0, False, t.ones(5))[0]
    (summed.sum() + found[1][0].sum()).backward()
    return found, summed, weight.grad


@programs
def places_in_the_graph(t, nn):
    edge = t.autograd.graph.get_gradient_edge
    x = t.tensor([1.0, 2.0], requires_grad=True)
    y = x.sin()
    z = y * y
    found = t.autograd.grad(edge(z), [edge(y), x], t.ones(2), retain_graph=True)
    unused = t.autograd.grad(z.sum(), edge(x.exp()), retain_graph=True, allow_unused=True)
    t.autograd.backward(edge(z.sum()))
    return found, unused, x.grad, edge(z).output_nr


@programs
def a_place_without_a_gradient(t, nn):
    t.autograd.graph.get_gradient_edge(t.ones(2))


@programs
def a_linear_approximation(t, nn):
    out, push = t.func.linearize(lambda x, y: {"p": x * y, "s": x.sum()}, t.tensor([1.0, 2.0]), t.tensor([3.0, 4.0]))
    return out, push(t.ones(2), t.zeros(2)), push(t.zeros(2), t.ones(2))


@programs
def an_ensemble(t, nn):
    models = [nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).eval() for _ in range(3)]
    weights, buffers = t.func.stack_module_state(models)
    call = lambda w, b, x: t.func.functional_call(models[0], (w, b), (x,))  # noqa: E731
    out = t.vmap(call, (0, 0, None))(weights, buffers, t.ones(4, 2))
    t.func.replace_all_batch_norm_modules_(models[0])
    return (
        out,
        {name: (tuple(w.shape), w.is_leaf, w.requires_grad) for name, w in weights.items()},
        list(models[0].state_dict()),
    )


@programs
def derivatives_of_convolutions(t, nn):
    x, w, g = t.randn(2, 4, 6, 6), t.randn(6, 2, 3, 3), t.randn(2, 6, 3, 3)
    return nn.grad.conv2d_input(x.shape, w, g, 2, 1, 1, 2), nn.grad.conv2d_weight(x, w.shape, g, 2, 1, 1, 2)


@programs
def a_few_eigenvalues(t, nn):
    A = t.tensor([[4.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 1.0]])
    B = t.diag(t.tensor([1.0, 2.0, 3.0]))
    start = t.tensor([[1.0], [0.3], [0.2]])
    return [t.lobpcg(A, 1, b, start, niter=50, largest=largest)[0] for b in (None, B) for largest in (True, False)]


@programs
def anomaly_flags(t, nn):
    before = t.is_anomaly_enabled()
    with t.autograd.detect_anomaly():
        inside = t.is_anomaly_enabled(), t.is_anomaly_check_nan_enabled()
    t.set_anomaly_enabled(False)
    return before, inside, t.is_anomaly_enabled()


@programs
def storages(t, nn):
    x = t.arange(6.0).reshape(2, 3)
    y = x[1:, 1:]
    return (
        y.untyped_storage().nbytes(), y.storage().size(), y.storage().tolist(), x.untyped_storage().data_ptr() ==
        y.untyped_storage().data_ptr(), len(x.untyped_storage()), t.zeros(0).set_(x.storage(), 1, (2, 2), (3, 1)),
    )  # fmt: skip


@programs
def control_flow(t, nn):
    double = lambda x: (x * 2,)  # noqa: E731
    branches = [t.cond(t.tensor(flag), t.sin, t.cos, (t.tensor(1.0),)) for flag in (True, False)]
    return branches, t.sym_max(1, 2), t.sym_int(3.5), t.sym_not(True), t.sym_ite(True, 1, 2), double(1)


@programs
def swapped(t, nn):
    a, b = t.zeros(1), nn.Parameter(t.ones(2))
    b.grad = t.full((2,), 3.0)
    t.utils.swap_tensors(a, b)
    return type(a) is nn.Parameter, type(b) is t.Tensor, a, b, a.requires_grad, b.requires_grad, a.grad


@programs
def swapped_with_hooks(t, nn):
    a, b, c, seen = t.zeros(2, requires_grad=True), t.ones(3), t.ones(4, requires_grad=True), []
    for x in (a, c):
        x.register_hook(lambda grad: seen.append(grad))
    c.requires_grad_(False)
    t.utils.swap_tensors(a, b)
    t.utils.swap_tensors(a, c)
    (b * 2).sum().backward()
    (a.requires_grad_() * 3).sum().backward()
    return seen, a.grad, b.grad, c.grad


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", programs)
def test_it_is_as_in_pytorch(name):
    programs.check(name, slack=16, warned_alike=False)


def test_memory_goes_by_dlpack_both_ways():
    theirs = torch.arange(6.0).reshape(2, 3).t()
    ours = microgad.from_dlpack(theirs)
    ours.add_(1)
    same(theirs, ours)
    assert ours.stride() == theirs.stride()
    back = torch.from_dlpack(ours)
    back.zero_()
    assert not ours.any()
    assert not theirs.any()
    numbers = torch.arange(3)
    taken = microgad.from_dlpack(torch.utils.dlpack.to_dlpack(numbers))
    taken += 1  # a capsule lends its memory to be written to
    assert numbers.tolist() == taken.tolist() == [1, 2, 3]
    copied = microgad.from_dlpack(theirs, copy=True).add_(1)
    assert copied.all()
    assert not theirs.any()
    assert microgad.from_dlpack(np.arange(2), copy=False).tolist() == [0, 1]


class Lender:
    """What has DLPack's methods and nothing else."""

    def __init__(self, tensor):
        self.__dlpack_device__, self.tensor = tensor.__dlpack_device__, tensor

    def __dlpack__(self, **said):
        return self.tensor.__dlpack__(**said)


@pytest.mark.parametrize("library", [torch, microgad])
def test_what_lends_its_memory_is_data(library):
    numbers = library.arange(3)
    shared = library.as_tensor(Lender(numbers)), library.asarray(Lender(numbers))
    copy = library.tensor(Lender(numbers), dtype=library.float64)
    numbers[0] = 5
    assert [x.tolist() for x in (*shared, copy)] == [[5, 1, 2], [5, 1, 2], [0, 1, 2]]


@pytest.mark.parametrize("call", HELD)
def test_a_number_is_held_or_refused(call):
    calls = Programs()
    calls[call] = lambda t, nn: eval(call, {"t": t, "math": math})
    calls.check(call, in_words=False)


def test_what_requires_grad_is_not_detached_in_silence():
    x = microgad.ones(2, requires_grad=True)
    for take in (np.from_dlpack, torch.from_dlpack, microgad.utils.dlpack.to_dlpack):
        with pytest.raises(BufferError, match="require gradient"):
            take(x)
    with pytest.raises(BufferError, match="require gradient"):
        microgad.from_dlpack(torch.ones(2, requires_grad=True))
    with pytest.raises(RuntimeError, match="from_dlpack"):
        microgad.from_dlpack(torch.ones(2, dtype=torch.bfloat16))


def test_a_file_is_memory(tmp_path):
    file = tmp_path / "numbers"
    microgad.from_file(str(file), shared=True, size=3, dtype=microgad.float64).fill_(2)
    same(
        torch.from_file(str(file), size=3, dtype=torch.float64),
        microgad.from_file(str(file), size=3, dtype=microgad.double),
    )
    microgad.from_file(str(file), size=3, dtype=microgad.float64).fill_(5)  # a private copy
    assert torch.from_file(str(file), size=1, dtype=torch.float64).item() == 2


MIXED = [
    [np.float32(1), 2], [np.float32(1), 2.5], [[np.float32(1)], [2.5]], [np.int8(2), 1.5], [np.float16(2), 1.5],
    [np.float64(1), True], [np.complex64(1), 2.0], [np.int64(3), np.float32(2)], [np.uint8(3), 300],
    [np.float64(1), 1j],
]  # fmt: skip


@pytest.mark.parametrize("data", MIXED)
def test_numbers_of_numpy_beside_others(data):
    same(torch.tensor(data), microgad.tensor(data))
