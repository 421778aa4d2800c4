"""Internals of PyTorch that libraries use, and rarely used arguments and functions."""

from __future__ import annotations

import collections
import dataclasses
import pickle
import warnings
from collections import OrderedDict, defaultdict, deque, namedtuple
from typing import Any

import pytest

import microgad as torch
from microgad.autograd import Function
from microgad.nn.attention import SDPBackend, sdpa_kernel
from microgad.optim.optimizer import Optimizer, _get_value, _use_grad_for_differentiable
from microgad.utils import _pytree
from microgad.utils._foreach_utils import _group_tensors_by_device_and_dtype
from microgad.utils._pytree import tree_flatten, tree_map, tree_map_only, tree_structure, tree_unflatten

from ..processes import output_of, run_module


def test_compiler_settings_can_be_set() -> None:
    torch._dynamo.config.suppress_errors = True
    torch._inductor.config.coordinate_descent_tuning = True
    torch._inductor.config.triton.unique_kernel_names = True
    torch._C._jit_set_profiling_mode(False)
    assert torch._dynamo.disable(len) is torch.fx.wrap(len) is len
    assert not hasattr(torch._C, "_CudaDeviceProperties")
    assert not any(module._is_in_bad_fork() for module in (torch.cuda, torch.mps, torch.xpu))
    with pytest.raises(AssertionError, match="no"):
        torch._assert(False, "no")
    with pytest.warns(FutureWarning, match="sdpa_kernel"):
        deprecated = torch.backends.cuda.sdp_kernel(enable_flash=False)
    with sdpa_kernel(SDPBackend.MATH), deprecated:
        pass


def test_torchscript_annotations() -> None:
    class Net(torch.nn.Module):
        fused: torch.jit.Final[bool]
        sizes: torch.jit.List[int]

    assert torch.jit.annotate(int, 3) == torch.jit.Attribute(3, int) == 3
    assert not isinstance(Net(), torch.jit.ScriptModule)
    assert not isinstance(torch.relu, torch.jit.ScriptFunction)


def test_jit_annotations_module_is_found() -> None:
    """It isn't mistaken for the name that `from __future__ import annotations` defines in a module."""
    program = "import microgad; microgad.as_torch(); from torch.jit.annotations import List, Union; import torch; "
    program += "from torch.jit import annotations; print(annotations.List is List is torch.jit.annotations.List)"
    assert output_of(program) == "True\n"


@pytest.mark.filterwarnings("ignore:torch.jit")
def test_jit_trace_runs_the_module_once() -> None:
    layer = torch.nn.BatchNorm1d(2)
    assert torch.jit.trace(layer, torch.ones(3, 2)) is layer
    assert torch.jit.trace(layer, (torch.ones(3, 2),)) is layer
    assert torch.jit.trace(layer, example_kwarg_inputs={"input": torch.ones(3, 2)}) is layer
    assert layer.num_batches_tracked == 3
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)


def test_process_group_of_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    dist = torch.distributed
    assert not dist.is_available()  # so that libraries don't distribute work
    assert not dist.is_initialized()
    with pytest.raises(ValueError, match="has not been initialized"):
        dist.get_rank()
    dist.init_process_group("gloo", rank=0, world_size=1)
    assert (dist.get_rank(), dist.get_world_size(), dist.get_backend()) == (0, 1, "gloo")
    x, parts = torch.ones(2), [torch.zeros(2)]
    dist.all_reduce(x, op=dist.ReduceOp.SUM)
    dist.broadcast(x, src=0)
    dist.all_gather(parts, x)
    assert x.tolist() == parts[0].tolist() == [1, 1]
    dist.reduce(x, dst=0, op=dist.ReduceOp.MAX)
    works = [dist.all_reduce(x, async_op=True), dist.barrier(async_op=True), dist.gather(x, parts, async_op=True)]
    works += [dist.broadcast(x, 0, async_op=True), dist.reduce_scatter_tensor(x, 2 * x, async_op=True)]
    assert [work.wait() and work.is_completed() for work in works] == [True] * 5
    assert (x.tolist(), dist.barrier()) == ([2, 2], None)
    dist.broadcast_object_list([x], src=0, device=torch.device("cpu"))
    dist.destroy_process_group()
    assert not dist.is_initialized()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(NotImplementedError, match="one process, got world_size 2"):
        dist.init_process_group()


