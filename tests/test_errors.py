"""Errors name the operation, its module, the broken rule and the arguments. A call that raises changes nothing."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import errors, nn
from microgad.errors.arguments import type_check
from microgad.errors.forwards import in_forward
from microgad.state import composite


def test_a_convolution_of_too_few_channels_names_the_module_and_both_sides() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(3, 10, 3))

        def forward(self, x):  # type: ignore[no-untyped-def]
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
    ("call", "kind", "message"),
    [
        (lambda: torch.zeros(2, 3) + torch.zeros(4), ValueError, r"Add: .*\(a \(2, 3\), b \(4,\)\)"),
        (lambda: torch.zeros(2, 3) @ torch.zeros(4, 5), RuntimeError, "MatMul: mat1 and mat2 shapes cannot"),
        (lambda: torch.zeros(2).sum(dim=3), IndexError, r"sum: Dimension out of range .* but got 3"),
        (lambda: torch.zeros(2)[5], IndexError, "GetItem: index 5 is out of bounds"),
        (lambda: torch.zeros(2)[torch.zeros(1)], IndexError, "tensors used as indices must be long, int"),
        (lambda: torch.tensor([1, 2]).mean(), RuntimeError, "mean: .* must be either a floating point or complex"),
        (lambda: torch.zeros(2).reshape(3), RuntimeError, "invalid for input of size 2"),
        (lambda: torch.zeros(2, 3).permute(0, 0), RuntimeError, "permute"),
        (lambda: torch.cat([]), ValueError, r"cat\(\): expected a non-empty list"),
        (lambda: torch.cat([torch.zeros(2, 2), torch.zeros(3)]), RuntimeError, "cat: Tensors must have same"),
        (lambda: torch.zeros(2).item(), RuntimeError, "2 elements cannot be converted to Scalar"),
        (lambda: bool(torch.zeros(2)), RuntimeError, "ambiguous"),
        (lambda: torch.device("tpu"), RuntimeError, "Expected one of cpu, cuda device type"),
        (lambda: torch.mul(torch.zeros(2), "2"), TypeError, "'other' .* must be Tensor, not str"),
        (lambda: torch.clamp(torch.zeros(2)), ValueError, "At least one of 'min' or 'max'"),
        (lambda: torch.ones(2, 2, dtype=bool) @ torch.ones(2, 2, dtype=bool), NotImplementedError, "for bool"),
        (lambda: torch.linalg.cholesky(torch.ones(2, 2, dtype=int)), NotImplementedError, "floating point or complex"),
        (lambda: torch.split(torch.zeros(4), [1, 1]), RuntimeError, r"split_sizes to sum exactly to 4 .* sum to 2"),
    ],
)  # fmt: skip
def test_wrong_arguments_raise_an_error_that_names_the_rule(call: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: torch.exp([1.0]), r"exp\(\): argument 'input' \(position 1\) must be Tensor, not list"),
        (lambda x: torch.matmul([[1.0]], x), r"matmul\(\): argument 'input' must be Tensor, not list"),
        (lambda x: torch.transpose("a", 0, 1), r"transpose\(\): argument 'input' \(position 1\) .*, not str"),
        (
            lambda x: torch.nn.functional.mse_loss(x, target=None),
            r"mse_loss\(\): argument 'target' must be .* NoneType",
        ),
        (lambda x: torch.sum(x=[1.0]), r"sum\(\): argument 'input' must be Tensor, not list"),
        (lambda x: x.dot((1.0, 2.0)), r"dot\(\): argument 'tensor' \(position 2\) must be Tensor, not tuple"),
        (lambda x: x.masked_fill_([True], 0), r"masked_fill_\(\): argument 'mask' \(position 1\) .*, not list"),
        (lambda x: x.masked_fill_(x > 0), r"masked_fill_\(\) missing 1 required positional argument: 'value'"),
        (lambda x: torch.block_diag(x, [1.0]), r"block_diag\(\): argument 'tensors' \(position 2\) .*, not list"),
        (lambda x: torch.meshgrid([x, "a"]), r"meshgrid\(\): expected Tensor as element 1 in argument 'tensors'"),
        (lambda x: torch.sigmoid(None), r"sigmoid\(\): argument 'input' \(position 1\) must be Tensor, not NoneType"),
        (lambda x: torch.where(x > 0, x, None), r"where\(\): argument 'other' must be Tensor or Number, not NoneType"),
        (lambda x: torch.exp(3.0), r"exp\(\): argument 'input' \(position 1\) must be Tensor, not float"),
        (lambda x: torch.erf(True), r"erf\(\): argument 'input' \(position 1\) must be Tensor, not bool"),
        (lambda x: torch.abs_(3), r"abs_\(\): argument 'input' \(position 1\) must be Tensor, not int"),
        (lambda x: torch.is_complex(3), r"is_complex\(\): argument 'input' \(position 1\) must be Tensor, not int"),
        (lambda x: torch.bmm(x, "a"), r"bmm\(\): argument 'batch2' must be Tensor, not str"),
        (
            lambda x: torch.outer(torch.ones(2, 2), 1),
            r"outer\(\): argument 'vec2' \(position 2\) must be Tensor, not int",
        ),
        (lambda x: torch.celu(x, "a"), r"celu\(\): argument 'alpha' \(position 2\) must be float, not str"),
        (
            lambda x: torch.reshape(x, [1.0]),
            r"reshape\(\): argument 'shape' must be tuple of ints, got \[1.0\]",
        ),
        (
            lambda x: torch.broadcast_to(x, "a"),
            r"broadcast_to\(\): argument 'size' must be tuple of ints, got 'a'",
        ),
        (lambda x: torch.nn.functional.adaptive_avg_pool2d(x, "a"), r"pool2d\(\): argument 'output_size' .*, got 'a'"),
        (
            lambda x: torch.flip(x, None),
            r"flip\(\): argument 'dims' \(position 2\) must be int or a tuple of ints, got None",
        ),
        (
            lambda x: torch.permute(x, None),
            r"permute\(\): argument 'dims' \(position 2\) must be tuple of ints, not None",
        ),
        (
            lambda x: x.split([None, 1]),
            r"split_with_sizes\(\): argument 'split_sizes' \(position 2\) .*, got \(None, 1\)",
        ),
        (
            lambda x: torch.cat(None),
            r"cat\(\): argument 'tensors' \(position 1\) must be tuple of Tensors, not NoneType",
        ),
        (
            lambda x: torch.linalg.multi_dot("abc"),
            r"multi_dot\(\): argument 'tensors' .* must be tuple of Tensors, not str",
        ),
        (
            lambda x: torch.atleast_2d(3),
            r"atleast_2d\(\): argument 'tensors' .* must be Tensor or tuple of Tensors, not int",
        ),
        (lambda x: torch.normal(x, [1.0, 2.0]), r"normal\(\): argument 'std' .* must be Tensor or Number, not list"),
        (
            lambda x: torch.narrow(x, 0, 0.5, 1),
            r"narrow\(\) received an invalid .* - got \(Tensor, int, float, int\): 'float'",
        ),
        (
            lambda x: torch.randint(2.5, (2,)),
            r"randint\(\) received an invalid combination .* - got \(float, tuple\): 'float'",
        ),
        (
            lambda x: x.max(dim=torch.tensor(1.0)),
            r"max\(\) received an .* - got \(Tensor, dim=Tensor\): only integer tensors",
        ),
        (lambda x: torch.add(x, [1], alpha=2), r"add\(\): argument 'other' must be Tensor, not list"),
        (lambda x: torch.full((2,), None), r"full\(\): argument '.*' must be Number, not NoneType"),
    ],
)
def test_an_argument_of_a_wrong_type_is_named(call: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call(torch.ones(2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: torch.mv(x, torch.ones(1)), r"mv: .* \(2x3 and 1x1\) \(input \(2, 3\), vec \(1,\)\)$"),
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
        return x.shap  # type: ignore[attr-defined]

    with pytest.raises(AttributeError, match="no attribute 'shap'") as caught:
        typo(torch.ones(2))
    assert not isinstance(caught.value, TypeError)


def test_a_type_error_of_a_callback_passes_through_unchanged() -> None:
    def broken(x: torch.Tensor, y: torch.Tensor) -> Any:
        return len(None)  # type: ignore[arg-type]

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
        call(x)  # type: ignore[operator]
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
)  # fmt: skip
def test_wrong_sizes_devices_dims_and_states_raise(call: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()  # type: ignore[operator]


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
        call(net)  # type: ignore[operator]
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
)  # fmt: skip
def test_out_of_memory_names_the_operation_in_pytorch_s_words(call: object, op: str, size: int) -> None:
    """Programs look for PyTorch's words in the message, to try again with a smaller batch."""
    huge = torch.ones(1, 1).expand(10**8, 10**8)
    with pytest.raises(RuntimeError) as caught:
        call(huge)  # type: ignore[operator]
    assert isinstance(caught.value, MemoryError)
    assert str(caught.value).startswith(op)
    message = f"DefaultCPUAllocator: can't allocate memory: you tried to allocate {size * 10**16} bytes"
    assert message in str(caught.value)


