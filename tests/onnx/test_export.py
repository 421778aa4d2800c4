"""Exported models give the same results in onnxruntime, also for other sizes of their dynamic axes."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.nn import functional as F

package = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

from microgad import onnx  # noqa: E402

from ..processes import output_of  # noqa: E402
from .export_cases import FUNCTIONS, LAYERS, LOSSES, Call, arrays, x  # noqa: E402

ROOT = Path(torch.__file__).parents[1]


def check(
    model: Any, args: tuple[Any, ...], axes: Any = None, sizes: tuple[int, ...] = (1, 2, 5), **options: Any
) -> Any:
    """Export with the first axis of all arguments dynamic, and compare results for several sizes of it."""
    names = [f"x{i}" for i in range(len(args))]
    axes = {name: {0: "batch"} for name in names} if axes is None else axes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        proto = onnx.export(model, args, input_names=names, dynamic_axes=axes, **options)
    session = runtime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for n in sizes if axes else (2,):
        inputs = [torch.as_tensor(np.take(x.numpy(), np.arange(n) % len(x.numpy()), 0)) if axes else x for x in args]
        found = session.run(
            None, {i.name: x.numpy() for i, x in zip(session.get_inputs(), _used(session, names, inputs), strict=True)}
        )
        if isinstance(model, torch.nn.Module):
            model.eval()
        with torch.no_grad():
            expected = arrays(model(*(x.clone() for x in inputs)))
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)
    return proto


def _used(session: Any, names: list[str], inputs: list[Any]) -> list[Any]:
    by_name = dict(zip(names, inputs, strict=True))
    return [by_name[i.name] for i in session.get_inputs()]


@pytest.mark.parametrize("name", LAYERS)
def test_layers_give_the_same_in_onnxruntime(name: str) -> None:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, args = LAYERS[name]()
    check(model, args)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_give_the_same_in_onnxruntime(name: str) -> None:
    torch.manual_seed(0)
    check(*LOSSES[name]())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_give_the_same_in_onnxruntime(name: str) -> None:
    torch.manual_seed(0)
    function, args = FUNCTIONS[name]
    check(Call(function), args)


@pytest.mark.parametrize("opset", [17, 20, 21, 23])
def test_layers_give_the_same_in_every_opset(opset: int) -> None:
    torch.manual_seed(0)
    for name in (
        "Conv2d",
        "GroupNorm",
        "AdaptiveAvgPool2d",
        "GELU(approximate='tanh')",
        "Upsample",
        "LSTM",
        "Positions",
    ):
        model, args = LAYERS[name]()
        proto = check(model, args, opset_version=opset)
        assert proto.opset_import[0].version == opset
    for name in ("sums", "sampling", "rounding"):
        function, args = FUNCTIONS[name]
        check(Call(function), args, opset_version=opset)


def values(*values: float) -> Any:
    return torch.tensor(values)


INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (torch.logaddexp, (values(-INF, INF, -INF, 1, NAN), values(-INF, INF, INF, 1, 0))),
        (torch.xlogy, (values(0, 0, 0, 2), values(NAN, 0, 3, 3))),
        (torch.floor_divide, (values(1, -1, 7, 1, -1, 0, 5, -7.5), values(0.1, 0.1, -2, INF, INF, 3, 0, 2.5))),
        (torch.remainder, (values(1, -1, 7, 1, -1, 1000.1, -7.5), values(0.1, 0.1, -2, INF, INF, 0.1, 2.5))),
        (torch.logaddexp2, (values(-INF, INF, -INF, 1, NAN, 3), values(-INF, INF, INF, 1, 0, -5))),
        (lambda n: (n.isinf(), n.isposinf(), n.isneginf(), n.isfinite()), (values(-INF, INF, 1, NAN),)),
        (
            lambda n: (n.trunc(), n.round(), n.isnan(), n.isinf(), n.isposinf(), n.isfinite(), (n > 0).isfinite()),
            (torch.tensor([1, -2]),),
        ),
    ],
    ids=["logaddexp", "xlogy", "floor_divide", "remainder", "logaddexp2", "infinities", "integers"],
)
def test_nonfinite_and_integer_values(function: Any, args: Any) -> None:
    check(function, args, axes={})


@pytest.mark.parametrize("number", [2.5, 2, True])
def test_an_input_of_no_dims_stays_one(number: Any) -> None:
    proto = check(lambda a, n: a * n, (x(2, 3), torch.tensor(number)), axes={})
    assert [list(i.type.tensor_type.shape.dim) for i in proto.graph.input][1] == []


def test_names_files_and_nested_arguments(tmp_path: Path) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.unused = nn.Linear(2, 3), nn.Linear(2, 2)

        def forward(self, x: torch.Tensor, pair: Any, *, scale: Any = None) -> Any:
            assert not self.training
            assert onnx.is_in_onnx_export()
            return {"sum": self.first(x) + pair[0] - pair[1]["b"], "scaled": x * scale}

    model = Two()
    model.first.train(False)
    path, file = tmp_path / "m.onnx", io.BytesIO()
    args = torch.ones(1, 2), [torch.ones(3), {"b": torch.ones(1)}], {"scale": torch.ones(1)}
    assert onnx.export(model, args, path, output_names=["s"], dynamic_axes={"x": [0], "s": {0: "rows"}}) is None
    assert (model.training, model.first.training, onnx.is_in_onnx_export()) == (True, False, False)
    onnx.export(model, args[:-1], file, kwargs=args[-1], input_names=["p", "q"])
    graph = package.load(path).graph
    assert [x.name for x in graph.input] == ["x", "pair_0", "pair_1", "scale"]
    assert [x.name for x in graph.output] == ["s", "output_1"]
    assert [d.dim_param or d.dim_value for d in graph.output[0].type.tensor_type.shape.dim] == ["rows", 3]
    assert [x.name for x in graph.initializer] == ["first.weight", "first.bias"]
    assert graph.node[0].name == "/first/Gemm"
    inputs = package.load_model_from_string(file.getvalue()).graph.input
    assert [x.name for x in inputs] == ["p", "q", "pair_1", "scale"]
    shapes = {"x": (5, 2), "pair_0": (3,), "pair_1": (1,), "scale": (1,)}
    inputs = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    assert runtime.InferenceSession(path).run(["s"], inputs)[0].shape == (5, 3)


def test_names_of_sizes_and_results() -> None:
    def names(function: Any, shape: Any = (2, 3), **options: Any) -> Any:
        graph = onnx.export(Call(function), torch.ones(shape), input_names=["x"], **options).graph
        infos = (*graph.input, *graph.output)
        return [[size.dim_param or size.dim_value for size in info.type.tensor_type.shape.dim] for info in infos]

    rows = type("Dim", (), {"__name__": "rows"})()  # as torch.export has it
    assert names(lambda x: x + 1, dynamic_shapes={"x": {0: rows}}) == [["rows", 3], ["rows", 3]]
    axes = {"x": {-1: "n"}, "y": {1: "m"}}
    assert names(lambda x: x + 1, output_names=["y"], dynamic_axes=axes) == [[2, "n"], [2, "m"]]
    assert names(lambda x: torch.cat((x, x)), dynamic_axes={"x": {0: "n"}}) == [["n", 3], [0, 3]]
    both = {"x": {0: "n", 1: "m"}}
    assert names(lambda x: x.reshape(len(x) * 2, x.shape[1], -1), (2, 3, 4), dynamic_axes=both)[1] == [0, "m", 2]
    check(Call(lambda x: (x * 2,) * 2), (x(2, 3),))
    check(Call(lambda x: x.squeeze(0) + 1), (x(1, 3),), sizes=(2, 5))  # an example of size 1 is made larger


class Named(nn.Module):
    """A module with a function as a named submodule, which error messages mention."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.part = Call(function)

    def forward(self, x: torch.Tensor) -> Any:
        return self.part(x)


