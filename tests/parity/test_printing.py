"""Arrays of any dtype, shape and values print as PyTorch prints them, with any print options."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import microgad
from microgad.methods.printing import format_tensor, get_printoptions, set_printoptions

torch = pytest.importorskip("torch")

DTYPES = ["float16", "float32", "float64", "complex64", "complex128", "bool"]
DTYPES += ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]

# Magnitudes on both sides of each rule: whole numbers, 1000 and 1e8 for scientific notation, subnormals, nan, inf.
EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, 1e-4, 9.9e-5, 999.5, 1000, 1001, 1e8, 1.1e8, 5e-324, 1e300, math.nan, math.inf]
reals = st.one_of(
    st.sampled_from([*EDGES, -math.inf]),
    st.integers(-2000, 2000).map(float),
    st.floats(-100, 100),
    st.floats(),
)


@st.composite
def arrays(draw: st.DrawFn) -> Any:
    """Arrays of up to 4 dimensions, some with over 1000 elements, filled at random from a few drawn values."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    small = st.lists(st.integers(0, 9), max_size=4)
    large = st.sampled_from([[999], [1000], [1001], [30, 40], [2, 600], [700, 2], [8, 5, 30], [7, 4, 7, 6]])
    shape = tuple(draw(st.one_of(small, large)))
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        values: Any = st.one_of(st.integers(-5, 200), st.integers(limits.min, limits.max))
        values = values.filter(lambda value: limits.min <= value <= limits.max)
    else:
        values = st.builds(complex, reals, reals) if dtype.kind == "c" else reals
    pool = draw(st.lists(values, min_size=1, max_size=8))
    with np.errstate(over="ignore"):
        values_in_dtype = np.array(pool).astype(dtype) if dtype.kind == "b" else np.array(pool, dtype)
    indices = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).integers(len(pool), size=shape)
    return np.asarray(values_in_dtype[indices])


options = st.fixed_dictionaries(
    {"profile": st.sampled_from(["default", "short", "full"])},
    optional={
        "precision": st.integers(0, 10),
        "threshold": st.sampled_from([0, 5, 100, 1000, math.inf]),
        "edgeitems": st.integers(0, 5),
        "linewidth": st.integers(1, 130),
        "sci_mode": st.sampled_from([None, True, False]),
    },
)


@pytest.fixture(autouse=True, scope="module")
def restore_print_options() -> Iterator[None]:
    yield
    torch.set_printoptions(profile="default")
    torch.set_default_dtype(torch.float32)
    set_printoptions(profile="default")


def check(array: Any, chosen: dict[str, Any], default_dtype: str, recorded: str) -> None:
    """Assert that an array prints as PyTorch prints it, as a plain Tensor, a leaf or a result."""
    set_printoptions(**chosen)
    torch.set_printoptions(**chosen)
    assert get_printoptions() == torch._tensor_str.get_printoptions()

    torch.set_default_dtype(getattr(torch, default_dtype))
    tensor, grad_fn = torch.from_numpy(array), None
    requires_grad = recorded != "no" and array.dtype.kind in "fc"
    tensor.requires_grad_(requires_grad)
    if requires_grad and recorded == "result":
        tensor, grad_fn = tensor.view(tensor.shape), "ViewBackward0"
    assert repr(tensor) == format_tensor(
        array, default_dtype=f"torch.{default_dtype}", requires_grad=requires_grad, grad_fn=grad_fn
    )


recordings = st.sampled_from(["no", "leaf", "result"])


@settings(deadline=None)
@given(arrays(), recordings)
def test_prints_as_torch_by_default(array: Any, recorded: str) -> None:
    check(array, {"profile": "default"}, "float32", recorded)


@settings(deadline=None)
@given(arrays(), options, st.sampled_from(["float16", "float32", "float64"]), recordings)
def test_prints_as_torch_with_any_options(
    array: Any, chosen: dict[str, Any], default_dtype: str, recorded: str
) -> None:
    check(array, chosen, default_dtype, recorded)


def test_repr_of_subclasses_starts_with_their_name() -> None:
    """Subclasses made by `as_subclass` and `_make_subclass`, and of Parameter."""

    def printed(library: Any) -> list[str]:
        class Masked(library.Tensor):
            pass

        class Angle(library.nn.Parameter):
            pass

        x = library.arange(12.0).reshape(2, 6)
        kinds = [
            x.as_subclass(Masked), library.Tensor._make_subclass(Masked, x, True), Angle(x), library.nn.Parameter(x),
            library.Tensor._make_subclass(Angle, x), library.zeros(0).as_subclass(Masked),
        ]  # fmt: skip
        leaf = library.Tensor._make_subclass(Masked, x, True)
        assert (type(leaf), leaf.is_leaf, leaf.requires_grad) == (Masked, True, True)
        return [*map(repr, kinds), library.Tensor.__repr__(Angle(x))]

    assert printed(microgad) == printed(torch)