def test_out_of_memory_on_a_gpu_raises_pytorch_s_classes() -> None:
    class OutOfMemoryError(MemoryError):  # a class of CuPy's name
        pass

    class Full(torch.Function):
        def forward(self, x):  # type: ignore[no-untyped-def]
            raise OutOfMemoryError("Out of memory allocating 8 bytes")

        def grad_x(self, grad):  # type: ignore[no-untyped-def]
            return grad

    message = r"Full: CUDA out of memory. Out of memory allocating 8 bytes .x \(2,\)"
    for caught in (RuntimeError, torch.OutOfMemoryError, torch.cuda.OutOfMemoryError):
        with pytest.raises(caught, match=message):
            Full.apply(torch.ones(2))


def test_type_check_is_none_for_functions_without_numeric_parameters() -> None:
    def plain(input: torch.Tensor, size: tuple[int, ...]) -> bool:
        return True

    def numeric(input: torch.Tensor, *, dim: int = 0) -> bool:
        return True

    assert type_check(plain) is None
    check = type_check(numeric)
    assert check is not None
    with pytest.raises(TypeError, match=r"numeric\(\): argument 'dim' must be int, not str"):
        check((), {"dim": "a"})


def test_sobol_sequences_need_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(ImportError, match=r"SobolEngine needs SciPy.*pip install scipy"):
        torch.quasirandom.SobolEngine(2)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda p: nn.functional.leaky_relu(torch.ones(2), p), "negative_slope"),
        (lambda p: nn.functional.elu(torch.ones(2), alpha=p), "alpha"),
        (lambda p: nn.functional.celu(torch.ones(2), p), "alpha"),
        (lambda p: nn.functional.softplus(torch.ones(2), p), "beta"),
        (lambda p: nn.functional.rrelu(torch.ones(2), p, 1.0), "lower"),
        (lambda p: nn.functional.huber_loss(torch.ones(2), torch.zeros(2), delta=p), "delta"),
        (lambda p: nn.functional.cross_entropy(torch.ones(1, 2), torch.tensor([0]), label_smoothing=p), "smoothing"),
        (lambda p: nn.functional.pairwise_distance(torch.ones(1, 2), torch.zeros(1, 2), eps=p), "eps"),
    ],
)
def test_a_tensor_is_rejected_as_a_number_that_would_get_no_gradient(call: Any, argument: str) -> None:
    with pytest.raises(TypeError, match=f"{argument}.* must be float, not Tensor"):
        call(torch.tensor(0.5, requires_grad=True))
    with pytest.raises(TypeError, match=f"{argument}.* must be float, not Tensor"):
        call(torch.tensor([0.5]))
    assert torch.equal(call(torch.tensor(0.5)), call(0.5))


