"""The strategies of `microgad.testing`: what they draw is valid, varied, and shrinks to simple examples."""

from __future__ import annotations

import importlib
import importlib.util

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import microgad as torch
import microgad.nn.functional as F
from microgad.engine import derivatives
from microgad.testing import strategies as s


def optional_torch():
    """PyTorch, to compare with what it accepts; None if it isn't installed."""
    return importlib.import_module("torch") if importlib.util.find_spec("torch") else None


@given(st.data())
def test_tensors_have_the_given_shape_dtype_and_requires_grad(data):
    shape = data.draw(s.shapes(min_side=0))
    dtype = data.draw(st.sampled_from([torch.float32, torch.float64, torch.int64, torch.bool]))
    requires_grad = dtype.is_floating_point and data.draw(st.booleans())
    x = data.draw(s.tensors(shape, dtype, requires_grad=requires_grad))
    assert tuple(x.shape) == shape
    assert x.dtype == dtype
    assert x.requires_grad == requires_grad
    assert type(x.array) is np.ndarray


@given(s.tensors(unique=True))
def test_unique_values(x):
    assert len(np.unique(x.array)) == x.numel()


@given(st.integers(1, 4).flatmap(lambda n: s.broadcastable_shapes(n, min_side=0)))
def test_shapes_broadcast_together(shapes):
    np.broadcast_shapes(*shapes)


@given(s.broadcastable_tensors(2, elements=[s.numbers(1, 2), s.numbers(-2, -1)], requires_grad=True))
def test_tensors_broadcast_together(pair):
    a, b = pair
    (a * b).sum().backward()
    assert (a.array >= 1).all()
    assert (b.array <= -1).all()


@given(st.data())
def test_axes_are_valid(data):
    x = np.zeros(data.draw(s.shapes()))
    x.sum(data.draw(s.axes(x.ndim)))
    if x.ndim:
        assert isinstance(data.draw(s.axes(x.ndim, several=False, all=False)), int)


@given(s.numbers(-1, 1, away_from=[0, 0.5], by=0.2))
def test_numbers_keep_their_distance(x):
    assert -1 <= x <= 1
    assert abs(x) >= 0.2
    assert abs(x - 0.5) >= 0.2


HAS_LAYOUT = {
    "contiguous": lambda x: x.flags.c_contiguous,
    "fortran": lambda x: x.flags.f_contiguous,
    "gapped": lambda x: not x.flags.contiguous,
    "reversed": lambda x: all(stride < 0 for stride in x.strides),
    "broadcast": lambda x: x.strides[-1] == 0 and not x.flags.writeable,
    "read_only": lambda x: not x.flags.writeable,
}


@pytest.mark.parametrize("layout", s.LAYOUTS)
def test_laid_out_keeps_the_values(layout):
    x = np.arange(6.0).reshape(2, 3)
    y = s.laid_out(x, layout)
    assert HAS_LAYOUT[layout](y)
    np.testing.assert_array_equal(y, np.repeat(x[:, :1], 3, 1) if layout == "broadcast" else x)
    for other in (np.zeros(()), np.zeros((0, 2))):
        assert s.laid_out(other, layout).shape == other.shape
        assert type(s.laid_out(other, layout)) is np.ndarray


@pytest.mark.parametrize("layout", s.LAYOUTS)
def test_every_layout_is_drawn(layout):
    find(s.tensors((2, 2), elements=s.numbers(away_from=[0])), lambda x: HAS_LAYOUT[layout](x.array))


def simplest(strategy, condition=lambda value: True):
    return find(strategy, condition, settings=settings(max_examples=2000))


def test_shrinks_to_small_readable_examples():
    """The planted fault is in broadcasting: the gradient of an expanded operand is not summed."""

    def gradient(x, out):
        return np.ones(out.shape)  # of x + y with respect to x, which is right only if x isn't broadcast

    a, b = simplest(s.broadcastable_tensors(2), lambda pair: gradient(pair[0], sum(pair)).shape != pair[0].shape)
    assert a.numel() <= 2
    assert b.numel() <= 2
    assert repr(a) == "tensor(0., dtype=torch.float64)"
    assert repr(simplest(s.tensors(), lambda x: x.ndim == 2)) == "tensor([[0.]], dtype=torch.float64)"


