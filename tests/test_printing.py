"""Printing: texts that PyTorch 2.13 printed, the print options, and how many elements are fetched from a GPU."""

from collections.abc import Iterator
from math import inf, nan
from typing import Any

import numpy as np
import pytest

from microgad.methods.printing import format_array, format_tensor, get_printoptions, set_printoptions


@pytest.fixture(autouse=True)
def default_options() -> Iterator[None]:
    set_printoptions(profile="default")
    yield
    set_printoptions(profile="default")


def float32(values: Any) -> Any:
    return np.asarray(values, dtype=np.float32)


SCALARS = [
    (float32(1), "1."),
    (float32(12345.678), "12345.6777"),
    (float32(1e-5), "1.0000e-05"),
    (float32(nan), "nan"),
    (np.array(True), "True"),
    (np.array(7), "7"),
    (np.complex64(1 - 2j), "1.-2.j"),
]

# The finite, nonzero entries determine one format for all. Other entries may be wider.
ROWS = [
    (float32([1, 2, -3]), "[ 1.,  2., -3.]"),
    (float32([0, -0.0]), "[0., -0.]"),
    (float32([0.5, 100]), "[  0.5000, 100.0000]"),
    (float32([nan, 1.5, -inf]), "[   nan, 1.5000,   -inf]"),
    (float32([nan, inf, 0]), "[nan, inf, 0.]"),
    (np.array([-5, 100]), "[ -5, 100]"),
    (np.array([2**63 - 1, -(2**63)]), "[ 9223372036854775807, -9223372036854775808]"),
    (np.array([2**64 - 1], np.uint64), "[18446744073709551615]"),
    (np.array([True, False]), "[ True, False]"),
    (np.array([1 + 2j, 3]), "[1.+2.j, 3.+0.j]"),
]

SCIENTIFIC = [  # a ratio over 1000, an entry over 1e8, or a fraction under 1e-4
    (float32([1, 1000]), "[   1., 1000.]"),
    (float32([1, 1001]), "[1.0000e+00, 1.0010e+03]"),
    (float32([1.5, 1000]), "[   1.5000, 1000.0000]"),
    (float32([1e8]), "[100000000.]"),
    (np.array([1.00000001e8]), "[1.0000e+08]"),
    (np.array([0.0001, 0.01]), "[0.0001, 0.0100]"),
    (float32([0.00009, 0.01]), "[9.0000e-05, 1.0000e-02]"),
    (np.array([1e308, 1e-308]), "[1.0000e+308, 1.0000e-308]"),
    (np.array([65504, 0.1], np.float16), "[6.5504e+04, 9.9976e-02]"),
]


@pytest.mark.parametrize(("array", "expected"), SCALARS + ROWS + SCIENTIFIC)
def test_entries_are_formatted_as_in_pytorch(array: Any, expected: str) -> None:
    assert format_array(array) == expected


def test_real_and_imaginary_parts_have_their_own_formats() -> None:
    array = np.complex64([1 + 2j, complex(nan, nan), complex(0, -inf), complex(1e-5, -0.0), 12 - 3.5j])
    assert format_tensor(array) == (
        "tensor([1.0000e+00+2.0000j,        nan+nanj, 0.0000e+00-infj,\n"
        "        1.0000e-05-0.0000j, 1.2000e+01-3.5000j])"
    )


def test_long_rows_wrap_under_their_first_entry() -> None:
    assert format_tensor(np.arange(8).reshape(1, 8) * 100_000_000_000) == (
        "tensor([[           0, 100000000000, 200000000000, 300000000000, 400000000000,\n"
        "         500000000000, 600000000000, 700000000000]])"
    )


def test_line_breaks_count_zeros_as_one_character() -> None:
    assert format_tensor(float32([0] * 26)) == f"tensor([{'0., ' * 23}0.,\n        0., 0.])"


def test_matrices_of_a_batch_are_separated_by_blank_lines() -> None:
    assert format_tensor(float32(np.arange(16).reshape(2, 2, 2, 2))) == (
        "tensor([[[[ 0.,  1.],\n          [ 2.,  3.]],\n\n         [[ 4.,  5.],\n          [ 6.,  7.]]],\n\n\n"
        "        [[[ 8.,  9.],\n          [10., 11.]],\n\n         [[12., 13.],\n          [14., 15.]]]])"
    )


def test_large_tensors_are_summarized_with_dots() -> None:
    assert format_tensor(np.arange(1000)).count("\n") > 20
    assert format_tensor(np.arange(1001)) == "tensor([   0,    1,    2,  ...,  998,  999, 1000])"
    set_printoptions(edgeitems=1, threshold=5)
    assert format_tensor(float32(np.arange(27).reshape(3, 3, 3))) == (
        "tensor([[[ 0.,  ...,  2.],\n         ...,\n         [ 6.,  ...,  8.]],\n\n        ...,\n\n"
        "        [[18.,  ..., 20.],\n         ...,\n         [24.,  ..., 26.]]])"
    )


def test_entries_that_are_not_printed_do_not_determine_the_format() -> None:
    array = float32(np.ones(2000))
    array[1000] = 1e-9
    assert format_tensor(array) == "tensor([1., 1., 1.,  ..., 1., 1., 1.])"


HALVES = "[0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000]"
MUL = "       grad_fn=<MulBackward0>)"