def test_the_temperature_of_gumbel_softmax_may_require_grad() -> None:
    tau = torch.tensor([0.5], requires_grad=True)
    nn.functional.gumbel_softmax(torch.tensor([1.0, 2.0]), tau)[0].backward()
    assert tau.grad is not None


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
        lambda x: torch.sum(x, foo=1),  # type: ignore[call-overload]
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


@pytest.mark.parametrize(
    "call",
    [
        lambda x, **dim: torch.max(x, **dim), lambda x, **dim: x.min(**dim), lambda x, **dim: torch.prod(x, **dim),
        lambda x, **dim: x.median(**dim), lambda x, **dim: torch.nanmedian(x, **dim),
        lambda x, **dim: x.squeeze(**dim), lambda x, **dim: torch.logsumexp(x, **dim or {"dim": (0, 1)}),
    ],
)  # fmt: skip
def test_a_dim_may_be_left_out_but_not_be_none(call):
    """A variable that is None by mistake would give the result over all dims."""
    assert call(torch.ones(2, 2)) is not None
    with pytest.raises(TypeError, match=r"argument 'dim' must be int( or tuple of ints)?, not NoneType"):
        call(torch.ones(2, 2), dim=None)


@pytest.mark.parametrize(
    "call",
    [
        lambda: torch.eye(3, None), lambda: torch.arange(None, 5, 1), lambda: torch.arange(0, None),
        lambda: torch.arange(start=0, end=None), lambda: torch.randint(None, 5, (2,)),
        lambda: torch.ones(1).random_(None, 5), lambda: torch.ones(1).random_(None),
    ],
)  # fmt: skip
def test_a_bound_may_be_left_out_but_not_be_none(call):
    with pytest.raises(TypeError, match=r"must be (int|Number), not NoneType"):
        call()