def test_pytree_flatten_and_unflatten() -> None:
    Pair = collections.namedtuple("Pair", "a b")
    tree = {"x": [1, (2, Pair(3, None))], "y": collections.OrderedDict(z=4), "d": collections.deque([5], 3)}
    leaves, spec = tree_flatten(tree)
    assert leaves == [1, 2, 3, None, 4, 5]
    assert spec.num_leaves == 6
    assert tree_unflatten(leaves, spec) == tree
    filled = collections.defaultdict(list, a=1)
    assert tree_map(lambda x: x + 1, filled)["a"] == 2
    assert tree_map(lambda x: x, filled)["new"] == []
    assert tree_map(lambda x: x + 1, [torch.Size([2, 3])]) == [(3, 4)]
    for kind in (int, (int, bytes), int | bytes, lambda x: x == 1):
        assert tree_map_only(kind, str, [1, "a", 2.0]) == ["1", "a", 2.0]
    for n in (1, 7):
        with pytest.raises(ValueError, match=f"has length {n} but the spec refers to a pytree that holds 6"):
            tree_unflatten([1] * n, spec)


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("name", "tree", "context"),
    [("tuple", (1, 2), None), ("list", [1, 2], None), ("dict", {"a": 1, "b": 2}, ["a", "b"]),
     ("namedtuple", Point(1, 2), Point), ("ordereddict", OrderedDict(a=1, b=2), ["a", "b"]),
     ("defaultdict", defaultdict(list, a=1, b=2), [list, ["a", "b"]]), ("deque", deque([1, 2], 5), 5)],
)  # fmt: skip
def test_functions_of_pytree_by_container(name: str, tree: Any, context: Any) -> None:
    """Libraries call them by these names."""
    flatten, unflatten, with_keys = (
        getattr(_pytree, f"_{name}_{what}") for what in ("flatten", "unflatten", "flatten_with_keys")
    )
    assert flatten(tree) == ([1, 2], context)
    assert unflatten([1, 2], context) == tree
    assert ([value for _, value in with_keys(tree)[0]], with_keys(tree)[1]) == ([1, 2], context)


def test_classes_that_are_registered_as_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pytree, "SUPPORTED_NODES", dict(_pytree.SUPPORTED_NODES))
    Item = dataclasses.make_dataclass("Item", ["x", "y", ("name", str, "")])
    _pytree.register_dataclass(Item, field_names=["x", "y"], drop_field_names=["name"])
    found = _pytree.tree_leaves_with_path([Item(None, 2, "a")])
    assert [(_pytree.keystr(path), leaf) for path, leaf in found] == [("[0].y", 2)]
    with pytest.raises(ValueError, match="already registered"):
        _pytree.register_dataclass(Item, field_names=["x", "y"], drop_field_names=["name"])
    _pytree.register_pytree_node(Point, lambda p: ([p.x], p.y), lambda leaves, y: Point(*leaves, y))
    assert tree_map(lambda x: x + 1, Point(1, 2)) == (2, 2)


def test_pytree_structures_paths_and_predicates() -> None:
    tree = (1, [2, {"a": 3.0}])
    spec = tree_structure(tree)
    assert repr(spec) == "TreeSpec(tuple, None, [*,\n  TreeSpec(list, None, [*,\n    TreeSpec(dict, ['a'], [*])])])"
    assert _pytree.treespec_pprint(spec) == "(*, [*, {'a': *}])"
    assert (spec.num_nodes, spec.num_children, spec.num_leaves) == (6, 2, 3)
    assert [_pytree.key_get(tree, path) for path, _ in _pytree.tree_leaves_with_path(tree)] == [1, 2, 3.0]
    assert _pytree.tree_all_only(int, lambda x: x < 3, tree)
    assert not _pytree.tree_any_only(int, lambda x: x > 2, tree)
    assert _pytree.arg_tree_leaves(1, (2, {"a": 3}), b=[4]) == [1, 2, 3, 4]
    assert [_pytree.tree_is_leaf(x) for x in (None, 1, (), {})] == [True, True, False, False]
    assert _pytree.tree_is_leaf((1, 2), is_leaf=lambda x: x == (1, 2))
    seen: list[int] = []
    assert _pytree.tree_map_only_(int, seen.append, tree) is tree
    assert seen == [1, 2]
    assert _pytree._broadcast_to_and_flatten((0, None), spec) == [0, None, None]
    assert _pytree._broadcast_to_and_flatten([0, None], spec) is None