@pytest.mark.parametrize(
    ("array", "options", "expected"),
    [
        (float32([0.5]), {"requires_grad": True}, "tensor([0.5000], requires_grad=True)"),
        (float32([0.5]), {"requires_grad": True, "grad_fn": "Mul"}, "tensor([0.5000], grad_fn=<Mul>)"),
        (float32([0.5]), {"device": "cuda:0"}, "tensor([0.5000], device='cuda:0')"),
        (float32([0.5]), {"kind": type("Weight", (), {"__module__": "program"})}, "Weight([0.5000])"),
        (float32([0.5]), {"default_dtype": "torch.float64"}, "tensor([0.5000], dtype=torch.float32)"),
        (np.array([0.5]), {}, "tensor([0.5000], dtype=torch.float64)"),
        (np.array([0.5]), {"default_dtype": "torch.float64"}, "tensor([0.5000])"),
        (np.array([1j]), {}, "tensor([0.+1.j], dtype=torch.complex128)"),
        (np.array([1j]), {"default_dtype": "torch.float64"}, "tensor([0.+1.j])"),
        (np.array([1], np.int8), {}, "tensor([1], dtype=torch.int8)"),
        # a suffix stays on the line if it fits when the first comma counts twice
        (float32([0.5] * 6), {"requires_grad": True}, f"tensor({HALVES}, requires_grad=True)"),
        (float32([0.5] * 6), {"grad_fn": "MulBackward0"}, f"tensor({HALVES},\n{MUL}"),
        (np.array([0.5] * 6), {"grad_fn": "MulBackward0"}, f"tensor({HALVES}, dtype=torch.float64,\n{MUL}"),
        # without entries the size is printed, and any dtype but the default one
        (float32([]), {"requires_grad": True}, "tensor([], requires_grad=True)"),
        (np.zeros((0, 3), np.int64), {}, "tensor([], size=(0, 3), dtype=torch.int64)"),
        (np.zeros(0, np.bool_), {"device": "cuda:1"}, "tensor([], device='cuda:1', dtype=torch.bool)"),
    ],
)
def test_suffixes_name_dtype_device_and_grad_fn(array: Any, options: dict[str, Any], expected: str) -> None:
    assert format_tensor(array, **options) == expected


def test_print_options_and_profiles_change_only_what_they_name() -> None:
    default = get_printoptions()
    assert default == {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}
    set_printoptions(profile="short", linewidth=100, sci_mode=True)
    assert get_printoptions() == {**default, "precision": 2, "edgeitems": 2, "linewidth": 100, "sci_mode": True}
    set_printoptions(precision=6)  # sci_mode is left out and therefore reset
    assert get_printoptions() == {**default, "precision": 6, "edgeitems": 2, "linewidth": 100}
    set_printoptions(profile="full")
    assert get_printoptions() == {**default, "threshold": inf}


def test_print_options_change_the_text() -> None:
    set_printoptions(sci_mode=True, precision=1)
    assert format_tensor(float32([1, 0])) == "tensor([1.0e+00, 0.0e+00])"
    set_printoptions(sci_mode=False)
    assert format_tensor(float32([1.5, 1e-5])) == "tensor([1.5, 0.0])"
    set_printoptions(linewidth=20)
    assert format_tensor(np.arange(6)) == "tensor([0, 1, 2, 3,\n        4, 5])"
    set_printoptions(profile="default", edgeitems=0)
    assert format_tensor(np.arange(2000)) == "tensor([...], size=(2000,))"
    assert format_tensor(np.arange(3)) == "tensor([0, 1, 2], size=(3,))"
    set_printoptions(threshold=0, edgeitems=0)
    assert format_tensor(float32(2)) == "tensor(2., size=())"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"profile": "tiny"}, r"profile must be one of 'default', 'short', 'full', but is 'tiny'"),
        ({"precision": -1}, r"precision must be a whole number of at least 0, but is -1"),
        ({"edgeitems": 2.5}, r"edgeitems must be a whole number of at least 0, but is 2.5"),
        ({"linewidth": inf}, r"linewidth must be a whole number of at least 0, but is inf"),
        ({"threshold": nan}, r"threshold must be a number of at least 0, but is nan"),
    ],
)
def test_wrong_print_options_raise_and_change_nothing(bad: dict[str, Any], message: str) -> None:
    set_printoptions(precision=7, sci_mode=True)
    before = get_printoptions()
    with pytest.raises(ValueError, match=f"set_printoptions: {message}"):
        set_printoptions(**{"linewidth": 33, **bad})
    assert get_printoptions() == before


class DeviceArray:
    """A fake of cupy.ndarray, which counts the elements that `get` copies to the host."""

    fetched = 0

    def __init__(self, array: Any) -> None:
        self.values = array
        self.shape, self.ndim, self.size, self.dtype = array.shape, array.ndim, array.size, array.dtype

    def __getitem__(self, index: Any) -> "DeviceArray":
        return DeviceArray(self.values[index])

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("implicit conversion to a NumPy array")

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> "DeviceArray":
        parts, axis = args
        return DeviceArray(func([part.values for part in parts], axis, **kwargs))

    def get(self) -> Any:
        DeviceArray.fetched += self.size
        return self.values


@pytest.mark.parametrize(
    ("shape", "fetched"), [((1_000_000,), 6), ((100, 10, 1000), 6**3), ((3, 400_000), 3 * 6), ((), 1)]
)
def test_only_elements_that_are_printed_are_fetched_from_the_device(shape: tuple[int, ...], fetched: int) -> None:
    array = np.asarray(np.random.default_rng(0).standard_normal(shape))
    DeviceArray.fetched = 0
    assert format_tensor(DeviceArray(array), device="cuda:0") == format_tensor(array, device="cuda:0")
    assert DeviceArray.fetched == fetched
