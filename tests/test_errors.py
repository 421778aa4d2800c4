"""Errors name the operation, its module, the broken rule and the arguments. A call that raises changes nothing."""

from __future__ import annotations

import gc
import re
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import errors, nn
from microgad.errors.forwards import in_forward
from microgad.state import composite


def test_a_convolution_of_too_few_channels_names_the_module_and_both_sides() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(3, 10, 3))

        def forward(self, x):
            return self.features(x)

    with pytest.raises(RuntimeError) as caught:
        Net()(torch.zeros(8, 1, 28, 28))
    message = str(caught.value)
    assert message.startswith(
        "Conv2d (features.0): Given groups=1, weight of size [10, 3, 3, 3], expected input[8, 1, 28, 28] to have 3 "
        "channels, but got 1 channels instead (input (8, 1, 28"
    )
    assert "weight (10, 3, 3, 3)" in message


def test_a_linear_layer_of_the_wrong_size_names_its_module() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 2))
    with pytest.raises(RuntimeError, match=r"Linear \(1\): mat1 and mat2 shapes cannot be multiplied.*input \(2, 4\)"):
        net(torch.zeros(2, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: torch.mv(x, torch.ones(1)), r"Mv: .*, mat \(2x3\), vec \(1\) \(input \(2, 3\), vec \(1,\)\)$"),
        (lambda x: torch.max(x, torch.ones(5, 3)), r"max: .* \(input \(2, 3\), other \(5, 3\)\)$"),
        (lambda x: nn.MSELoss()(x, torch.ones(5, 3)), r"mse_loss: .* \(input \(2, 3\), target \(5, 3\)\)$"),
        (lambda x: torch.exp(x, out=x.long()), "exp: result type Float can't be cast to the desired output type Long"),
        (lambda x: torch.mean(x, 1, out=x.long()), "mean: result type Float can't be cast to the .* type Long"),
        (lambda x: torch.matmul(x, x), r"MatMul: .* \(input \(2, 3\), other \(2, 3\)\)$"),
        (lambda x: torch.add(x, torch.ones(4)), r"Add: .* \(input \(2, 3\), other \(4,\)\)$"),
        (
            lambda x: torch.addcmul(x, x + 1, torch.ones(4)),
            r"Mul \(addcmul\(\)\): .* \(tensor1 \(2, 3\), tensor2 \(4,\)\)$",
        ),
        (lambda x: nn.functional.batch_norm(x, torch.ones(4), torch.ones(4)), r"batch_norm: .*, running_var \(4,\)\)$"),
        (lambda x: x.to("meta").cpu(), r"cpu: .* \(self \(2, 3\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:Using a target size")
def test_an_error_from_a_forward_has_the_names_of_the_function_that_was_called(call: Any, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        call(torch.ones(2, 3))


class Broken(torch.Function):
    def forward(self, x: Any) -> Any:
        return x + np.ones(7)


@pytest.mark.parametrize(
    ("call", "cause"),
    [
        (lambda x: x + torch.ones(7), type(None)),
        (lambda x: x.add_(torch.ones(7)), type(None)),
        (lambda x: nn.Linear(4, 2)(x), type(None)),
        (lambda x: x.to(torch.complex64).remainder(2), type(None)),
        (lambda x: x.expand(10**8, 2, 3) * torch.ones(10**8, 1, 1, 1), MemoryError),
        (Broken.apply, ValueError),  # whose traceback has the line of the program's own forward
    ],
)
def test_an_error_that_says_all_of_its_cause_is_printed_alone(call: Any, cause: type) -> None:
    with pytest.raises(RuntimeError) as caught:
        call(torch.ones(2, 3))
    assert type(caught.value.__cause__) in (cause, *cause.__subclasses__())
    assert caught.value.__suppress_context__


def test_a_missing_attribute_in_a_composite_function_raises_attribute_error() -> None:
    @composite
    def typo(x: torch.Tensor) -> Any:
        return x.shap

    with pytest.raises(AttributeError, match="no attribute 'shap'") as caught:
        typo(torch.ones(2))
    assert not isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda self, x: x.exp(), "no attribute 'exp'; arrays lack a Tensor's methods: write np.exp(x)"),
        (lambda self, x: x.unsqueeze(0), "no attribute 'unsqueeze'; arrays lack a Tensor's methods"),
        (lambda self, x: x * self.k, "no attribute 'k'; a setting is given by name, Op.apply(x, k=...), and its"),
        (lambda self, x: np.expp(x), "module 'numpy' has no attribute 'expp'"),
    ],
)
def test_an_attribute_that_a_forward_lacks_is_named_with_the_operation_and_its_module(
    forward: Any, message: str
) -> None:
    op: Any = type("Op", (torch.Function,), {"forward": forward, "grad_x": lambda self, grad: grad})

    class Layer(nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return op.apply(x)

    with pytest.raises(AttributeError, match=rf"^Op \(0\): .*{re.escape(message)}") as caught:
        nn.Sequential(Layer())(torch.ones(2))
    assert isinstance(caught.value.__cause__, AttributeError)
    with pytest.raises(AttributeError, match=rf"^Op: .*{re.escape(message)}"):
        op.apply_(torch.ones(2))


@pytest.mark.parametrize(
    ("grad_x", "create_graph", "note"),
    [
        (lambda self, grad, x: grad * x.exp(), False, "arrays lack a Tensor's methods: write np.exp(x)"),
        (lambda self, grad, x: grad * self.k, False, "a setting is given by name, Op.apply(x, k=...)"),
        (lambda self, grad, x: grad * self.k, True, "a setting is given by name, Op.apply(x, k=...)"),
    ],
)
def test_an_attribute_that_a_derivative_lacks_is_explained(grad_x: Any, create_graph: bool, note: str) -> None:
    op: Any = type("Op", (torch.Function,), {"forward": lambda self, x: np.exp(x), "grad_x": grad_x})
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(AttributeError, match="has no attribute") as caught:
        op.apply(x).sum().backward(create_graph=create_graph)
    assert caught.value.__notes__[0].startswith(f"In the derivative of Op: {note}")


def test_a_type_error_of_a_callback_passes_through_unchanged() -> None:
    def broken(x: torch.Tensor, y: torch.Tensor) -> Any:
        return len(None)

    with pytest.raises(TypeError, match=r"^object of type 'NoneType' has no len\(\)$"):
        torch.nn.functional.triplet_margin_with_distance_loss(*[torch.ones(2, 2)] * 3, distance_function=broken)


def test_an_error_raised_in_a_callback_passes_through_unchanged() -> None:
    """Its context, the error that was being handled, is kept as well."""

    def broken(x: torch.Tensor, y: torch.Tensor) -> Any:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("then")  # noqa: B904

    with pytest.raises(ValueError, match="then") as caught:
        torch.nn.functional.triplet_margin_with_distance_loss(*[torch.ones(2, 2)] * 3, distance_function=broken)
    assert isinstance(caught.value.__context__, KeyError)
    assert not caught.value.__suppress_context__


def test_exceptions_are_subclasses_of_those_that_pytorch_raises() -> None:
    for cls in (errors.ShapeError, errors.DtypeError, errors.DeviceError, errors.GraphError, errors.ArgumentError):
        assert issubclass(cls, RuntimeError)
    assert issubclass(errors.DimError, IndexError)


def test_a_layer_that_raises_changes_no_buffer_and_draws_nothing() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(4, 2))
    before = {name: value.cpu().numpy().copy() for name, value in net.state_dict().items()}
    state = torch.get_rng_state().cpu().numpy().copy()
    for layer, x in zip(net, (torch.zeros(5, 4), torch.tensor([1, 2]), torch.zeros(2, 3)), strict=True):
        with pytest.raises((RuntimeError, ValueError, TypeError, IndexError)):
            layer(x)
    after = net.state_dict()
    assert all(np.array_equal(before[name], after[name].cpu().numpy()) for name in before)
    assert np.array_equal(state, torch.get_rng_state().cpu().numpy())