def test_methods_of_a_pytree_structure() -> None:
    spec = tree_structure((1, [2, {"a": 3}]))
    assert spec.unflatten([4, 5, 6]) == (4, [5, {"a": 6}])
    assert [child.num_leaves for child in spec.children()] == [1, 2]
    assert spec.child(0).is_leaf()
    assert spec.flatten_up_to(([1, 2], [None, {"a": (3,)}])) == [[1, 2], None, (3,)]
    with pytest.raises(ValueError, match="tree"):
        spec.flatten_up_to((1, 2))


def test_tree_map_follows_the_structure_of_the_first_tree() -> None:
    def pairs(*trees: Any) -> Any:
        return tree_map(lambda *parts: parts, *trees)

    assert pairs([1, 2], [(10, 20), 30]) == [(1, (10, 20)), (2, 30)]
    assert pairs({"a": 1, "b": [2]}, collections.OrderedDict(b=[20], a=10)) == {"a": (1, 10), "b": [(2, 20)]}
    counts = collections.defaultdict(int, a=1)
    assert pairs(counts, {"a": 10}) == {"a": (1, 10)}
    deques = (collections.deque([1], size) for size in (2, 3))
    assert list(pairs(*deques)) == [(1, 1)]
    for tree, other in (
        ([1, 2], [1, 2, 3]),
        ([1, 2], (1, 2)),
        ({"a": 1}, {"b": 1}),
        ([[1]], [1]),
        ([], ()),
        ({"a": 1}, counts | {"b": 2}),
    ):
        with pytest.raises(ValueError, match="expected a tree like the first"):
            pairs(tree, other)


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("add", ([1.0, 2.0],), [2.0, 3.0]),
        ("sub", (1.0,), [0.0, 0.0]),
        ("maximum", (3.0,), [3.0, 3.0]),
        ("clamp_max", ([0.5, 2.0],), [0.5, 1.0]),
        ("addcmul", ([torch.ones(1)] * 2, [torch.ones(1)] * 2, [2.0, 3.0]), [3.0, 4.0]),
        ("addcdiv", ([torch.ones(1)] * 2, [torch.ones(1)] * 2, torch.tensor([2.0, 3.0])), [3.0, 4.0]),
        ("lerp", ([torch.zeros(1)] * 2, 0.25), [0.75, 0.75]),
        ("norm", (), [1.0, 1.0]),
    ],
)
def test_foreach_operations(name: str, args: Any, expected: list[float]) -> None:
    tensors = [torch.ones(1), torch.ones(1)]
    result = getattr(torch, f"_foreach_{name}")(tensors, *args)
    assert [x.item() for x in result] == expected
    if name != "norm":
        assert getattr(torch, f"_foreach_{name}_")(tensors, *args) is tensors
        assert [x.item() for x in tensors] == expected


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_foreach_extreme_shares_the_gradient_of_ties(name: str) -> None:
    a, b = torch.tensor([2.0, 1.0], requires_grad=True), torch.tensor([2.0, 0.0], requires_grad=True)
    wins = float(name == "maximum")
    (result,) = getattr(torch, f"_foreach_{name}")([a], [b])
    assert [g.tolist() for g in torch.autograd.grad(result.sum(), (a, b))] == [[0.5, wins], [0.5, 1 - wins]]
    for other in (2.0, [2]):
        (result,) = getattr(torch, f"_foreach_{name}")([a], other)
        assert torch.autograd.grad(result.sum(), a)[0].tolist() == [0.5, 1 - wins]


def test_other_foreach_operations() -> None:
    xs = [torch.ones(1), torch.ones(2)]
    assert [x.tolist() for x in torch._foreach_pow(2.0, xs)] == [[2], [2, 2]]
    assert [x.item() for x in torch._foreach_powsum([torch.tensor([-1.0, 2.0]), torch.ones(3)], 3)] == [9, 3]
    torch._foreach_copy_(xs, [torch.zeros(1), torch.full((2,), 5.0)])
    assert [x.tolist() for x in xs] == [[0], [5, 5]]
    torch._foreach_zero_(xs)
    assert [x.tolist() for x in xs] == [[0], [0, 0]]
    assert not hasattr(torch, "_foreach_absent")
    torch._foreach_add_([xs[0], xs[0]], 1)  # the second addition reads the result of the first
    assert xs[0].tolist() == [2]
    with pytest.raises(RuntimeError, match="lists must have the same number of tensors, got 2 and 1"):
        torch._foreach_add_(xs, xs[:1])
    assert xs[0].tolist() == [2]
    xs[0].zero_()
    xs[1].fill_(5.0)
    assert [x.tolist() for x in torch._foreach_add(self=xs, other=xs, alpha=2)] == [[0], [15, 15]]
    torch._foreach_addcmul_(xs, tensor2=[torch.ones(1), torch.ones(2)], tensor1=xs, scalars=[1.0, -1.0])
    assert [x.tolist() for x in torch._foreach_lerp(xs, tensors1=[x + 1 for x in xs], weights=xs)] == [[0], [0, 0]]
    assert [x.tolist() for x in torch._foreach_pow(exponent=[2, 3], self=[torch.full((1,), 2.0)] * 2)] == [[4], [8]]
    groups = _group_tensors_by_device_and_dtype([[xs[0], xs[1].double()], [None, None]], with_indices=True)
    assert [indices for _, indices in groups.values()] == [[0], [1]]


