"""Values that a node saves, by PyTorch's names such as `grad_fn._saved_self`, and hooks on one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import microgad
from microgad.grad_fn.saved_settings import SETTINGS
from microgad.grad_fn.torch_names import COMPOSITES, full_name, key, name_of, operator_of
from microgad.graph.formulas import loaded

from .side_by_side import check, checked_programs, leaf, randn, submodule

programs, test_program_behaves_as_in_torch = checked_programs(messages=False)

# An operation on leaves x and w, both (3, 3), and a constant c; the tensors and numbers that both libraries save.
SAVED: dict[str, tuple[Callable[..., Any], str]] = {
    "exp": (lambda t, x, w, c: x.exp(), "result"),
    "log": (lambda t, x, w, c: x.log(), "self"),
    "sin": (lambda t, x, w, c: x.sin(), "self"),
    "tanh": (lambda t, x, w, c: x.tanh(), "result"),
    "sigmoid": (lambda t, x, w, c: x.sigmoid(), "result"),
    "relu": (lambda t, x, w, c: x.relu(), "result"),
    "sqrt": (lambda t, x, w, c: x.sqrt(), "result"),
    "pow": (lambda t, x, w, c: x.pow(2), "self exponent"),
    "power": (lambda t, x, w, c: x.abs() ** w, "self exponent result"),
    "exponential": (lambda t, x, w, c: 2**x, "self exponent result"),
    "square": (lambda t, x, w, c: x.square(), "self exponent"),
    "mul": (lambda t, x, w, c: x * w, "self other"),
    "cdist": (lambda t, x, w, c: t.cdist(x, w), "x1 x2 result"),
    "times a constant": (lambda t, x, w, c: x * c, "self other"),
    "constant times": (lambda t, x, w, c: c * x, "self other"),
    "times a number": (lambda t, x, w, c: x * 2.5, "self other"),
    "div": (lambda t, x, w, c: x / w, "self other"),
    "divided by a number": (lambda t, x, w, c: x / 2, "self other"),
    "of what isn't a leaf": (lambda t, x, w, c: (x * 2) * (w + 1), "self other"),
    "prod": (lambda t, x, w, c: x.prod(), "self result"),
    "cumprod": (lambda t, x, w, c: x.cumprod(0), "self result"),
    "var": (lambda t, x, w, c: x.var(), "self"),
    "amax": (lambda t, x, w, c: x.amax(1), "self result"),
    "logsumexp": (lambda t, x, w, c: x.logsumexp(1), "self result"),
    "softmax": (lambda t, x, w, c: x.softmax(1), "result"),
    "mm": (lambda t, x, w, c: x @ w, "self mat2"),
    "mv": (lambda t, x, w, c: x @ w[:, 0], "self vec"),
    "bmm": (lambda t, x, w, c: x[None].bmm(w[None]), "self mat2"),
    "dot": (lambda t, x, w, c: x[0].dot(w[0]), "self tensor"),
    "linear": (lambda t, x, w, c: t.nn.functional.linear(x, w, w[0]), "mat1"),
    "conv1d": (lambda t, x, w, c: t.nn.functional.conv1d(x, w[:, :, None]), "weight"),
    "layer_norm": (lambda t, x, w, c: t.nn.functional.layer_norm(x, (3,), w[0]), "input weight"),
    "leaky_relu": (lambda t, x, w, c: t.nn.functional.leaky_relu(x), "self negative_slope"),
    "prelu": (lambda t, x, w, c: t.nn.functional.prelu(x, w[0]), "self"),
    "gelu": (lambda t, x, w, c: t.nn.functional.gelu(x), "self"),
    "mse_loss": (lambda t, x, w, c: t.nn.functional.mse_loss(x, c), "self target"),
    "nll_loss": (lambda t, x, w, c: t.nn.functional.nll_loss(x, t.tensor([0, 2, 1])), "self target"),
    "where": (lambda t, x, w, c: t.where(c > 0, x, w), "condition"),
    "clamp": (lambda t, x, w, c: x.clamp(-0.5, 0.5), "self min max"),
    "maximum": (lambda t, x, w, c: t.maximum(x, w), "self other"),
    "atan2": (lambda t, x, w, c: t.atan2(x, w), "self other"),
    "inv": (lambda t, x, w, c: t.linalg.inv(x), "inverse"),
    "det": (lambda t, x, w, c: t.linalg.det(x), "A result"),
    "cholesky": (lambda t, x, w, c: t.linalg.cholesky(x @ x.T + t.eye(3)), "L"),
    "solve": (lambda t, x, w, c: t.linalg.solve(x, w), "A result"),
}


@pytest.mark.parametrize("name", SAVED)
def test_saved_values_have_torchs_names(name):
    operation, names = SAVED[name]

    def program(t, nn):
        node = operation(t, leaf(t, 3, 3), leaf(t, 3, 3, seed=2), randn(t, 3, 3, seed=3)).grad_fn
        listed = [f"_saved_{name}" in dir(node) for name in names.split()]
        found = [getattr(node, f"_saved_{name}") for name in names.split()]
        return found, [getattr(x, "requires_grad", None) for x in found], listed

    check(program)


def test_the_names_that_functions_and_tables_say_are_those_of_torchs_nodes_and_of_what_they_save():
    microgad.graph.formula("")  # imports all operations
    said: dict[str, tuple[str, set[str]]] = {f"settings: {name}": (name, {*of}) for name, of in SETTINGS.items()}
    said |= {f"composites: {name}": (node, set()) for name, node in COMPOSITES.items() if isinstance(node, str)}
    for cls in loaded():
        facts, name = vars(cls) if key(cls) else {}, cls.__name__
        values = facts.get("saved_names", {})
        assert {*cls.inputs, "out"}.issuperset(values.values()), name
        node = name_of(cls)
        if cls.differentiable and isinstance(node, str) and (operator_of(cls) is not None or "node_name" in facts):
            said[name] = (node, set(values))
    del said["BackwardHookFunction"]  # written in Python in PyTorch
    del said["GridSample"], said["RepeatInterleave"]  # their composites' names decide
    nodes = {name: getattr(torch._C._functions, full_name(node), None) for name, (node, _) in said.items()}
    assert [name for name, node in nodes.items() if node is None] == []
    assert [name for name in nodes for x in said[name][1] if not hasattr(nodes[name], f"_saved_{x}")] == []


# An operation on leaves x (2, 3, 4) and p, an image (1, 2, 6, 6); the arguments that both libraries save.
SAVED_ARGUMENTS: dict[str, tuple[Callable[..., Any], str]] = {
    "sum": (lambda t, F, x, p: x.sum(1), "dim keepdim self_sym_sizes"),
    "sum of all": (lambda t, F, x, p: x.sum(), "self_sym_sizes"),
    "mean": (lambda t, F, x, p: x.mean((0, 2), keepdim=True), "dim keepdim self_sym_sizes"),
    "amax": (lambda t, F, x, p: x.amax(1), "dim keepdim"),
    "var": (lambda t, F, x, p: x.var(1), "correction dim keepdim"),
    "logsumexp": (lambda t, F, x, p: x.logsumexp(1), "dim keepdim"),
    "norm": (lambda t, F, x, p: t.linalg.vector_norm(x, 2, 1), "ord dim keepdim"),
    "prod": (lambda t, F, x, p: x.prod(1), "dim keepdim"),
    "cumsum": (lambda t, F, x, p: x.cumsum(1), "dim"),
    "cumprod": (lambda t, F, x, p: x.cumprod(2), "dim"),
    "softmax": (lambda t, F, x, p: x.softmax(1), "dim"),
    "log_softmax": (lambda t, F, x, p: F.log_softmax(x, 2), "dim"),
    "cat": (lambda t, F, x, p: t.cat([x, x], 1), "dim"),
    "stack": (lambda t, F, x, p: t.stack([x, x], 2), "dim"),
    "transpose": (lambda t, F, x, p: x.transpose(0, 2), "dim0 dim1"),
    "permute": (lambda t, F, x, p: x.permute(1, 2, 0), "dims"),
    "view": (lambda t, F, x, p: x.view(6, 4), "self_sym_sizes"),
    "expand": (lambda t, F, x, p: x[:1].expand(3, 3, 4), "self_sym_sizes"),
    "select": (lambda t, F, x, p: x[1], "self_sym_sizes"),
    "slice": (lambda t, F, x, p: x[:, 1:], "self_sym_sizes"),
    "index": (lambda t, F, x, p: x[t.tensor([1, 0])], "self_sym_sizes"),
    "gather": (lambda t, F, x, p: x.gather(1, t.zeros(2, 1, 4, dtype=t.int64)), "dim"),
    "diagonal": (lambda t, F, x, p: x.diagonal(1, 0, 2), "offset dim1 dim2 self_sym_sizes"),
    "tril": (lambda t, F, x, p: x.tril(1), "diagonal"),
    "flip": (lambda t, F, x, p: x.flip(0, 2), "dims"),
    "roll": (lambda t, F, x, p: x.roll((1, 2), (0, 1)), "shifts dims"),
    "unfold": (lambda t, F, x, p: x.unfold(2, 2, 1), "dimension size step self_sym_sizes"),
    "elu": (lambda t, F, x, p: F.elu(x, 0.5), "alpha"),
    "softplus": (lambda t, F, x, p: F.softplus(x, 2, 10), "beta threshold"),
    "hardtanh": (lambda t, F, x, p: F.hardtanh(x, -2, 3), "min_val max_val"),
    "threshold": (lambda t, F, x, p: F.threshold(x, 0.1, 0), "threshold"),
    "conv2d": (
        lambda t, F, x, p: F.conv2d(p, t.ones(2, 1, 3, 3).double(), None, (2, 1), (1, 0), 2, 2),
        "stride padding dilation groups",
    ),
    "max_pool2d": (lambda t, F, x, p: F.max_pool2d(p, 2, 1, 1), "kernel_size padding dilation"),
    "max_pool2d with indices": (
        lambda t, F, x, p: F.max_pool2d(p, 2, 1, 1, return_indices=True)[0],
        "kernel_size padding dilation",
    ),
    "max_pool2d without a batch": (
        lambda t, F, x, p: F.max_pool2d(p[0], 2, 1, return_indices=True)[0],
        "kernel_size dilation",
    ),
    "avg_pool2d without a batch": (lambda t, F, x, p: F.avg_pool2d(p[0], (2, 3)), "kernel_size padding"),
    "avg_pool2d": (lambda t, F, x, p: F.avg_pool2d(p, (2, 3)), "kernel_size padding"),
    "layer_norm": (lambda t, F, x, p: F.layer_norm(x, (3, 4)), "normalized_shape"),
    "group_norm": (lambda t, F, x, p: F.group_norm(p, 2, eps=0.5), "eps"),
    "nll_loss": (lambda t, F, x, p: F.nll_loss(x[0], t.tensor([0, 1, 2]), reduction="sum"), "reduction ignore_index"),
    "mse_loss": (lambda t, F, x, p: F.mse_loss(x, x.detach()), "reduction"),
}


@pytest.mark.parametrize("name", SAVED_ARGUMENTS)
def test_saved_arguments_have_torchs_names(name):
    operation, names = SAVED_ARGUMENTS[name]
    saved = []
    for t in (torch, microgad):
        node = operation(t, t.nn.functional, leaf(t, 2, 3, 4), leaf(t, 1, 2, 6, 6)).grad_fn
        assert {f"_saved_{name}" for name in names.split()} <= set(dir(node))
        saved.append({name: getattr(node, f"_saved_{name}") for name in names.split()})
        assert not hasattr(node, "_saved_nonsense")
    assert saved[1] == saved[0]


def test_arguments_that_were_not_given_have_no_name():
    for t in (torch, microgad):
        nodes = [y.grad_fn for y in (leaf(t, 3).exp(), leaf(t, 3) * 2, leaf(t, 3).sum())]
        assert [(hasattr(node, "_saved_dim"), "_saved_dim" in dir(node)) for node in nodes] == [(False, False)] * 3


@programs
def saved_input_is_the_leaf_and_saved_result_the_result(t, nn):
    x, w = leaf(t, 3), leaf(t, 3)
    y, z = x * w, x.exp()
    result = z.grad_fn._saved_result
    twice = t.autograd.grad((result * 2).sum(), x, retain_graph=True)
    return y.grad_fn._saved_self is x, y.grad_fn._saved_other is w, result is z, result.grad_fn is z.grad_fn, twice


@programs
def pack_hooks_get_results_on_the_graph(t, nn):
    x, seen, graph = leaf(t, 3), [], submodule(t, "autograd.graph")

    def pack(tensor):
        seen.append((tensor.shape, tensor.requires_grad, tensor.is_leaf))
        return tensor

    functions = t.exp, t.tanh, t.sqrt, t.relu, t.sigmoid, t.norm, t.prod
    with graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        results = [f(x).sum() for f in functions] + [x.softmax(0), x.log_softmax(0), (x * 2).exp_()]
    return seen, t.autograd.grad(sum(y.sum() for y in results), x)


@programs
def mutation_on_saved_tensors_gives_an_object_to_clear(t, nn):
    x = leaf(t, 3)
    with submodule(t, "autograd.graph").allow_mutation_on_saved_tensors() as context:
        y = x * 1
        context.clear()
        z = (y * y).sum()
        y.zero_()
        z.backward()
    return x.grad


@programs
def dir_lists_saved_names(t, nn):
    return [name for name in dir((leaf(t, 3) * leaf(t, 3)).grad_fn) if "saved" in name]


@programs
def values_that_are_not_saved_have_no_name(t, nn):
    x = leaf(t, 3)
    return [hasattr(y.grad_fn, "_saved_self") for y in (x + 1, -x, x.exp(), x.sin())]


@programs
def saved_values_are_freed_by_backward(t, nn):
    y = leaf(t, 3).exp().sum()
    node = y.grad_fn.next_functions[0][0]
    y.backward()
    with pytest.raises(RuntimeError, match="freed"):
        node._raw_saved_result.register_hooks(lambda x: x, lambda x: x)
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        node._saved_result  # noqa: B018
    return "_saved_result" in dir(node)


@programs
def saved_input_was_written_to(t, nn):
    x, w = leaf(t, 3), leaf(t, 3, seed=2)
    y = x * w
    with t.no_grad():
        x.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.grad_fn._saved_self  # noqa: B018
    return y.grad_fn._saved_other


@programs
def write_to_a_saved_result_is_detected(t, nn):
    x = leaf(t, 3)
    y = (x * 2).exp()
    with t.no_grad():
        y.grad_fn._saved_result.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@programs
def hooks_on_one_value(t, nn):
    x, w, seen = leaf(t, 3), leaf(t, 3, seed=2), []
    y, log = x * w, seen.append
    y.grad_fn._raw_saved_self.register_hooks(lambda v: log("pack") or v * 2, lambda v: log("unpack") or v)
    packed = list(seen)
    unpacked = y.grad_fn._saved_self
    y.sum().backward()
    return packed, seen, unpacked, x.grad, w.grad


@programs
def hooks_on_two_values(t, nn):
    x, w = leaf(t, 3), leaf(t, 3, seed=2)
    y = x * w
    for raw, factor in ((y.grad_fn._raw_saved_self, 2), (y.grad_fn._raw_saved_other, 3)):
        raw.register_hooks(lambda v, factor=factor: v * factor, lambda v: v)
    y.sum().backward()
    return x.grad, w.grad


@programs
def hooks_pack_and_unpack_in_the_alphabetical_order_of_names(t, nn):
    x, w, packed, unpacked = leaf(t, 3, 3), leaf(t, 3, 3, seed=2), [], []
    with t.autograd.graph.saved_tensors_hooks(
        lambda v: packed.append(v.sum().item()) or v, lambda v: unpacked.append(v.sum().item()) or v
    ):
        for call in (t.mul, t.mm, t.pow, t.atan2, t.nn.functional.mse_loss, t.cdist, lambda a, b: t.addmm(a, a, b)):
            y = call(x.abs(), w)
            if call is t.mul:
                y.sum().backward()
    return packed, unpacked


@programs
def saved_tensors_hooks_unpack_one_value(t, nn):
    seen = []
    with t.autograd.graph.saved_tensors_hooks(lambda v: seen.append("pack") or v, lambda v: seen.append("unpack") or v):
        y = leaf(t, 3) * leaf(t, 3, seed=2)
    return y.grad_fn._saved_self, seen


@programs
def pinned_memory_is_a_copy(t, nn):
    x = leaf(t, 3)
    with t.autograd.graph.save_on_cpu(pin_memory=True):
        y = x * 1
        z = y * y
    y.zero_()
    z.sum().backward()
    return x.grad


def register_wrongly(t, register):
    y = leaf(t, 3) * leaf(t, 3, seed=2)
    register(y.grad_fn._raw_saved_self, (leaf(t, 3) * 2).grad_fn._raw_saved_self)


WRONG_HOOKS = {
    "a second pair": lambda raw, none: [raw.register_hooks(abs, abs) for _ in range(2)],
    "of nothing": lambda raw, none: none.register_hooks(abs, abs),
    "one function": lambda raw, none: raw.register_hooks(abs),
    "no function": lambda raw, none: raw.register_hooks(abs, 1),
    "a write": lambda raw, none: raw.register_hooks(lambda v: v.add_(1), abs),
}


@pytest.mark.parametrize("name", WRONG_HOOKS)
def test_invalid_hooks_raise(name):
    check(lambda t, nn: register_wrongly(t, WRONG_HOOKS[name]), messages=False)


@programs
def kept_values_of_a_node_with_hooks_are_unpacked_once(t, nn):
    """An unpack hook may consume what it is given; a checkpoint computes again only once."""
    unpacked: list[Any] = []
    for op in t.exp, lambda x: x * x.detach(), lambda x: x.softmax(0), lambda x: nn.functional.layer_norm(x, (3,)):
        for recorded in False, True:
            x, packed = leaf(t, 3), {}

            def pack(value, packed=packed):
                packed[len(packed)] = value * 1
                return len(packed) - 1

            with t.autograd.graph.saved_tensors_hooks(pack, packed.pop):
                y = op(x)
            y.grad_fn.register_prehook(lambda grads: (grads[0] * 2,))
            y.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 3, *inputs[1:]))
            unpacked += t.autograd.grad((y * y).sum(), x, create_graph=recorded), packed
    calls = []

    def function(x):
        calls.append(x.sum())
        y = x.softmax(0)
        y.grad_fn.register_prehook(lambda grads: (grads[0] * 2,))
        return y.exp()

    x = leaf(t, 3)
    submodule(t, "utils.checkpoint").checkpoint(function, x, use_reentrant=False).sum().backward()
    return unpacked, calls, x.grad
