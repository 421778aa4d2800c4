"""torch.testing: assert_close raises PyTorch's messages, and make_tensor draws its Tensors."""

import numpy as np
import pytest

import microgad

from ..processes import output_of

torch = pytest.importorskip("torch")
LIBRARIES = (microgad, torch)
NAN, INF = float("nan"), float("inf")

# Functions that make two values to compare with a library's `tensor`, and options of assert_close.
CASES = [
    (lambda t, lib: (t([1.0, 2, 3]), t([1, 2.5, 3])), {}),
    (lambda t, lib: (t([1.0, 2, 3]), t([1, 2 + 1e-6, 3])), {}),
    (lambda t, lib: (t([[1.0, 2], [3, 4]]), t([[1, 2.5], [9, 4]])), {"rtol": 0, "atol": 0.1}),
    (lambda t, lib: (t([[1.0, 2], [3, 4]]), t([[1, 2.5], [9, 4]])), {"rtol": 0.0, "atol": 0.0}),
    (lambda t, lib: (t([1, 2]), t([1, 3])), {}),
    (lambda t, lib: (t([1, 2], dtype=lib.uint8), t([3, 1], dtype=lib.uint8)), {}),
    (lambda t, lib: (t([True]), t([False])), {}),
    (lambda t, lib: (t([1 + 2j]), t([1 + 3j])), {}),
    (lambda t, lib: (t(1.0), t(2.0)), {}),
    (lambda t, lib: (t(1), t(2)), {}),
    (lambda t, lib: (t(2.0), t(3.0)), {}),
    (lambda t, lib: (t(True), t(False)), {}),
    (lambda t, lib: (t(INF), t(0.0)), {}),
    (lambda t, lib: (1.0, 2.0), {}),
    (lambda t, lib: (1.0, 0.0), {}),
    (lambda t, lib: (1.0, 1.5), {"rtol": 0, "atol": 0}),
    (lambda t, lib: (1, 2), {}),
    (lambda t, lib: (1.0, 1), {}),
    (lambda t, lib: (1.0, 1), {"check_dtype": False}),
    (lambda t, lib: (1 + 1j, 1 + 2j), {}),
    (lambda t, lib: (True, False), {}),
    (lambda t, lib: (None, 1), {}),
    (lambda t, lib: (None, None), {}),
    (lambda t, lib: (NAN, NAN), {}),
    (lambda t, lib: (NAN, NAN), {"equal_nan": True}),
    (lambda t, lib: (INF, 1.0), {}),
    (lambda t, lib: (INF, INF), {}),
    (lambda t, lib: (t([NAN]), t([NAN])), {}),
    (lambda t, lib: (t([NAN, 1.0]), t([NAN, 1.0])), {"equal_nan": True}),
    (lambda t, lib: (t([INF, 1.0]), t([1.0, 1.0])), {}),
    (lambda t, lib: (t([0.0]), t([1.0])), {}),
    (lambda t, lib: (t([1.0]), t([0.0])), {}),
    (lambda t, lib: (t([]), t([])), {}),
    (lambda t, lib: (t([1.0]), t([1.0], dtype=lib.float64)), {}),
    (lambda t, lib: (t([1.0, 2]), t([1.0, 3], dtype=lib.float64)), {"check_dtype": False}),
    (lambda t, lib: (t([1, 2], dtype=lib.uint64), t([1, 2])), {"check_dtype": False}),
    (lambda t, lib: (t([1, 2]), t([1, 3], dtype=lib.uint64)), {"check_dtype": False}),
    (lambda t, lib: (t([1.0]), t([1.0, 2.0])), {}),
    (lambda t, lib: (t([[1.0, 2], [3, 4]]).T, t([[1.0, 3], [2, 4]])), {"check_stride": True}),
    (lambda t, lib: (t([[1.0, 2], [3, 4]]).T, t([[1.0, 3], [2, 4]])), {}),
    (lambda t, lib: (t([1.0], requires_grad=True), t([1.0])), {}),
    (lambda t, lib: ([1.0, t([2.0])], [1.0, t([3.0])]), {}),
    (lambda t, lib: ([1, [2, 3]], [1, (2, 4)]), {}),
    (lambda t, lib: ({"a": 1, "b": t([1.0])}, {"b": t([2.0]), "a": 1}), {}),
    (lambda t, lib: ({"x": [t(1.0), {"y": 2}]}, {"x": [t(1.0), {"y": 3}]}), {}),
    (lambda t, lib: ([1, 2], [1]), {}),
    (lambda t, lib: ({"a": [1, 2]}, {"a": [1]}), {}),
    (lambda t, lib: ({"a": 1}, {"b": 1}), {}),
    (lambda t, lib: ({"a": 1}, {"a": 1, "b": 1}), {}),
    (lambda t, lib: (np.array([1.0]), np.array([2.0])), {}),
    (lambda t, lib: (np.float64(1), 1.0), {}),
    (lambda t, lib: (t([1.0]), np.array([1.0], np.float32)), {}),
    (lambda t, lib: (t([1.0]), 1.0), {}),
    (lambda t, lib: ("a", "a"), {}),
    (lambda t, lib: ({"x": [1, "a"]}, {"x": [1, "a"]}), {}),
    (lambda t, lib: ([], {}), {}),
    (lambda t, lib: ({1}, {1}), {}),
    (lambda t, lib: (lib.nn.Parameter(t([1.0])), t([1.0])), {}),
    (lambda t, lib: (lib.nn.Parameter(t([1.0])), t([1.0])), {"allow_subclasses": False}),
    (lambda t, lib: (t([1.0]), t([2.0])), {"msg": "hello"}),
    (lambda t, lib: (t([1.0]), t([2.0])), {"msg": lambda messages: f"so: {messages}"}),
    (lambda t, lib: (t([1.0]), t([1.0])), {"rtol": 1.0}),
    (lambda t, lib: (t([1.0]), t([1.0])), {"atol": 1.0}),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_assert_close_raises_torchs_message(case):
    make, options = CASES[case]
    messages = []
    for library in LIBRARIES:
        try:
            library.testing.assert_close(*make(library.tensor, library), **options)
            messages.append("close")
        except (AssertionError, TypeError, ValueError) as error:
            messages.append(f"{type(error).__name__}: {error}")
    message = messages[0].replace("microgad.tensor.Tensor", "torch.Tensor")
    assert message.replace("microgad.parameter.Parameter", "torch.nn.parameter.Parameter") == messages[1]


DTYPES = ["bool", "uint8", "int8", "int64", "float16", "float32", "float64", "complex64", "complex128"]
OPTIONS = [
    {},
    {"low": 1, "high": 2},
    {"low": -3.5, "high": 100.0},
    {"exclude_zero": True},
    {"noncontiguous": True},
    {"low": -1e40, "high": 1e40},
    {"requires_grad": True},
    {"low": 2, "high": 1},
    {"low": NAN},
    {"low": 1e40, "high": 2e40},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_make_tensor_draws_torchs_values(dtype, options):
    for shape in (((2, 3),), (4, 5), ((),), ((0, 2),)):
        made = []
        for library in LIBRARIES:
            library.manual_seed(4)
            try:
                x = library.testing.make_tensor(*shape, dtype=getattr(library, dtype), device="cpu", **options)
                made.append((x.detach().numpy(), x.numel() and x.stride(), x.requires_grad, str(x.dtype)))
            except ValueError as error:
                made.append(str(error))
        if isinstance(made[1], str):
            assert made[0] == made[1] or "interval" in made[0]
            continue
        np.testing.assert_array_equal(made[0][0], made[1][0])
        assert made[0][1:] == made[1][1:]


def test_make_tensor_warns_of_an_empty_range_of_floats():
    for library in LIBRARIES:
        for dtype in (library.float32, library.complex128):
            with pytest.warns(FutureWarning, match="low==high"):
                made = library.testing.make_tensor(3, dtype=dtype, device="cpu", low=2, high=2)
            assert made.tolist() == [2 + 2j if dtype.is_complex else 2] * 3


def test_make_tensor_refuses_ints_that_are_too_large_for_floats():
    for library in LIBRARIES:
        with pytest.raises(ValueError, match="only supports"):
            library.testing.make_tensor(3, dtype=library.float64, device="cpu", low=2**1025, high=2**1026)


def test_comparison_and_creation_load_on_first_use():
    program = """
import sys, microgad.testing as testing
assert not {"microgad.testing.comparison", "microgad.testing.creation"} & set(sys.modules)
testing.assert_close(1, 1)
"""
    output_of(program)


def test_gradgradcheck_draws_as_many_numbers_as_torchs() -> None:
    drawn = []
    for lib in LIBRARIES:
        lib.manual_seed(0)
        x = lib.ones(3, dtype=lib.float64, requires_grad=True)
        assert lib.autograd.gradgradcheck(lambda x: (x.exp(), x.sin()), x)
        drawn.append(lib.rand(2).tolist())
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("function", ["lambda x: x.detach()", "lambda x: x.argmax()"])
def test_gradgradcheck_refuses_a_function_without_second_derivatives(function: str) -> None:
    for lib in LIBRARIES:
        with pytest.raises(TypeError):
            lib.autograd.gradgradcheck(eval(function), lib.ones(3, dtype=lib.float64, requires_grad=True))