def test_foreach_errors_leave_tensors_unchanged() -> None:
    whole = [torch.tensor([1, 2])]
    for name, args in (("add", (1.5,)), ("exp", ()), ("maximum", (1.5,)), ("addcdiv", (whole, whole, 0.5))):
        with pytest.raises(RuntimeError, match=r"cast|Integer"):
            getattr(torch, f"_foreach_{name}_")(whole, *args)
        assert whole[0].tolist() == [1, 2]
    with pytest.raises(TypeError, match="'self' must be a list of Tensors"):
        torch._foreach_abs(whole[0])
    with pytest.raises(RuntimeError, match="at least one tensor"):
        torch._foreach_abs([])
    for name in "add", "maximum":
        with pytest.raises(TypeError, match="0 dimensions, but has 1"):
            getattr(torch, f"_foreach_{name}")(whole, torch.ones(1))
    for source in 2, [2], torch.ones(2):
        with pytest.raises(TypeError, match="'src' must be a list of Tensors"):
            torch._foreach_copy_(whole, source)
    assert whole[0].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda x, a, b: x.add(2, a), 5),
        (lambda x, a, b: torch.sub(x, 2, a), -3),
        (lambda x, a, b: x.clone().add_(2, a), 5),
        (lambda x, a, b: x.clone().addcmul_(2, a, b), 13),
        (lambda x, a, b: torch.addcdiv(x, 3, a, b), 3),
        (lambda x, a, b: torch.addmm(2, x, 3, a, b), 38),
        (lambda x, a, b: x.addmm(2, a, b), 14),
        (lambda x, a, b: x.clone().addmm_(2, 3, a, b), 38),
        (lambda x, a, b: torch.addmv(2, x[0], 3, a, b[0]), 38),
    ],
)
@pytest.mark.filterwarnings("ignore:This overload of")
def test_deprecated_order_with_scalars_before_tensors(call: Any, expected: float) -> None:
    """The deprecated order of arguments, which programs from before 2020 use."""
    x, a, b = torch.ones(2, 2), torch.full((2, 2), 2.0), torch.full((2, 2), 3.0)
    assert call(x, a, b).flatten()[0].item() == expected


@pytest.mark.parametrize(
    "call", [lambda x: x.add(x, 2), lambda x: torch.add(x, x, 2), lambda x: torch.addcmul(x, x, x, 2)]
)
def test_scalars_after_tensors_must_be_keywords(call: Any) -> None:
    with pytest.raises(TypeError):
        call(torch.ones(2))


def test_bfloat16_exists_as_a_name() -> None:
    dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    assert dtypes["bfloat16"] != torch.float32
    assert torch.bfloat16.is_floating_point
    assert torch.bfloat16.itemsize == 2
    assert torch.get_autocast_dtype("cpu") is torch.bfloat16
    with pytest.raises(TypeError, match="no tensors of bfloat16"):
        torch.set_default_dtype(torch.bfloat16)


def test_empty_tensors_of_unsupported_dtypes() -> None:
    """kornia makes empty Tensors of such dtypes on import to get their element size."""
    kinds = (torch.bfloat16, torch.float8_e5m2, torch.float8_e4m3fn)
    assert [torch.empty(0, dtype=kind).element_size() for kind in kinds] == [2, 1, 1]
    empty = torch.zeros(0, 3, dtype=torch.bfloat16, device="cpu")
    assert empty.dtype is torch.bfloat16
    assert repr(empty) == "tensor([], size=(0, 3), dtype=torch.bfloat16)"
    for operation in (lambda: empty + 1, lambda: empty * empty, lambda: torch.zeros(1, dtype=torch.bfloat16)):
        with pytest.raises(TypeError, match="bfloat16"):
            operation()