def test_an_error_about_two_devices_names_both() -> None:
    class GpuTensor:
        shape, dtype, device = (2,), torch.float32, torch.device("cuda", 0)

    inputs = torch.zeros(2, device="cpu"), GpuTensor()
    error = in_forward(TypeError("Unsupported type"), "Add", "block", ("a", "b"), inputs)
    assert isinstance(error, errors.DeviceError)
    rule = "Expected all tensors to be on the same device, but found at least two devices, cpu and cuda:0!"
    assert str(error) == f"Add (block): {rule} (a (2,) on cpu, b (2,) on cuda:0)"


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda x: x.sum().backward("a"), TypeError, "either Tensors or None, but got str"),
        (
            lambda x: (x * 2).backward(torch.ones(2) + 1j),
            RuntimeError,
            "grad_output and output are required to have the same dtype",
        ),
        (lambda x: torch.autograd.grad(x.sum(), []), RuntimeError, "`inputs` argument to `grad..` cannot be empty"),
        (lambda x: torch.ones(2).clamp_(), RuntimeError, "clamp_: At least one of 'min' or 'max'"),
    ],
)
def test_wrong_gradients_and_bounds_raise_and_leave_grad_none(
    call: object, kind: type[Exception], message: str
) -> None:
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(kind, match=message):
        call(x)
    assert x.grad is None