def test_numpy_s_functions_take_none_for_an_axis():
    x, y = np.array([[[1.0, 2.0]], [[3.0, 4.0]]]), torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]])
    for function in (np.prod, np.max, np.median, np.squeeze, np.logaddexp.reduce):
        assert np.allclose(function(y, axis=None), function(x, axis=None), rtol=1e-6)
    assert np.prod(y, keepdims=True).shape == (1, 1, 1)
    assert torch.masked.prod(y, None, keepdim=True).shape == (1, 1, 1)
    assert torch.masked.logsumexp(y).shape == ()


MARGIN_LOSS = nn.functional.multilabel_margin_loss
BCE_OF_LOGITS = nn.functional.binary_cross_entropy_with_logits


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: MARGIN_LOSS(x, torch.tensor([[-2, 1], [0, 1]])), RuntimeError, "classes outside of 0 to 1"),
        (lambda x: MARGIN_LOSS(x, torch.tensor([[-1, 2], [0, 1]])), RuntimeError, "classes outside of 0 to 1"),
        (lambda x: nn.functional.embedding_bag(torch.tensor([[0]]), x.long()), RuntimeError, "must be floating-point"),
        (lambda x: BCE_OF_LOGITS(x, x, pos_weight=3), TypeError, "'pos_weight' must"),
        (lambda x: BCE_OF_LOGITS(x, x, weight=3), TypeError, "'weight' must"),
        (lambda x: nn.functional.binary_cross_entropy(x, x, weight=2.5), TypeError, "'weight' must be"),
        (lambda x: nn.functional.batch_norm(x, x[0].double(), x[0], training=True), RuntimeError, "running_mean must"),
        (lambda x: nn.functional.batch_norm(x, x[0], x[0].double(), training=True), RuntimeError, "running_var must"),
        (lambda x: torch.autograd.graph.saved_tensors_hooks(abs, 4).__enter__(), TypeError, "expected two functions"),
    ],
)  # fmt: skip
def test_arguments_that_were_computed_with_although_pytorch_refuses_them(call, error, message):
    with pytest.raises(error, match=message):
        call(torch.ones(2, 2))


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
        (lambda x: nn.LSTM(2, 2)(x, x), IndexError, "hx must be 2 states"),
        (lambda x: nn.Embedding(-1, 4, padding_idx=0), RuntimeError, "negative dimension -1"),
        (lambda x: nn.Embedding(3, 4, padding_idx=3), AssertionError, "must be within num_embeddings"),
        (lambda x: torch.autograd.grad("a", x), AssertionError, "Expected output to be a torch.Tensor"),
        (lambda x: torch.autograd.backward([x.requires_grad_().sum(), 3.0]), AssertionError, "output 1 is of type"),
        (lambda x: x.requires_grad_()[0].backward([1.0, 1.0]), TypeError, "either Tensors or None, but got float"),
    ],
)  # fmt: skip
def test_errors_have_pytorch_s_classes(call, error, message):
    with pytest.raises(error, match=message) as raised:
        call(torch.ones(2, 2))
    assert error is IndexError or not isinstance(raised.value, IndexError)
