"""Tensor: version counters and in-place writes; copying and pickling; NumPy functions; attributes and names."""

from __future__ import annotations

import contextlib
import copy
import difflib
import math
import operator
import pickle
import re
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad.methods.unsupported import NAMES

from .processes import run


def test_an_in_place_write_to_a_kept_value_raises_in_backward() -> None:
    x = torch.ones(2, requires_grad=True)
    h = x * 2
    y = h * h
    h.add_(1)
    with pytest.raises(
        RuntimeError, match="Mul: one of the variables needed for gradient computation has been modified"
    ):
        y.sum().backward()
    assert x.grad is None


def test_a_write_through_a_view_to_a_kept_value_raises_in_backward() -> None:
    h = torch.ones(2, requires_grad=True) * 2
    y = (h * h).sum()
    h[0].zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_a_write_to_a_result_that_is_its_kept_input_raises_in_backward() -> None:
    class Same(torch.Function):
        may_share = True

        def forward(self, x):
            return x

        def grad_x(self, grad):
            return grad

    h = torch.ones(2, requires_grad=True) * 2
    z, y = (h * h).sum(), Same.apply(h)
    y.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()


def test_assigning_data_of_a_kept_value_raises_in_backward() -> None:
    p = torch.ones(2, requires_grad=True)
    y = (p * p).sum()
    p.data = torch.zeros(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_a_write_through_data_to_a_kept_value_raises_in_backward() -> None:
    p = torch.ones(2, requires_grad=True)
    y = (p * p).sum()
    p.data.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_writes_to_leaves_raise() -> None:
    x = torch.ones(2, requires_grad=True)
    message = r"a leaf Variable that requires grad is being used in an in-place operation\. Update it under torch\.no_"
    with pytest.raises(RuntimeError, match=message):
        x.add_(1)
    with pytest.raises(
        RuntimeError, match="a view of a leaf Variable that requires grad is being used in an in-place operation"
    ):
        x[:1].add_(5)
    with pytest.raises(RuntimeError, match="a view of a leaf Variable"):
        torch.ones(2, 3).t().requires_grad_()[0].mul_(2)  # a leaf that is a view of a Tensor that doesn't require grad
    with pytest.raises(RuntimeError, match="SetItem_: a leaf Variable"):
        x[0] = 5
    assert x.tolist() == [1.0, 1.0]
    with torch.no_grad():
        x.add_(1)
    assert x.tolist() == [2.0, 2.0]


def test_writes_to_expanded_memory_raise() -> None:
    with pytest.raises(
        RuntimeError, match="more than one element of the written-to tensor refers to a single memory location"
    ):
        torch.ones(1).expand(3).add_(1)


def test_item_assignment_propagates_gradients() -> None:
    w = torch.tensor([5.0, 6.0], requires_grad=True)
    x = torch.zeros(4)
    x[1:3] = w
    x[torch.tensor([0, 3])] = w * 2
    (x * torch.arange(4.0)).sum().backward()
    assert x.tolist() == [10.0, 5.0, 6.0, 12.0]
    assert w.grad is not None
    assert w.grad.tolist() == [1.0, 8.0]


def test_of_several_writes_to_one_element_the_last_gets_the_gradient() -> None:
    w = torch.tensor([5.0, 6.0], requires_grad=True)
    x = torch.zeros(2)
    x[torch.tensor([0, 0])] = w
    x.sum().backward()
    assert x.tolist() == [6.0, 0.0]
    assert w.grad is not None
    assert w.grad.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("index", [slice(None), [0, 1]])
def test_tensors_in_a_list_that_is_assigned_are_recorded(index: Any) -> None:
    s, t = torch.tensor(0.5, requires_grad=True), torch.tensor([2.0, 3.0], dtype=torch.float64, requires_grad=True)
    y = torch.zeros(2, 2)
    y[index] = [(s, 1), t * 2]
    assert y.tolist() == [[0.5, 1], [4, 6]]
    (y * torch.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    assert (s.grad.item(), t.grad.tolist()) == (1, [6, 8])


def test_a_tensor_multiplied_in_place_by_itself_has_the_right_gradient() -> None:
    x = torch.tensor([3.0], requires_grad=True)
    y = x * 1
    y.mul_(y)
    y.backward()
    assert x.grad is not None
    assert x.grad.item() == 6.0


def test_a_write_of_a_wrong_shape_or_dtype_raises_and_changes_nothing() -> None:
    x = torch.zeros(2)
    with pytest.raises(RuntimeError, match="Add_"):
        x.add_(torch.ones(3, 2))
    i = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(RuntimeError, match="Add_"):
        i.add_(0.5)
    assert (x.tolist(), i.tolist()) == ([0.0, 0.0], [0, 0])


@pytest.mark.host("numpy() gives the array on the CPU")
def test_conversion_to_numpy_raises_if_the_tensor_requires_grad() -> None:
    x = torch.ones(2, requires_grad=True)
    for read in (np.asarray, torch.Tensor.numpy):
        with pytest.raises(RuntimeError, match="Can't call numpy\\(\\) on Tensor that requires grad"):
            read(x)
    assert np.asarray(x.detach()).tolist() == [1.0, 1.0]


@pytest.mark.host("NumPy arrays are on the CPU")
def test_numpy_functions_are_recorded_operations() -> None:
    assert torch.Tensor.__array_priority__ == 1000  # as in PyTorch
    x = torch.tensor([1.0, 4.0], requires_grad=True)
    y = np.sum(np.sqrt(x) * np.array([2.0, 3.0], np.float32))
    assert isinstance(y, torch.Tensor)
    y.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 0.75]
    assert np.var(x).item() == 2.25  # NumPy's default: ddof 0
    assert x.var().item() == 4.5  # PyTorch's: correction 1
    assert np.add.reduce(x).item() == 5.0


def test_unsupported_numpy_functions_raise_if_a_tensor_requires_grad() -> None:
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(TypeError, match=r"numpy\.convolve is not recorded"):
        np.convolve(x, x)
    with pytest.raises(TypeError, match=r"numpy\.spacing is not recorded"):
        np.spacing(x)
    array = np.ones(2, np.float32)
    with pytest.raises(TypeError, match=r"numpy\.add with out= is not recorded"):
        array += x
    with pytest.raises(TypeError, match=r"numpy\.hypot\.reduce is not recorded"):
        np.hypot.reduce(x)


def test_type_promotion_is_pytorch_s() -> None:
    i, f, d = torch.tensor([1, 2]), torch.tensor([1.0]), torch.tensor(1.0, dtype=torch.float64)
    assert (i * f).dtype == torch.float32
    assert (f * d).dtype == torch.float32  # a Tensor without dimensions doesn't change the dtype
    assert (i * 2.5).dtype == torch.float32
    assert (i / i).dtype == torch.float32
    assert (f * 2.5 + 1).dtype == torch.float32
    assert torch.exp(i).dtype == torch.float32
    assert (i * True).dtype == torch.int64


def test_pickling_keeps_the_order_of_axes_of_memory_with_gaps() -> None:
    x = torch.arange(96.0).view(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)[:, :2]
    for y in (x, x[:, :, ::2], x.permute(3, 0, 1, 2)):
        copied = pickle.loads(pickle.dumps(y))
        assert copied.stride() == y.clone().stride()
        assert copied.tolist() == y.tolist()


def test_deepcopy_and_pickle_keep_values_requires_grad_and_sharing() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    x.sum().backward()
    for clone in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert clone.requires_grad
        assert clone.tolist() == [1.0, 2.0]
        assert not np.shares_memory(clone.array, x.array)
    assert copy.deepcopy(x).grad.tolist() == [1.0, 1.0]
    p = copy.deepcopy([p := torch.Parameter(torch.ones(1)), p])
    assert p[0] is p[1]
    assert type(p[0]) is torch.Parameter
    with pytest.raises(RuntimeError, match="support the deepcopy protocol"):
        copy.deepcopy(x * 2)


def test_a_deep_copy_has_all_attributes_that_a_program_has_set() -> None:
    x = torch.ones(1)
    x.mask, x.sizes = None, [3]
    copied = copy.deepcopy(x)
    assert (copied.mask, copied.sizes) == (None, [3])
    assert copied.sizes is not x.sizes


def test_a_write_to_a_shallow_copy_raises_in_backward() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    with torch.no_grad():
        copy.copy(x).mul_(0)
    assert x.tolist() == [0.0, 0.0]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_deep_copies_share_memory_as_their_originals_do() -> None:
    x = torch.arange(12.0).reshape(3, 4)
    alike = {"row": x[1], "turned": x.T, "bits": x.view(torch.int32), "none": x[:0], "wide": x[1, :1].expand(3), "x": x}
    copies = copy.deepcopy(alike)
    copies["x"][1, 0] = 50.0
    for name, clone in copies.items():
        assert (clone.shape, clone.stride()) == (alike[name].shape, alike[name].stride())
        assert not np.shares_memory(clone.array, x.array)
    assert x[1].tolist() == [4.0, 5.0, 6.0, 7.0]
    assert copies["row"].tolist() == [50.0, 5.0, 6.0, 7.0]
    assert copies["turned"][0].tolist() == [0.0, 50.0, 8.0]
    assert copies["wide"].tolist() == [50.0] * 3
    assert copies["row"]._version == copies["x"]._version == 1
    layer = torch.nn.Module()
    layer.whole = torch.nn.Buffer(torch.zeros(4))
    layer.part = torch.nn.Buffer(layer.whole[:2])
    clone = copy.deepcopy(layer)
    clone.whole.fill_(3.0)
    assert (clone.part.tolist(), layer.part.tolist()) == ([3.0, 3.0], [0.0, 0.0])
    gaps = torch.from_dlpack(np.arange(6.0)[::2])
    assert copy.deepcopy([gaps, gaps[1:]])[1].tolist() == [2.0, 4.0]


def test_requires_grad_needs_floating_point_leaves() -> None:
    with pytest.raises(RuntimeError, match="floating point"):
        torch.tensor([1], requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf variables"):
        (torch.ones(1, requires_grad=True) * 2).requires_grad = False
    result = torch.ones(1, requires_grad=True) * 2
    assert result.requires_grad_() is result
    with pytest.raises(RuntimeError, match="leaf variables"):  # as in PyTorch, though it is True already
        result.requires_grad = True


def test_dtypes_equal_numpy_s() -> None:
    assert torch.float32 == np.float32
    assert torch.float32 != torch.ones(1)
    assert np.zeros(1, torch.float16).dtype == np.float16
    assert torch.float64.is_floating_point
    assert torch.int64.itemsize == 8
    assert repr(torch.bool) == "torch.bool"
    assert {torch.float32: 1}[torch.float32] == 1
    assert pickle.loads(pickle.dumps(torch.float32)) is torch.float32


def test_an_error_about_a_missing_name_suggests_the_nearest() -> None:
    with pytest.raises(AttributeError, match="the nearest name is zeros") as caught:
        torch.zeroes  # noqa: B018
    assert caught.value.name == "zeroes"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    with pytest.raises(AttributeError, match=r"the nearest name is Adam$"):  # the same letters, not Adamax
        torch.optim.Adma  # noqa: B018


@pytest.mark.parametrize("name", ["nn.init.zeroes_", "nn.utils.rnn.pad_sequenc", "jit.scrip", "backends.cudnn.enabld"])
def test_modules_suggest_the_nearest_name(name: str) -> None:
    """Those that call define_getattr, and those for which the stub's loader or their package does."""
    with pytest.raises(AttributeError, match=f"microgad has no {name}.*; the nearest name is "):
        operator.attrgetter(name)(torch)


@pytest.mark.parametrize("owner", ["torch", "torch.nn", "torch.Tensor"])
def test_hasattr_does_not_search_for_the_nearest_name(owner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(difflib, "get_close_matches", None)
    assert not hasattr(eval(owner), "to_sparse_csr")


@pytest.mark.parametrize("name", ["zeross", "nn.Linar", "Tensor.bfloat16"])
def test_the_nearest_name_is_suggested_once(name: str) -> None:
    program = f"import microgad as torch; torch.{name}"
    done = run("-c", program)
    assert done.stderr.splitlines()[-1].startswith(f"AttributeError: microgad has no {name}")
    assert done.stderr.count("the nearest name is") == 1
    assert "Did you mean" not in done.stderr


def test_for_a_missing_method_python_makes_the_suggestion() -> None:
    program = "import microgad as torch; torch.zeros(1).reshap"
    done = run("-c", program)
    assert re.search(r"Did you mean:? '\.?reshape'", done.stderr)  # Python 3.15 has other words


def test_unsupported_attributes_raise_and_are_not_listed() -> None:
    x = torch.zeros(1)
    with pytest.raises(AttributeError, match=r"microgad has no Tensor\.to_sparse_csr: arrays are dense; .*nearest"):
        torch.Tensor.to_sparse_csr  # noqa: B018
    assert not [name for name in NAMES if hasattr(x, name)]
    assert "qscheme" not in dir(x)
    x.qscheme = 3
    assert x.qscheme == 3


@pytest.mark.host("attributes of Tensors on the CPU")
def test_attributes_of_a_tensor() -> None:
    x = torch.zeros(2, 3, dtype=torch.float64)
    assert (x.itemsize, x.nbytes, x.get_device(), x.is_cpu, x.layout) == (8, 48, -1, True, torch.strided)
    assert (x.dim_order(), x.mT.dim_order()) == ((0, 1), (1, 0))
    assert not any((x.is_sparse, x.is_quantized, x.is_meta, x.is_pinned(), x.is_shared()))
    assert x.to_dense() is x


def test_apply_and_map_call_python_functions_with_elements() -> None:
    x, y = torch.arange(4.0).reshape(2, 2), torch.tensor([10.0, 20.0])
    assert x.clone().apply_(lambda v: v * v).tolist() == [[0, 1], [4, 9]]
    assert x.clone().map_(y, lambda a, b: a + b).tolist() == [[10, 21], [12, 23]]
    assert x.clone().map2_(y, y, lambda a, b, c: a + b + c).tolist() == [[20, 41], [22, 43]]
    with pytest.raises(RuntimeError, match=r"Can't call apply_\(\)"):
        x.requires_grad_().apply_(abs)


def test_fill_diagonal_writes_wraps_and_stops_gradients() -> None:
    tall = torch.zeros(7, 2).fill_diagonal_(1, wrap=True)
    assert tall.nonzero().tolist() == [[0, 0], [1, 1], [3, 0], [4, 1], [6, 0]]
    x = torch.ones(2, 2, requires_grad=True)
    y = x * 3
    y.fill_diagonal_(0)
    y.sum().backward()
    assert x.grad.tolist() == [[0, 3], [3, 0]]
    with pytest.raises(RuntimeError, match="equal length"):
        torch.zeros(2, 2, 3).fill_diagonal_(1)


@pytest.mark.parametrize("shape", [(3, 3), (5, 2), (2, 5), (1, 4), (0, 3), (3, 3, 3)])
def test_fill_diagonal_of_tensors_views_and_expanded_tensors(shape) -> None:
    x = np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
    expected = x.copy()
    for i in range(min(shape)):
        expected[(i,) * len(shape)] = -0.0
    for t in (torch.tensor(x), torch.tensor(np.ascontiguousarray(x.T)).permute(*range(x.ndim)[::-1])):
        assert t.fill_diagonal_(-0.0) is t
        assert t.contiguous().cpu().numpy().tobytes() == expected.tobytes()
    row = torch.zeros(1, 3)
    row.expand(3, 3).fill_diagonal_(2.0)
    assert row.tolist() == [[2, 2, 2]]


def test_as_subclass_is_recorded_and_set_replaces_the_memory() -> None:
    class Named(torch.Tensor):
        pass

    x, y = torch.ones(2, requires_grad=True), torch.zeros(3)
    named = (x * 2).as_subclass(Named)
    assert type(named) is Named
    named.sum().backward()
    assert x.grad.tolist() == [2, 2]
    z = torch.ones(2).set_(y)
    y[0] = 5
    assert z.tolist() == [5, 0, 0]
    with pytest.raises(RuntimeError, match="set_: is not recorded"):
        x.set_(y)


def test_a_subclass_may_have_a_method_named_wrap() -> None:
    class Boxes(torch.Tensor):
        """As torchvision's BoundingBoxes."""

        @classmethod
        def _wrap(cls, tensor: Any, *, size: Any) -> Any:
            boxes = tensor.as_subclass(cls)
            boxes.size_of_image = size
            return boxes

    boxes = Boxes._wrap(torch.ones(2), size=(3, 4))
    for copied in (boxes, copy.copy(boxes), copy.deepcopy(boxes)):
        assert (type(copied), copied.tolist(), copied.size_of_image) == (Boxes, [1, 1], (3, 4))
    assert type(Boxes([2.0]) + boxes) is Boxes


@pytest.mark.parametrize("name", ["grad", "_grad"])
@pytest.mark.parametrize("make", [torch.nn.Parameter, lambda x: x, lambda x: x.requires_grad_() * 2])
def test_an_assigned_gradient_needs_the_shape_and_dtype_of_its_tensor(make: Any, name: str) -> None:
    x, grad = make(torch.ones(3)), torch.zeros(3)
    setattr(x, name, grad)
    for wrong, kind, message in (
        (torch.ones(4), RuntimeError, r"gradient of size '\[4\]' to a tensor of size '\[3\]'"),
        (torch.ones(1), RuntimeError, r"gradient of size '\[1\]'"),
        (torch.ones(3, dtype=torch.float64), RuntimeError, "gradient with dtype 'torch.float64'"),
        (np.ones(3, np.float32), TypeError, "a Tensor or None but got grad of type ndarray"),
        ([1.0, 1.0, 1.0], TypeError, "grad of type list"),
        (x, RuntimeError, "can't assign Variable as its own grad"),
    ):
        with pytest.raises(kind, match=message):
            setattr(x, name, wrong)
    assert x.grad is x._grad is grad
    del x.grad
    with contextlib.nullcontext() if x.is_leaf else pytest.warns(UserWarning, match="not a leaf Tensor"):
        assert x.grad is None


def test_backward_adds_to_an_assigned_gradient() -> None:
    x = torch.ones(2, requires_grad=True)
    x.grad = torch.tensor([1.0, 2.0])
    (3 * x).sum().backward()
    assert x.grad.tolist() == [4, 5]
    assert copy.deepcopy(x).grad.tolist() == [4, 5]


@pytest.mark.host("numpy() gives the array on the CPU")
@pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")  # a deprecation of NumPy 2.5
def test_numpy_gives_the_array_under_no_grad() -> None:
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        for array in (x.numpy(), x.numpy(force=True), np.asarray(x)):
            assert np.shares_memory(array, x.array)
            array.shape = (2, 1)
        assert x.shape == (2,)
    with pytest.raises(RuntimeError, match="Can't call numpy"):
        x.numpy()


@pytest.mark.filterwarnings("ignore:`grad_variables` is deprecated:FutureWarning")
def test_tensor_from_a_size_and_deprecated_arguments_of_backward():
    assert torch.Tensor(torch.Size([2, 3])).shape == (2, 3)
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    torch.autograd.backward(x * x, grad_variables=torch.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [2.0, 40.0]
    torch.autograd.backward(x * x, torch.ones(2), None, False, None, [x])
    assert x.grad.tolist() == [4.0, 44.0]