def test_no_out_is_written_where_one_of_several_has_the_wrong_dtype() -> None:
    x = torch.tensor([2.0, 1.0])
    values, indices = torch.zeros(2), torch.zeros(2, dtype=torch.int32).bool()
    with pytest.raises(RuntimeError, match=r"sort: Expected out tensor to have dtype torch.int64"):
        torch.sort(x, out=(values, indices))
    assert values.tolist() == [0, 0]
    assert values._version == 0


def test_an_out_with_elements_becomes_a_single_number() -> None:
    out = torch.ones(2, 2)
    with pytest.warns(UserWarning, match=r"shape \[2, 2\], which does not match the required output shape \[\]"):
        torch.mean(torch.arange(4.0), out=out)
    assert out.shape == ()
    assert out.item() == 1.5


@pytest.mark.parametrize(
    "name", ["add", "div", "maximum", "clamp_min", "atan2", "lt", "logical_or", "remainder", "addcmul", "lerp", "where"]
)
def test_an_operand_that_is_broadcast_is_no_out(name: str) -> None:
    x, bias = torch.ones(2, 2), torch.tensor([1.0, 2.0])
    inputs = {"addcmul": (x, x, bias), "lerp": (x, bias, 0.5), "where": (x > 0, x, bias)}.get(name, (x, bias))
    with pytest.raises(RuntimeError, match=r"output with shape \[2\] doesn't match the broadcast shape \[2, 2\]"):
        getattr(torch, name)(*inputs, out=bias)
    assert bias.tolist() == [1, 2]
    assert bias._version == 0