def _write_by_mask(x: torch.Tensor) -> torch.Tensor:
    x[x[:, 0] > 0, 1] = 0.0
    return x


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda x: torch.linalg.inv(x @ x.T + 1), r"Inv \(part.inv\(\)\): there is no rule for it"),
        (lambda x: x * float(x.sum()), r"Mul \(part\): it takes .* for other values"),
        (lambda x: x * float(x.abs().max()), r"Mul \(part\): it takes 6.0, and .* for other values"),
        (lambda x: x + torch.rand(3), r"Add \(part\): it takes an array \(3,\)"),
        (lambda x: x + torch.as_tensor(np.sort(x.numpy(), 0)), r"Add \(part\): it takes an array"),
        (lambda x: x * 2 if x.sum() > 0 else x.exp(), "the model takes other steps"),
        (lambda x: F.dropout(x), r"Dropout \(part\): it drops values at random"),
        (lambda x: torch.complex(x, x).abs(), r"Complex \(part\)"),
        (lambda x: x[: 1 if x.sum() < 0 else 2], r"GetItem \(part\): one of its settings depends on .* the values"),
        (lambda x: x[True] * 1, r"GetItem \(part\): ONNX has no index that is True or False"),
        (lambda x: _write_by_mask(x + 0), r"SetItem \(part\): a mask must come first, and alone"),
    ],
)
def test_unsupported_operations_raise(function: Any, match: str) -> None:
    torch.manual_seed(0)
    with pytest.raises(NotImplementedError, match=match):
        onnx.export(Named(function), torch.tensor([[1.0, 2.0, 3.5], [-4.0, -5.0, -6.0]]))


