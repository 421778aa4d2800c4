"""Functions of the torch namespace besides operations: DLPack, gradient edges, storages, files, rarely used names."""

from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import microgad  # noqa: E402

from .op_db.compare import same  # noqa: E402
from .side_by_side import check, checked_programs, randn, submodule  # noqa: E402

programs, test_program_behaves_as_in_torch = checked_programs(slack=16, warning_classes=False)
# Calls with numbers that a dtype can or can't represent, and with operands of wrong shapes.
FILL_CALLS = (
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
def names_that_libraries_subclass_or_call(t, nn):
    query, triangle, padding = randn(t, 2, 3, 4), t.ones(3, 3).triu(1), t.tensor([[0.0, 0, 1], [0, 0, 0]])
    attention, masks = nn.MultiheadAttention(4, 2), [(None, None), (triangle, None), (None, padding)]
    masks += [(triangle, padding), (t.ones(4, 3, 3), padding), (triangle > 0, padding > 0)]
    merged = [attention.merge_masks(*pair, query) for pair in masks]
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    replica, layer = model._replicate_for_data_parallel(), model[0]._replicate_for_data_parallel()
    layer.weight, layer.bias = t.ones(2, 2), t.zeros(2)
    replica._modules["0"] = layer
    copies = [replica(t.ones(3, 2)), layer._parameters, layer._is_replica, model[0] is layer, list(model.state_dict())]
    F, x = nn.functional, t.ones(2)
    asked = F.has_torch_function((x,)), F.has_torch_function_unary(x), F._Reduction.get_enum("mean"), t.jit.Error
    status = submodule(t, "utils.data._utils").MP_STATUS_CHECK_INTERVAL, submodule(t, "nn.modules.conv")._size_2_t
    library = str(t.backends.cuda.preferred_linalg_library("default"))
    shares = t._sample_dirichlet(t.tensor([[1.0, 2.0], [3.0, 4.0]])), t.rand(1)
    return merged, copies, [each.__class__ for each in (*asked, *status[:1])], library, shares


@programs
def optimizers_and_schedules_copied_from_pytorchs(t, nn):
    """Their files import these helpers, and list-wise steps group the parameters."""
    o, schedules = submodule(t, "optim.optimizer"), submodule(t, "optim.lr_scheduler")

    class Copied(o.Optimizer):
        @o._use_grad_for_differentiable
        def step(self, closure=None):
            for group in self.param_groups:
                params = [p for p in group["params"] if p.grad is not None]
                for p in params:
                    self.state[p].setdefault("step", t.tensor(0.0, dtype=o._get_scalar_dtype()))
                steps = [self.state[p]["step"] for p in params]
                lists = self._group_tensors_by_device_and_dtype([params, [p.grad for p in params], steps], True)
                found.append(sorted((str(where), str(dtype), at) for (where, dtype), (_, at) in lists.items()))
                for (own, grads, counts), _ in lists.values():
                    t._foreach_add_(counts, 1)
                    rates = o._stack_if_compiling([-o._to_scalar(group["lr"]).item() / o._get_value(n) for n in counts])
                    t._foreach_add_(own, t._foreach_mul(grads, rates))

    class Halved(schedules.LRScheduler):
        def get_lr(self):
            schedules._warn_get_lr_called_within_step(self)
            return [base * 0.5**self.last_epoch for base in self.base_lrs]

    found, params = [], [t.ones(2), t.ones(3).double(), t.full((2,), 3.0)]
    optimizer = Copied([p.requires_grad_() for p in params], {"lr": t.tensor([0.5]), "differentiable": False})
    schedule = Halved(t.optim.SGD(params, 1.0))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found.append(schedule.get_lr())
        with schedules._enable_get_lr_call(schedule):
            found.append(schedule.get_lr())
    for _ in range(2):
        sum((p**2).sum() for p in params).backward()
        optimizer.step()
        schedule.optimizer.step()
        schedule.step()
    with pytest.raises(AssertionError, match="null"):
        t.jit._unwrap_optional(None)
    decorated = t.jit._script_if_tracing(lambda x: t.jit._unwrap_optional(x) * 2)(params[0])
    dtypes = [str(o._get_scalar_dtype(fused)).split(".")[-1] for fused in (None, True)]
    found += [schedule.get_last_lr(), dtypes, [(w.category, str(w.message)) for w in warned]]
    return found, params, decorated


@programs
def kernels_of_copied_attention_layers(t, nn):
    """Copies of PyTorch's attention and encoder layers call them in evaluation."""
    with t.no_grad():
        layer = nn.TransformerEncoderLayer(4, 2, 6, 0.0, batch_first=True)
        attention, parts = layer.self_attn, (layer.norm1, layer.norm2, layer.linear1, layer.linear2)
        x, padding = randn(t, 2, 3, 4).float(), t.tensor([[False, False, True], [False, False, False]])
        triangle = t.ones(3, 3, dtype=t.bool).triu(1)
        whole = triangle.expand(2, 2, 3, 3) | padding.view(2, 1, 1, 3)
        out = attention.out_proj
        projections = attention.in_proj_weight, attention.in_proj_bias, out.weight, out.bias
        rest = [p for part in parts for p in (part.weight, part.bias)]
        found = []
        for mask, kind in ((None, None), (triangle, 0), (padding, 1), (whole, 2)):
            for average in (False, True):
                options = mask, True, average, kind
                found += t._native_multi_head_attention(x, x, x, 4, 2, *projections, *options)
            for gelu, first in ((False, True), (True, False)):
                options = gelu, first, 1e-5, *rest, mask, kind
                found.append(t._transformer_encoder_layer_fwd(x, 4, 2, *projections, *options))
    module = submodule(t, "nn.modules.activation")
    tensors = None, x, out.weight, x.to("meta")
    asked = [[ask(a) for a in tensors] for ask in (module._check_arg_device, module._arg_requires_grad)]
    return found, asked, module._is_make_fx_tracing()


@programs
def helpers_of_copied_classes(t, nn):
    context, dispatch = submodule(t, "utils._contextlib"), submodule(t, "utils._python_dispatch")

    class Named(context._NoParamDecoratorContextManager):
        def __enter__(self):
            found.append("in")

        def __exit__(self, *raised):
            found.append("out")

    class Halved(t.optim.Optimizer):
        def step(self, closure=None):
            found.append([group["differentiable"] for group in self.param_groups])

    found = []
    decorated = Named(lambda x: x * 2), Named()(lambda x: x * 3), t._disable_dynamo(lambda x: x + 1)
    decorated += (t._disable_dynamo(recursive=False)(lambda x: x + 2),)
    found += [function(3) for function in decorated]
    Halved([t.ones(1, requires_grad=True)], {"differentiable": True}).step()
    normal, batch = submodule(t, "distributions.multivariate_normal"), randn(t, 2, 3, 3)
    scale, counter, infinite = t.tensor(4.0), t.tensor(1, dtype=t.int32), t.tensor(0.0)
    for flaw in (1.0, 1.0, math.inf, 1.0):
        grads = [t.tensor([1.0, 2.0]), t.tensor(flaw)]
        infinite.zero_()
        t._amp_foreach_non_finite_check_and_unscale_(grads, infinite, 1 / scale)
        updated = t._amp_update_scale_(scale, counter, infinite, 2.0, 0.5, 2)
        found.append([infinite.item(), grads, updated.item(), counter.clone()])
    found += [normal._batch_mv(batch, batch[:, 0]), t.distributions.Independent[t.distributions.Normal] is not None]
    docs = getattr(t, "_torch_docs", None) or submodule(t, "_torch_docs")
    notes = docs.reproducibility_notes, docs.tf32_notes, docs.sparse_support_notes
    name = t.utils.backend_registration._privateuse1_backend_name, t._C._get_privateuse1_backend_name()
    t._C._set_grad_enabled(False)
    off = t.is_grad_enabled()
    t._C._set_grad_enabled(True)
    return found, [sorted(note) for note in notes], name, dispatch._get_current_dispatch_mode_stack(), off


@programs
def batches_of_one_value_per_channel(t, nn):
    nn.functional._verify_batch_size([2, 1])
    nn.functional._verify_batch_size([1, 3, 1])


@programs
def checkpoints_by_their_old_name(t, nn):
    checkpoint, x = submodule(t, "utils.checkpoint"), t.tensor([0.5, 1.0], requires_grad=True)
    y = checkpoint.CheckpointFunction.apply(lambda x: nn.functional.dropout(x.exp(), 0.5) * x, True, x)
    y.sum().backward()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        checkpoint.check_backward_validity([x, 3])
        checkpoint.check_backward_validity([x.detach(), 3])
    return y, x.grad, t.rand(1), [str(w.message) for w in warned]


@programs
def dataclasses_as_containers(t, nn):
    tree = submodule(t, "utils._pytree")

    @dataclasses.dataclass
    class Point:
        x: object
        y: object
        z: object = None
        n: int = dataclasses.field(default=3, init=False)

    class Pair:
        def __init__(self, a, b=0):
            self.a, self.b = a, b

    tree.register_dataclass(Point)
    tree.register_dataclass(Pair, field_names=["a"], drop_field_names=["b"])
    point = Point(t.ones(1), {"a": 2})
    paths = [tree.keystr(path) for path, _ in tree.tree_flatten_with_path(point)[0]]
    found = [tree.tree_leaves(point), paths, str(tree.tree_map(lambda x: x * 2, point))]
    found.append(vars(tree.tree_map(lambda x: x + 1, Pair(1, 2))))
    for kind, names in ((Pair, None), (Point, ["x"])):
        with pytest.raises(ValueError, match="field_names"):
            tree.register_dataclass(kind, field_names=names)
    return found


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
def view_as_python_type(t, nn):
    x = t.tensor([1.0, -2.0], dtype=t.float64)
    return x.view(int), x.view(float), x.view(dtype=complex), t.view_copy(x, float), x.view(t.float32).view(int)


@programs
def result_type_with_keywords(t, nn):
    x = t.ones(2, dtype=t.int8)
    found = t.result_type(tensor=x, other=1.5), t.result_type(scalar=2, tensor=x), t.result_type(scalar1=1, scalar2=2.0)
    return [str(kind) for kind in (*found, t.result_type(x, other=x))]


@programs
def float16_overflow_by_index(t, nn):
    x = t.ones(3, dtype=t.float16)
    x[0], x[1:] = 1e5, -1e9
    return x


@programs
def embedding_bags(t, nn):
    weight = t.arange(12.0).reshape(6, 2).requires_grad_()
    indices, offsets = t.tensor([0, 1, 4, 5, 3]), t.tensor([0, 0, 2, 5])
    found = [t.embedding_bag(weight, indices, offsets, False, mode) for mode in (1, 2)]
    found += [t.embedding_bag(weight, indices, offsets, False, 2, False, None, True, 1)]
    summed = t.embedding_bag(weight, indices, offsets, False, 0, False, t.ones(5))[0]
    (summed.sum() + found[1][0].sum()).backward()
    return found, summed, weight.grad


@programs
def gradient_edges(t, nn):
    edge = t.autograd.graph.get_gradient_edge
    x = t.tensor([1.0, 2.0], requires_grad=True)
    y = x.sin()
    z = y * y
    found = t.autograd.grad(edge(z), [edge(y), x], t.ones(2), retain_graph=True)
    unused = t.autograd.grad(z.sum(), edge(x.exp()), retain_graph=True, allow_unused=True)
    t.autograd.backward(edge(z.sum()))
    return found, unused, x.grad, edge(z).output_nr


@programs
def gradient_edge_without_grad(t, nn):
    t.autograd.graph.get_gradient_edge(t.ones(2))


@programs
def linearize(t, nn):
    out, push = t.func.linearize(lambda x, y: {"p": x * y, "s": x.sum()}, t.tensor([1.0, 2.0]), t.tensor([3.0, 4.0]))
    return out, push(t.ones(2), t.zeros(2)), push(t.zeros(2), t.ones(2))


@programs
def ensemble_with_vmap(t, nn):
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
def lobpcg_draws_a_start(t, nn):
    A = t.diag(t.arange(1.0, 13))
    found = [t.lobpcg(A, 2, n=3)[0], t.rand(2), t.lobpcg(A, B=2 * A)[0], t.rand(2)]
    values, vectors = t.lobpcg(A.expand(2, 3, 12, 12), 2)
    return found, values, values.stride(), vectors.stride(), t.rand(2)


@programs
def lobpcg(t, nn):
    A = t.tensor([[4.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 1.0]])
    B = t.diag(t.tensor([1.0, 2.0, 3.0]))
    start = t.tensor([[1.0], [0.3], [0.2]])
    return [t.lobpcg(A, 1, b, start, niter=50, largest=largest)[0] for b in (None, B) for largest in (True, False)]


@programs
def anomaly_flags(t, nn):
    before = t.is_anomaly_enabled(), t.is_anomaly_check_nan_enabled()
    with t.autograd.detect_anomaly():
        inside = t.is_anomaly_enabled(), t.is_anomaly_check_nan_enabled()
    with t.autograd.detect_anomaly(check_nan=False):
        without_check = t.is_anomaly_enabled(), t.is_anomaly_check_nan_enabled()
    t.set_anomaly_enabled(False)
    return before, inside, without_check, t.is_anomaly_enabled(), t.is_anomaly_check_nan_enabled()


@programs
def storages(t, nn):
    x = t.arange(6.0).reshape(2, 3)
    y = x[1:, 1:]
    return (
        y.storage().is_shared(), t.ones(2).share_memory_().untyped_storage().is_shared(), y.untyped_storage().nbytes(),
        y.storage().size(), y.storage().tolist(), x.untyped_storage().data_ptr() ==
        y.untyped_storage().data_ptr(), len(x.untyped_storage()), t.zeros(0).set_(x.storage(), 1, (2, 2), (3, 1)),
    )  # fmt: skip


@programs
def storages_of_their_own(t, nn):
    made, memory = t.IntStorage([1, 2, 300]), t.UntypedStorage([1, 2, 255])
    made[0:2] = 7
    legacy = type(made).__name__, isinstance(made, t.IntStorage), isinstance(made, t.LongStorage), made.type()
    found = made.tolist(), made.char().tolist(), memory.half().tolist(), t.FloatStorage(3).fill_(2).tolist(), made[-1]
    swapped = t.ShortStorage.from_buffer(b"\0\1\0\2", "big").tolist()
    same = t.ones(2).untyped_storage() == t.ones(2).untyped_storage(), made == made.clone()
    return legacy, found, swapped, repr(made), repr(memory), repr(t.UntypedStorage()), same, memory.type()


@programs
def control_flow(t, nn):
    double = lambda x: (x * 2,)  # noqa: E731
    branches = [t.cond(t.tensor(flag), t.sin, t.cos, (t.tensor(1.0),)) for flag in (True, False)]
    return branches, t.sym_max(1, 2), t.sym_int(3.5), t.sym_not(True), t.sym_ite(True, 1, 2), double(1)


@programs
def swap_tensors(t, nn):
    a, b = t.zeros(1), nn.Parameter(t.ones(2))
    b.grad = t.full((2,), 3.0)
    t.utils.swap_tensors(a, b)
    return type(a) is nn.Parameter, type(b) is t.Tensor, a, b, a.requires_grad, b.requires_grad, a.grad


@programs
def swap_tensors_with_hooks(t, nn):
    a, b, c, seen = t.zeros(2, requires_grad=True), t.ones(3), t.ones(4, requires_grad=True), []
    for x in (a, c):
        x.register_hook(lambda grad: seen.append(grad))
    c.requires_grad_(False)
    t.utils.swap_tensors(a, b)
    t.utils.swap_tensors(a, c)
    (b * 2).sum().backward()
    (a.requires_grad_() * 3).sum().backward()
    return seen, a.grad, b.grad, c.grad


def test_dlpack_shares_memory_in_both_directions():
    theirs = torch.arange(6.0).reshape(2, 3).t()
    ours = microgad.from_dlpack(theirs)
    ours.add_(1)
    same(theirs, ours)
    assert ours.stride() == theirs.stride()
    back = torch.from_dlpack(ours)
    back.zero_()
    assert not ours.any()
    assert not theirs.any()
    source = torch.arange(3)
    imported = microgad.from_dlpack(torch.utils.dlpack.to_dlpack(source))
    imported += 1  # memory from a capsule may be written to
    assert source.tolist() == imported.tolist() == [1, 2, 3]
    copied = microgad.from_dlpack(theirs, copy=True).add_(1)
    assert copied.all()
    assert not theirs.any()
    assert microgad.from_dlpack(np.arange(2), copy=False).tolist() == [0, 1]


class DLPackOnly:
    """An object that only has DLPack's methods."""

    def __init__(self, tensor):
        self.__dlpack_device__, self.tensor = tensor.__dlpack_device__, tensor

    def __dlpack__(self, **options):
        return self.tensor.__dlpack__(**options)


@pytest.mark.parametrize("library", [torch, microgad])
def test_objects_with_dlpack_methods_are_data(library):
    source = library.arange(3)
    shared = library.as_tensor(DLPackOnly(source)), library.asarray(DLPackOnly(source))
    copy = library.tensor(DLPackOnly(source), dtype=library.float64)
    source[0] = 5
    assert [x.tolist() for x in (*shared, copy)] == [[5, 1, 2], [5, 1, 2], [0, 1, 2]]


@pytest.mark.parametrize("call", FILL_CALLS)
def test_fill_overflow_and_errors(call):
    check(lambda t, nn: eval(call, {"t": t, "math": math}), messages=False)


def test_dlpack_of_tensors_that_require_grad_raises():
    x = microgad.ones(2, requires_grad=True)
    for take in (np.from_dlpack, torch.from_dlpack, microgad.utils.dlpack.to_dlpack):
        with pytest.raises(BufferError, match="require gradient"):
            take(x)
    with pytest.raises(BufferError, match="require gradient"):
        microgad.from_dlpack(torch.ones(2, requires_grad=True))
    with pytest.raises(RuntimeError, match="from_dlpack"):
        microgad.from_dlpack(torch.ones(2, dtype=torch.bfloat16))


def test_from_file_maps_memory(tmp_path):
    file = tmp_path / "numbers"
    microgad.from_file(str(file), shared=True, size=3, dtype=microgad.float64).fill_(2)
    same(
        torch.from_file(str(file), size=3, dtype=torch.float64),
        microgad.from_file(str(file), size=3, dtype=microgad.double),
    )
    microgad.from_file(str(file), size=3, dtype=microgad.float64).fill_(5)  # a private copy
    assert torch.from_file(str(file), size=1, dtype=torch.float64).item() == 2