@pytest.mark.parametrize("name", ["amax", "aminmax", "signbit", "frexp", "nonzero", "isposinf", "neg", "sgn"])
def test_an_out_of_another_dtype_raises_where_pytorch_does_not_cast(name: str) -> None:
    x = torch.tensor([1.0])
    result = getattr(torch, name)(x)
    several = isinstance(result, tuple)
    out = [torch.empty(0, dtype=torch.float16) for _ in result] if several else torch.empty(0, dtype=torch.float16)
    with pytest.raises(RuntimeError, match=f"{name}: Expected out tensor to have dtype"):
        getattr(torch, name)(x, out=out)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: torch.utils.data.random_split(range(4), [-1, 5]), ValueError, "must not be negative"),
        (lambda: torch.device("cuda", -1), RuntimeError, "must not be negative, got -1"),
        (lambda: nn.ReLU().to("tpu"), RuntimeError, "Expected one of cpu, cuda device type"),
        (lambda: torch.norm_except_dim(torch.ones(2, 2), dim=7), IndexError, "norm_except_dim: Dimension out of range"),
        (lambda: nn.LSTM(2, 3)(torch.ones(1, 1, 2), (torch.ones(1, 1, 3),)), ValueError, r"LSTM: hx must be 2 states"),
        (lambda: torch.randint(1.5, (2,)), TypeError, "'float' object cannot be interpreted as an integer"),
    ],
)
def test_wrong_sizes_devices_dims_and_states_raise(call: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


def test_a_backward_hook_has_to_return_tensors() -> None:
    net = nn.Linear(2, 2)
    net.register_full_backward_hook(lambda module, grad_input, grad_output: 5)
    with pytest.raises(TypeError, match="Backward hook: expected a Tensor or None for each gradient, got int"):
        net(torch.ones(1, 2, requires_grad=True)).sum().backward()


@pytest.mark.parametrize(
    "call",
    [
        lambda net: torch.nn.utils.prune.l1_unstructured(net, "weight", 50),
        lambda net: torch.nn.utils.prune.custom_from_mask(net, "weight", torch.ones(9)),
        lambda net: torch.nn.utils.weight_norm(net, dim=7),
    ],
)
@pytest.mark.filterwarnings("ignore:.torch.nn.utils.weight_norm. is deprecated:FutureWarning")
def test_failed_pruning_or_weight_norm_keeps_the_order_of_parameters(call: object) -> None:
    net = nn.Linear(2, 2)
    before = [(name, id(p)) for name, p in net.named_parameters()]
    with pytest.raises((ValueError, AssertionError, IndexError)):
        call(net)
    assert [(name, id(p)) for name, p in net.named_parameters()] == before
    net(torch.ones(1, 2))


@pytest.mark.host("CuPy's message is another one")
@pytest.mark.parametrize(
    ("call", "op", "size"),
    [
        (lambda x: x + 1, "Add", 4),
        (lambda x: x[:, :1] @ x[:1], "MatMul", 4),
        (lambda x: x > 0, "Greater", 1),
        (lambda x: x.double(), "to: ", 8),
        (lambda x: torch.where(x > 0, 1, 0), "Greater", 1),
        (lambda x: torch.cat([x, x]), "Cat", 8),
        (lambda x: nn.ReLU()(x), "Relu", 4),
        (lambda x: x.requires_grad_()[0, 0].backward(), "GetItem, backward", 4),
        (lambda x: torch.autograd.grad(x.requires_grad_()[0, 0], x, create_graph=True), "GetItem, backward", 4),
    ],
)
def test_out_of_memory_names_the_operation_in_pytorch_s_words(call: object, op: str, size: int) -> None:
    """Programs look for PyTorch's words in the message, to try again with a smaller batch."""
    huge = torch.ones(1, 1).expand(10**8, 10**8)
    with pytest.raises(RuntimeError) as caught:
        call(huge)
    assert isinstance(caught.value, MemoryError)
    assert str(caught.value).startswith(op)
    message = f"DefaultCPUAllocator: can't allocate memory: you tried to allocate {size * 10**16} bytes"
    assert message in str(caught.value)


def test_out_of_memory_on_a_gpu_raises_pytorch_s_classes() -> None:
    class OutOfMemoryError(MemoryError):  # a class of CuPy's name
        pass

    class Full(torch.Function):
        def forward(self, x):
            raise OutOfMemoryError("Out of memory allocating 8 bytes")

        def grad_x(self, grad):
            return grad

    message = r"Full: CUDA out of memory. Out of memory allocating 8 bytes .x \(2,\)"
    for caught in (RuntimeError, torch.OutOfMemoryError, torch.cuda.OutOfMemoryError):
        with pytest.raises(caught, match=message):
            Full.apply(torch.ones(2))


def test_sobol_sequences_need_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(ImportError, match=r"SobolEngine needs SciPy.*pip install scipy"):
        torch.quasirandom.SobolEngine(2)


@pytest.mark.parametrize("op", ["add_", "div_", "pow_", "xlogy_", "remainder_"])
def test_in_place_results_that_integers_cannot_hold_raise_and_name_both_dtypes(op):
    message = "result type Float can't be cast to the desired output type Long"
    with pytest.raises(errors.DtypeError, match=message):
        getattr(torch.ones(2).long(), op)(0.5)
    with pytest.raises(errors.DtypeError, match=message):
        torch.ones(2).long().sqrt_()


@pytest.mark.parametrize(
    "call",
    [
        lambda x: torch.cat([x, torch.ones(2, 2)]),
        lambda x: x[7],
        lambda x: x.softmax(4),
        lambda x: torch.sum(x, foo=1),
        lambda x: torch.linalg.cholesky(-x.view(2, 2)),
        lambda x: x.split("a"),
        lambda x: nn.functional.cross_entropy(x, torch.ones(3, 3)),
        lambda x: x.as_strided((9,), (1,)),
        lambda x: nn.functional.conv2d(x, x),
        np.linalg.det,
    ],
)
def test_a_failed_call_keeps_its_operands_no_longer_than_its_error(call: Callable[[torch.Tensor], Any]) -> None:
    """The error's traceback holds frames. If one of them held the error, only the collector could free the operands."""
    x = torch.ones(4, requires_grad=True)
    weak = weakref.ref(x)
    gc.disable()
    try:
        with pytest.raises(Exception):  # noqa: B017, PT011  # the class doesn't matter here
            call(x)
        del x
        assert weak() is None
    finally:
        gc.enable()


def test_randperm_resizes_out_to_one_dimension():
    out = torch.empty(2, 3, dtype=torch.int64)
    assert torch.randperm(6, out=out) is out
    assert out.shape == (6,)
    assert sorted(out.tolist()) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: x.index_copy_(1, torch.tensor([0]), torch.ones(3, 1)), RuntimeError, "source tensor shape"),
        (lambda x: x.index_copy_(1, torch.tensor([0]), torch.ones(2, 2)), IndexError, "source tensor shape"),
        (lambda x: nn.EmbeddingBag(3, 2, max_norm=1.0)(torch.tensor([[5]])), IndexError, "index out of range"),
        (lambda x: nn.EmbeddingBag(3, 2)(torch.tensor([[5]])), RuntimeError, "Expected idx >= 0"),
        (lambda x: nn.LSTM(2, 2)(x, x[:1]), IndexError, "hx must be 2 states"),
        (lambda x: nn.LSTM(2, 2)(x, x), RuntimeError, r"hx and cx should also be 2-D but got \(1-D, 1-D\) tensors"),
        (lambda x: nn.GRU(2, 2)(x, (x[:1], x[:1])), AttributeError, "'tuple' object has no attribute"),
        (lambda x: nn.Embedding(-1, 4, padding_idx=0), RuntimeError, "negative dimension -1"),
        (lambda x: nn.Embedding(3, 4, padding_idx=3), AssertionError, "must be within num_embeddings"),
        (lambda x: torch.autograd.grad("a", x), AssertionError, "Expected output to be a torch.Tensor"),
        (lambda x: torch.autograd.backward([x.requires_grad_().sum(), 3.0]), AssertionError, "output 1 is of type"),
        (lambda x: x.requires_grad_()[0].backward([1.0, 1.0]), TypeError, "either Tensors or None, but got float"),
    ],
)
def test_errors_have_pytorch_s_classes(call, error, message):
    with pytest.raises(error, match=message) as raised:
        call(torch.ones(2, 2))
    assert error is IndexError or not isinstance(raised.value, IndexError)