def test_values_that_depend_on_dynamic_axes() -> None:
    with pytest.raises(NotImplementedError, match=r"Pow: it takes an array \(4,\)"):
        onnx.export(Call(lambda x: torch.linspace(0, 1, len(x)) ** 2 * x), torch.rand(4), dynamic_axes={"x": [0]})
    with pytest.raises(NotImplementedError, match=r"takes other steps|steps instead of"):
        onnx.export(Call(lambda x: sum(x[i] for i in range(len(x)))), torch.rand(4), dynamic_axes={"x": [0]})
    check(Call(lambda x: torch.arange(len(x)) * x + len(x) * 3 - x.numel() // len(x)), (x(4),))
    check(Call(lambda x: x.reshape(2, -1) if len(x) % 2 == 0 else x[:-1].reshape(2, -1)), (x(4),), sizes=(2, 4, 8))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"opset_version": 12}, "opset_version must be 17 to 23"),
        ({"dynamic_axes": {"z": [0]}}, "dynamic_axes names 'z'"),
        ({"dynamic_axes": {"input": [2]}}, "has no axis 2"),
        ({"input_names": ["a", "b"]}, "2 input_names, but 1 inputs"),
        ({"output_names": ["a", "b"]}, "2 output_names, but 1 outputs"),
        ({"export_params": False}, "export_params"),
        ({"dynamic_axes": {"input": [0]}, "args": torch.ones(0, 2)}, "is empty"),
    ],
)
def test_invalid_arguments_of_export_are_refused(options: dict[str, Any], match: str) -> None:
    args = options.pop("args", torch.ones(1, 2))
    with pytest.raises(ValueError, match=match):
        onnx.export(nn.Linear(2, 2), args, **options)
    with pytest.raises(TypeError, match="unexpected keyword argument 'wrong'"):
        onnx.export(nn.Linear(2, 2), torch.ones(1, 2), wrong=1)


def test_a_custom_function_is_exported_as_its_forward() -> None:
    class Rounded(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return (x > 0).float() * 2

        @staticmethod
        def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
            return grad

    check(Call(lambda x: Rounded.apply(x) + x.exp()), (x(2, 3),))


def test_writes_to_views() -> None:
    def write(a: torch.Tensor) -> Any:
        rows = a * 1
        rows.view(-1, 4)[:, 1:3].mul_(2)
        rows.transpose(1, 2)[:, 0] += 1
        _, second = rows.chunk(2, 2)
        second.zero_()
        return rows, rows.sum()

    check(Call(write), (x(2, 3, 4),), axes={})

    def write_to_base_of_view(a: torch.Tensor) -> Any:
        b = a * 1
        part = b[:, 0]
        b.add_(1)
        return part

    with pytest.raises(NotImplementedError, match="wrote to memory that another Tensor shares"):
        onnx.export(Call(write_to_base_of_view), x(2, 3))


def test_import_and_missing_onnx() -> None:
    """`import torch.onnx` gives microgad's, and if onnx isn't installed, its first use says so."""
    program = """
import sys, io, microgad
with microgad.as_torch():
    import torch, torch.onnx
    from torch import nn
    assert "onnx" not in sys.modules
    file = io.BytesIO()
    torch.onnx.export(nn.Linear(2, 2), torch.ones(1, 2), file, training=torch.onnx.TrainingMode.EVAL)
    assert torch.onnx is microgad.onnx and file.getvalue() and "onnx" in sys.modules
"""
    output_of(program, folder=ROOT)
    program = """
import sys
sys.modules["onnx"] = sys.modules["google"] = None
import microgad.onnx
for name in ("export", "load"):
    try:
        getattr(microgad.onnx, name)
    except ImportError as error:
        print(error)
"""
    needs = "microgad.onnx.{} needs onnx: pip install 'microgad[onnx]'\n"
    assert output_of(program, folder=ROOT) == needs.format("export") + needs.format("load")


def test_scatter_into_views() -> None:
    for function in (
        lambda a, b: a.diagonal_scatter(b[0, :3], 1),
        lambda a, b: a.slice_scatter(b[:, :2], 1, 0, None, 2),
        lambda a, b: a.as_strided_scatter(b[0], (4,), (4,)),
    ):
        check(function, (x(4, 4), x(4, 4)), axes={}, sizes=(4,))
    check(lambda a, b: a.slice_scatter(b, 1, 1, 3), (x(3, 4), x(3, 2)))


def at(*index: Any) -> Any:
    return torch.tensor(index)


COLUMN = at([0], [1], [3])


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: (a.scatter(1, COLUMN, 9.0), a.scatter(0, at([0, 3, 1]), 9.0), a.scatter(-1, COLUMN, b)),
        lambda a, b: (a.clone().scatter_(0, COLUMN, 9), a[0].scatter(0, at(2, 0), b[0]), a.int().scatter(1, COLUMN, 9)),
        lambda a, b: (a.scatter(1, COLUMN, b * 2), a.sum().scatter(0, at(0), 2), a[..., None].scatter(1, at([[1]]), 9)),
        lambda a, b: (a.scatter(1, COLUMN.expand(3, 2), 5.0), a.scatter(1, torch.zeros(0, 1).long(), 5.0)),
        lambda a, b: (a.scatter(1, COLUMN, 9.0, reduce="add"), a.scatter(1, COLUMN, 9.0, reduce="multiply")),
        lambda a, b: (a.scatter_add(1, COLUMN * 0, b), a.scatter_reduce(0, COLUMN * 0, b, "mean", include_self=False)),
        lambda a, b: (a.index_add(1, at(3, 0, 3), b, alpha=2), a.index_copy(1, at(3, 0, 1), b)),
        lambda a, b: (a.index_fill(1, at(-1), 2), a.index_reduce(0, at(0, 2, 0), a[:3] * 2, "prod")),
        lambda a, b: (a.index_select(1, at(3, 3)), a.gather(1, COLUMN), a.sum().gather(0, at(0))),
        lambda a, b: (a.take(at(1, 7)), a.take(at([-1], [2])), a.take_along_dim(at(5, 0))),
        lambda a, b: (a.put(at([1, 7, 3]), b[0]), a.put(at(1, 7, 1), b[0], accumulate=True)),
        lambda a, b: (a.index_put((at(0, 2), at(3, 1)), b[0, :2]), a.index_put((at(0, 0),), b[0, 0], accumulate=True)),
    ],
)
def test_indices_that_are_known(function: Any) -> None:
    check(Call(function), (x(4, 4), x(4, 3)), axes={})