def test_sparse_tensors_become_dense() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adjacency = torch.sparse.FloatTensor(torch.tensor([[0, 1], [1, 0]]), torch.ones(2), torch.Size([2, 3]))
        values = torch.ones(2, requires_grad=True)
        weighted = torch.sparse_coo_tensor([[0, 0], [1, 1]], values)
    assert adjacency.coalesce().to_dense().tolist() == [[0, 1, 0], [1, 0, 0]]
    assert torch.spmm(adjacency, torch.ones(3, 1)).tolist() == torch.sparse.mm(adjacency, torch.ones(3, 1)).tolist()
    assert weighted.tolist() == [[0, 2]]
    weighted.sum().backward()
    assert values.grad is not None
    assert (adjacency.coalesce().indices().tolist(), adjacency._indices().tolist()) == ([[0, 1], [1, 0]],) * 2
    assert (weighted._values().tolist(), weighted._nnz(), weighted.is_coalesced()) == ([2], 1, True)
    assert torch.dsmm(adjacency, torch.ones(3, 1)).tolist() == [[1], [1]]
    nowhere = torch.sparse_coo_tensor(torch.zeros(2, 0, dtype=torch.int64), torch.zeros(0))
    assert nowhere.shape == (0, 0)
    with pytest.raises(IndexError, match="found the negative index -1"):
        torch.sparse_coo_tensor([[0], [-1]], [1.0], (2, 2))
    with pytest.raises(TypeError, match="indices and values, or a size alone"):
        torch.sparse_coo_tensor([[0], [1]], size=(2, 2))
    zeros = [torch.sparse_coo_tensor((2, 3)), torch.sparse_coo_tensor(size=(2, 3)), torch.sparse.FloatTensor(2, 3)]
    assert [z.tolist() for z in zeros] == [[[0, 0, 0]] * 2] * 3


def test_optimizer_that_does_not_call_init() -> None:
    class Lookahead(Optimizer):
        def __init__(self, inner: Any) -> None:
            self.inner, self.param_groups = inner, inner.param_groups

        def step(self, closure: Any = None) -> Any:
            return self.inner.step(closure)

    p = torch.ones(1, requires_grad=True)
    p.grad = torch.ones(1)
    Lookahead(torch.optim.SGD([p], 0.5)).step()
    assert p.item() == 0.5


def test_step_with_optimizer_helpers() -> None:
    class Half(Optimizer):
        @_use_grad_for_differentiable
        def step(self, closure: Any = None) -> None:
            self._cuda_graph_capture_health_check()
            self._accelerator_graph_capture_health_check()
            for group in self.param_groups:
                for p in group["params"]:
                    p.mul_(_get_value(torch.tensor(0.5)))

    p = torch.ones(1, requires_grad=True)
    Half([p], {}).step()
    assert p.item() == 0.5


def test_broadcast_gradient_of_a_custom_function_is_summed() -> None:
    class Times(Function):
        @staticmethod
        def forward(ctx: Any, x: Any, scale: Any) -> Any:
            ctx.save_for_backward(x, scale)
            return x * scale

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            x, scale = ctx.saved_tensors
            return grad * scale, grad * x if scale.ndim < 2 else grad[:1]

    x = torch.ones(2, 3, requires_grad=True)
    for shape in ((), (3,)):
        scale = torch.full(shape, 2.0, requires_grad=True)
        Times.apply(x, scale).sum().backward()
        assert scale.grad is not None
        assert scale.grad.shape == shape
        assert scale.grad.sum().item() == 6
    with pytest.raises(RuntimeError, match=r"has shape \(1, 3\), but the input's shape is \(2, 3\)"):
        Times.apply(x, torch.ones(2, 3, requires_grad=True)).sum().backward()


def test_contains_takes_tensors_and_numbers_only() -> None:
    assert 1 in torch.ones(2)
    with pytest.raises(RuntimeError, match="only supports Tensor or scalar"):
        "a" in torch.ones(2)  # noqa: B015


def test_masked_tensor_is_only_a_name() -> None:
    assert not isinstance(torch.ones(2), torch.masked.MaskedTensor)
    assert not torch.masked.is_masked_tensor(torch.ones(2))
    with pytest.raises(NotImplementedError, match="functions take a Tensor and a mask"):
        torch.masked.masked_tensor(torch.ones(2), torch.tensor([True, False]))