def test_a_fault_planted_in_the_engine_shrinks_to_small_inputs(monkeypatch):
    """The gradient of a broadcast operand is a mean in place of a sum."""
    right = derivatives.sum_to
    monkeypatch.setattr(derivatives, "sum_to", lambda g, shape: right(g, shape) * (np.prod(shape) / g.size))

    def is_wrong(pair):
        x, y = pair
        (g,) = torch.autograd.grad((x * y).sum(), x)
        return not np.allclose(g.array, right(np.broadcast_to(y.array, (x * y).shape), x.shape))

    a, b = simplest(s.broadcastable_tensors(2, requires_grad=True), is_wrong)
    assert (a.numel(), b.numel()) == (1, 2)
    assert sorted(b.array.reshape(-1).tolist()) in ([0.0, 0.125], [-0.125, 0.0])


@pytest.mark.parametrize("kind", [*s.INDEX_KINDS, None])
@given(st.data())
def test_indices_are_valid(kind, data):
    shape = data.draw(s.shapes(min_side=0))
    try:
        index = data.draw(s.indices(shape, kind))
    except ValueError:
        assert kind in ("integer", "mixed")
        assert not (len(shape) and (min(shape) if kind == "integer" else max(shape)))
        return
    x = np.arange(float(np.prod(shape))).reshape(shape)
    found = torch.from_numpy(x)[index]
    if kind in ("basic", "integer", "boolean"):
        np.testing.assert_array_equal(found.array, x[index])
    else:  # where an integer and an array are apart, NumPy and PyTorch put the axes in different places
        np.testing.assert_array_equal(np.sort(found.array, None), np.sort(x[index], None))
    if kind == "basic":
        assert isinstance(x[index], np.float64) or x[index].base is not None or x[index] is x


def test_an_unknown_kind_of_indices_is_refused():
    with pytest.raises(ValueError, match="kind must be one of"):
        s.indices((2,), "odd")


def test_indices_shrink_to_simple_ones():
    assert simplest(s.indices((2, 3), "boolean"), lambda index: index.any()).sum() == 1
    index = simplest(s.indices((2, 3), "basic"), lambda index: np.zeros((2, 3))[index].shape == (3,))
    assert index in (0, (0,), (0, ...), (0, slice(0, None)))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # PyTorch warns about speed
@pytest.mark.parametrize("dims", [1, 2, 3])
@given(st.data())
def test_conv_problems_are_valid(dims, data):
    problem = data.draw(s.conv_problems(dims, requires_grad=True))
    if dims == 2:
        out = F.conv2d(*problem.operands, **problem.settings)
        assert out.numel() > 0
        out.sum().backward()
        assert problem.weight.grad.shape == problem.weight.shape
    pytorch = optional_torch()
    if pytorch:
        operands = [x if x is None else pytorch.tensor(x.array.tolist()).double() for x in problem.operands]
        theirs = getattr(pytorch.nn.functional, f"conv{dims}d")(*operands, **problem.settings)
        assert theirs.numel() > 0
        if dims == 2:
            np.testing.assert_allclose(out.detach().array, theirs.numpy(), atol=1e-12)


@pytest.mark.parametrize("dims", [1, 2, 3])
@given(st.data())
def test_pool_problems_are_valid(dims, data):
    largest, average = data.draw(s.pool_problems(dims)), data.draw(s.pool_problems(dims, dilated=False))
    for name, problem in (("max", largest), ("avg", average)):
        out = None
        if dims == 2:
            out = getattr(F, f"{name}_pool2d")(problem.x, **problem.settings)
            assert np.isfinite(out.array).all()
        pytorch = optional_torch()
        if pytorch:
            x = pytorch.tensor(problem.x.array.tolist()).double()
            theirs = getattr(pytorch.nn.functional, f"{name}_pool{dims}d")(x, **problem.settings)
            assert theirs.isfinite().all()
            if out is not None:
                np.testing.assert_allclose(out.array, theirs.numpy(), atol=1e-12)


@given(s.matmul_operands(requires_grad=True))
def test_matmul_operands_are_valid(pair):
    a, b = pair
    out = a @ b
    np.testing.assert_array_equal(out.detach().array, np.matmul(a.array, b.array))
    out.sum().backward()