def _write_at(a: torch.Tensor, i: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Results of writes at indices that come as an input, or that leave out some of the elements of an open axis."""
    written = [a.clone() for _ in range(4)]
    written[0][i] = 5.0
    written[1][i, :, 1] = a[0, :, 0]
    written[2][:, [0, 2]] = 5.0
    written[3][::2, None, 1:] = a[0, :1]
    return *written, a.index_put((i, i * 0), a[0, 0], accumulate=True)


def test_writes_at_indices_in_a_graph() -> None:
    proto = check(Call(_write_at), (x(3, 4, 3), torch.tensor([2, 0, -1])), sizes=(3, 6))
    session = runtime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    a, i = x(5, 4, 3), torch.tensor([1, -4])
    found = session.run(None, {"x0": a.numpy(), "x1": i.numpy()})
    for array, expected in zip(found, _write_at(a, i), strict=True):
        np.testing.assert_allclose(array, expected.numpy(), rtol=1e-6)


@pytest.mark.parametrize("i", [0, 1])
def test_an_index_of_equal_numbers_is_not_taken_for_a_constant(i: int) -> None:
    """Flat indices into more than one dimension are computed outside of the recorded steps."""
    with pytest.raises(NotImplementedError, match=r"SetItem: it takes an array \(2, 2\), .* depends on"):
        onnx.export(lambda a, i: a.scatter(1, i, 9.0), (x(3, 4), torch.full((2, 2), i)))


def gradient_of(function: Any) -> Any:
    """A function that computes the gradient of `function`, recorded in the model."""

    def gradient(a: Any) -> Any:
        with torch.enable_grad():
            a = a.detach().requires_grad_()
            return torch.autograd.grad(function(a), a, create_graph=True)[0]

    return gradient


def test_gradients_computed_in_a_model() -> None:
    """A derivative can be exported only if its own operations, such as the adjoints, have rules."""
    for function in (
        lambda a: (a.permute(1, 2, 0) ** 3 * torch.arange(27.0).reshape(3, 3, 3)).sum(),
        lambda a: (a.reshape(27).double().clone() ** 3).sum(),
        lambda a: (a.tanh() * a.flip(0).tril()).sum(),
    ):
        check(gradient_of(function), (x(3, 3, 3),), axes={}, sizes=(3,))
    for function in (lambda a: (a.cumsum(0) ** 3).sum(), lambda a: (a.roll(1) ** 3 * torch.arange(2.0)).sum()):
        with pytest.raises(NotImplementedError, match="Adjoint: there is no rule for it"):
            onnx.export(gradient_of(function), (x(2),))
    with pytest.raises(NotImplementedError, match="Median: there is no rule for it"):
        onnx.export(lambda a: a.nanmedian(), (x(2),))