def test_options_of_printing_are_changed_for_a_block() -> None:
    before = torch._tensor_str.get_printoptions()
    with torch._tensor_str.printoptions(precision=1, profile="short"):
        assert (str(torch.tensor(0.75, device="cpu")), torch._tensor_str.PRINT_OPTS.precision) == ("tensor(0.8)", 1)
    assert torch._tensor_str.get_printoptions() == before


def test_serialization_has_the_module_pickle_for_libraries() -> None:
    assert torch.serialization.pickle is pickle


def test_deprecated_vmap() -> None:
    assert torch._vmap_internals._vmap(torch.dot, (0, None))(torch.eye(2), torch.tensor([3.0, 4.0])).tolist() == [3, 4]


def test_reparametrize_module_restores_the_parameters() -> None:
    layer = torch.nn.Linear(2, 1)
    weight = layer.weight
    with torch.nn.utils.stateless._reparametrize_module(layer, {"weight": torch.ones(1, 2), "bias": torch.zeros(1)}):
        assert layer(torch.tensor([3.0, 4.0])).tolist() == [7.0]
    assert layer.weight is weight


def test_private_functions_that_flow_libraries_use() -> None:
    concentration = torch.tensor([0.5, 3.0], requires_grad=True)
    torch.manual_seed(0)
    drawn = torch._standard_gamma(concentration)
    torch.manual_seed(0)
    assert drawn.tolist() == torch.distributions.Gamma(concentration, 1.0).rsample().tolist()
    assert torch._cast_Long(torch.tensor([1.5])).tolist() == [1]
    assert torch._has_compatible_shallow_copy_type(drawn, drawn)


def test_private_functions_that_copies_of_torch_distributions_use() -> None:
    """Programs that extend a distribution often start from a copy of PyTorch's file."""
    alpha = torch.tensor([[0.5, 3.0, 1.0], [2.0, 0.1, 0.4]], requires_grad=True)
    x = torch.distributions.Dirichlet(alpha).rsample()
    grad = torch.randn(2, 3)
    slope = torch._dirichlet_grad(x.detach(), alpha.detach(), alpha.detach().sum(-1, True).expand_as(alpha))
    expected = torch.autograd.grad(x, alpha, grad)[0]
    torch.testing.assert_close(slope * (grad - (x * grad).sum(-1, True)), expected)
    assert [bool(f(x > x.max())) for f in (torch._is_all_true, torch._is_any_true)] == [False, False]
    assert [bool(f(x > 0)) for f in (torch._is_all_true, torch._is_any_true)] == [True, True]
    assert torch._C._infer_size(torch.Size([2, 1]), torch.Size([3])) == (2, 3)
    assert [isinstance(value, torch.types._Number) for value in (1, 0.5, True, "1", x)] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_private_modules_are_available_without_import() -> None:
    program = (
        "import torch\n"
        "first = torch.utils.data._utils.collate.default_collate([1, 2])\n"
        "from torch.utils.data._utils.collate import default_collate\n"
        "again = torch.utils.data._utils.collate.default_collate is default_collate\n"
        "print(first, again, torch.utils._pytree.tree_map(str, [1, (2,)]))"
    )
    result = run_module("microgad", "-c", program)
    assert result.stdout == "tensor([1, 2]) True ['1', ('2',)]\n", result.stderr


@pytest.mark.parametrize("module", ["func", "nn.init", "distributions.kl", "nn.utils.parametrize"])
def test_star_import_does_not_export_helper_names(module: str) -> None:
    names: dict[str, Any] = {}
    exec(f"from microgad.{module} import *", names)
    assert not {"F", "M", "T", "T_co", "TYPE_CHECKING", "annotations"} & {*names}


def test_names_that_kornia_uses() -> None:
    assert torch.complex32.is_complex
    assert not torch.complex32.is_floating_point
    assert torch.complex32 not in (torch.float32, torch.complex64)
    assert [torch.empty(0, dtype=torch.complex32).element_size(), torch.finfo(torch.complex32).bits] == [4, 16]
    assert not any(isinstance(1, kind) for kind in (torch.SymInt, torch.SymFloat, torch.SymBool))
    assert not torch._C._are_functorch_transforms_active()
    assert torch.fx.get_proxy_mode() is None
    torch._assert_async(torch.tensor(True), "no")
    with pytest.raises(RuntimeError, match="no"):
        torch._assert_async(torch.tensor(0.0), "no")
    with pytest.raises(NotImplementedError, match="numbers for sizes"):
        torch.SymBool()