@given(s.einsum_problems())
def test_einsum_problems_are_valid(problem):
    found = np.einsum(problem.equation, *(x.array for x in problem.operands))
    pytorch = optional_torch()
    if pytorch:
        operands = [pytorch.tensor(x.array.tolist()).double() for x in problem.operands]
        np.testing.assert_allclose(found, pytorch.einsum(problem.equation, *operands).numpy(), atol=1e-12)


@given(s.modules())
def test_modules_take_their_input(drawn):
    module, x = drawn
    out = module(x)
    assert len(out) == len(x)
    assert out.dtype == x.dtype
    if out.requires_grad:
        out.sum().backward()


@given(s.devices())
def test_devices_hold_tensors(device):
    assert torch.zeros(2, device=device).device.type == device.type


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@given(st.data())
def test_special_numbers_are_exact(dtype, data):
    x = data.draw(s.special_numbers(dtype))
    assert np.isnan(x) or float(dtype.dtype.type(x)) == x


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("zeros", lambda x: x == 0 and np.signbit(x)),
        ("ties", lambda x: x == -0.5),
        ("subnormals", lambda x: 0 < x < np.finfo(np.float64).smallest_normal),
        ("tiny", lambda x: x > 0 and x * x == 0),
        ("huge", lambda x: np.isfinite(x) and np.isinf(np.float64(x) * 2)),
        ("inf", np.isinf),
        ("nan", np.isnan),
    ],
)
def test_each_class_of_special_numbers_is_drawn(name, condition):
    names = ("zeros", "ties", "subnormals", "tiny", "huge", "inf", "nan")
    with np.errstate(over="ignore"):
        simplest(s.special_numbers(**{other: other == name for other in names}), condition)
        simplest(s.special_numbers(), condition)
    with pytest.raises(ValueError, match="every class"):
        s.special_numbers(**dict.fromkeys(names, False))


@given(s.tensors((3,), scale=s.scales()))
def test_all_elements_have_the_same_scale(x):
    values = np.abs(x.array[x.array != 0])
    assert values.max(initial=0) <= 1000.1 * values.min(initial=np.inf) or not values.size


def test_einsum_problems_and_matmul_operands_shrink_to_small_ones():
    assert simplest(s.einsum_problems()).equation == "->"
    a, b = simplest(s.matmul_operands(), lambda pair: pair[0].ndim == pair[1].ndim == 2)
    assert a.numel() == b.numel() == 1


def test_conv_and_pool_problems_and_modules_shrink_to_small_ones(pytestconfig):
    if not pytestconfig.getoption("--thorough"):
        pytest.skip("ten seconds each")
    problem = simplest(s.conv_problems(2), lambda problem: problem.stride != (1, 1))
    assert [x if x is None else tuple(x.shape) for x in problem.operands] == [(1, 1, 1), (1, 1, 1, 1), None]
    assert (problem.padding, problem.dilation, problem.groups) == ((0, 0), (1, 1), 1)
    assert sum(problem.stride) == 3
    pool = simplest(s.pool_problems(2), lambda problem: problem.ceil_mode)
    assert (tuple(pool.x.shape), pool.kernel_size, pool.stride) == ((1, 1, 1), (1, 1), None)
    module, x = simplest(s.modules(), lambda drawn: any(isinstance(layer, torch.nn.Conv2d) for layer in drawn[0]))
    assert len(module) == 1
    assert tuple(x.shape) == (2, 1, 1, 1)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (lambda: find(s.tensors((2, 3), layout="fortan"), bool), "layout: there is no 'fortan'; there are contiguous"),
        (lambda: find(s.shapes(min_dims=3, max_dims=2), bool), "shapes: from 3 to 2 axes, .* there is none"),
        (lambda: s.axes(-1), "axes: ndim must be at least 0, got -1"),
        (lambda: s.numbers(1, 0), "numbers: there is no multiple of 1/8 from 1 to 0"),
    ],
)
def test_options_without_any_value_are_refused(strategy, message):
    with pytest.raises(ValueError, match=message):
        strategy()


@pytest.mark.parametrize(("shape", "expected"), [(3, (3,)), ([2, 3], (2, 3)), (torch.Size([2]), (2,))])
def test_a_shape_is_any_sequence_or_a_length(shape, expected):
    assert find(s.tensors(shape), lambda x: True).shape == expected
