"""Creation of Tensors from data, of constants and of ranges: values, dtypes, strides, shared memory and errors."""

import array
import copy
from collections import UserList, deque
from enum import Enum, IntEnum
from fractions import Fraction

import numpy as np
import pytest

import microgad as torch
from microgad import nn


@pytest.mark.parametrize(
    ("create", "expected"),
    [
        (lambda: torch.arange(0, 1, 0.3), [0, 0.3, 0.6, 0.9]),
        (lambda: torch.arange(5, 0, -2), [5, 3, 1]),
        (lambda: torch.arange(torch.tensor(3)), [0, 1, 2]),
        (lambda: torch.arange(0.9, -8.001, -4.0, dtype=torch.int64), [0, -4]),
        (lambda: torch.range(0, 1, 0.5), [0, 0.5, 1]),
        (lambda: torch.linspace(10, 0, 4, dtype=torch.int32), [10, 6, 3, 0]),
        (lambda: torch.linspace(0, 1j, 3), [0, 0.5j, 1j]),
        (lambda: torch.linspace(torch.tensor(0.0), 1, 1), [0]),
        (lambda: torch.logspace(0, 2, 3, base=-2), [1, -2, 4]),
        (lambda: torch.logspace(0.5, 3.5, 4, base=2, dtype=torch.int64), [1, 2, 4, 8]),
        (lambda: torch.zeros(size=(2,)), [0, 0]),
        (lambda: torch.full((2,), torch.tensor(3)), [3, 3]),
        (lambda: torch.full((1,), 1.5, dtype=torch.int64), [1]),
        (lambda: torch.scalar_tensor(True), 1),
        (lambda: torch.fill(torch.tensor([1, 2]), 3.7), [3, 3]),
        (lambda: torch.fill(torch.tensor([1, 2], dtype=torch.uint8), -1), [255, 255]),
        (lambda: torch.tril_indices(2, 3, -1), [[1], [0]]),
        (lambda: torch.triu_indices(0, 3), [[], []]),
        (lambda: torch.tensor([torch.tensor(1.5), 2]), [1.5, 2]),
        (lambda: torch.tensor([1.0]).new_full((2,), 3), [3, 3]),
        (lambda: torch.tensor([1]).new_tensor(2.7), 2),
        (lambda: torch.block_diag(), [[]]),
        (lambda: torch.combinations(torch.tensor([1, 2]), r=0), []),
    ],
)
def test_created_values(create, expected):
    assert np.allclose(create().cpu().numpy(), expected)


def test_arange_counts_from_the_first_element_of_each_vector_as_torch_does() -> None:
    counted = torch.arange(-1, 1, 0.1)  # 20 elements: two vectors of eight, and four that count from -1
    assert counted[10].item() == pytest.approx(float(np.float32(-0.2)) + 0.2)  # -2.98e-9, in PyTorch as well
    assert torch.arange(-1, 0.5, 0.1)[10].item() == 2.0**-54  # 10 · 0.1 is larger than 1, and isn't rounded by itself
    assert torch.arange(0, 1e300, 3e299, dtype=torch.float64).tolist() == [0, 3e299, 6e299, 9e299]  # doesn't overflow


@pytest.mark.parametrize(("start", "step"), [(0, 0.1), (-0.8, 0.1), (1e6, -1e-3), (0.3, 1 / 3), (-1e-30, 1e-45)])
def test_arange_of_float32_rounds_sums_once(start: float, step: float) -> None:
    values = torch.arange(start, start + 120.5 * step, step).cpu().numpy()
    heads = [Fraction(float(x)) for x in np.repeat(values[:112:8], 8)]
    assert (values[:112] == [np.float32(x + Fraction(step) * (i % 8)) for i, x in enumerate(heads)]).all()
    begins = [*range(0, 112, 8), *range(112, 121)]
    assert (values[begins] == [np.float32(Fraction(start) + Fraction(step) * i) for i in begins]).all()


@pytest.mark.parametrize(
    ("create", "dtype"),
    [
        (lambda: torch.arange(3), torch.int64),
        (lambda: torch.arange(3.0), torch.float32),
        (lambda: torch.arange(3, out=torch.empty(0)), torch.float32),
        (lambda: torch.range(0, 3), torch.float32),
        (lambda: torch.full((), True), torch.bool),
        (lambda: torch.full((), 1), torch.int64),
        (lambda: torch.full((), 1j), torch.complex64),
        (lambda: torch.zeros(1, dtype=float), torch.float64),
        (lambda: torch.zeros(1, dtype=complex), torch.complex128),
        (lambda: torch.scalar_tensor(2), torch.float32),
        (lambda: torch.linspace(0, 1j, 2), torch.complex64),
        (lambda: torch.zeros(2, dtype=torch.uint8).new_ones(1), torch.uint8),
        (lambda: torch.zeros(2).new_zeros(3, dtype=torch.int16), torch.int16),
        (lambda: torch.asarray(3, dtype=torch.float64), torch.float64),
        (lambda: torch.tensor(bytearray(b"ab")), torch.int64),
        (lambda: torch.tensor(array.array("d", [1.0])), torch.float32),
        (lambda: torch.asarray(bytearray(8)), torch.float32),
    ],
)
def test_created_dtypes(create, dtype):
    assert create().dtype == dtype


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: torch.arange(5, 1), RuntimeError, "doesn't lead from 5 to 1"),
        (lambda: torch.arange(0, 1, 0), RuntimeError, "step must be nonzero"),
        (lambda: torch.arange(0, 2.5, 0.5, dtype=torch.int64), ValueError, "0.5 is 0 in int64"),
        (lambda: torch.arange(float("inf")), RuntimeError, "unsupported range"),
        (lambda: torch.linspace(0, 1, -1), RuntimeError, "non-negative, got -1"),
        (lambda: torch.linspace(torch.zeros(1), 1, 3), RuntimeError, "0-dimensional"),
        (lambda: torch.arange(2, dtype=torch.bool), NotImplementedError, "arange: not implemented for bool"),
        (lambda: torch.arange(2, dtype=torch.complex64), NotImplementedError, "arange: not implemented for complex64"),
        (lambda: torch.fill(torch.ones(1, dtype=torch.uint8), 300), RuntimeError, "300 cannot be converted"),
        (lambda: torch.fill(torch.ones(1, dtype=torch.float16), 1e6), RuntimeError, "cannot be converted"),
        (lambda: torch.fill([1.0], 2), TypeError, "'input' .* must be Tensor, not list"),
        (lambda: torch.asarray([1.0], requires_grad=1), TypeError, "'requires_grad' must be bool, not int"),
        (lambda: torch.linspace(0, 1, 2, dtype=torch.bool), NotImplementedError, "linspace: not implemented for bool"),
        (lambda: torch.scalar_tensor([1.0]), TypeError, "'s' must be Number, not list"),
        (lambda: torch.arange(), TypeError, "'end' must be Number, not NoneType"),
        (lambda: torch.arange(step=2, dtype=torch.int64), TypeError, "'end'"),
        (lambda: torch.range(3), TypeError, "'end'"),
        (lambda: torch.zeros(), TypeError, "'size'"),
        (lambda: torch.randn(), TypeError, "'size'"),
        (lambda: torch.zeros(2, size=(2,)), TypeError, "multiple values"),
        (lambda: torch.zeros(1).new_full((2,), 1, color="red"), TypeError, r"new_full\(\) .* 'color'"),
        (lambda: torch.zeros(1).new_ones(2, out=torch.empty(2)), TypeError, r"new_ones\(\) .* 'out'"),
        (lambda: torch.eye(2, memory_format=torch.contiguous_format), TypeError, "'memory_format'"),
        (lambda: torch.signal.windows.hann(3, color="red"), TypeError, r"^hann\(\) .* 'color'"),
        (lambda: torch.zeros(2.5), TypeError, "tuple of ints, got"),
        (lambda: torch.zeros(-1), RuntimeError, "negative dimension -1"),
        (lambda: torch.ones(2, color="red"), TypeError, "'color'"),
        (lambda: torch.ones(2, dtype=torch.float64, out=torch.empty(2)), RuntimeError, "does not match"),
        (lambda: torch.full((2,), torch.zeros(1)), TypeError, "fill_value"),
        (lambda: torch.fill(torch.zeros(2), torch.zeros(1)), RuntimeError, "0-dimension value"),
        (lambda: torch.eye(2, -1), RuntimeError, "m must be greater or equal to 0, got -1"),
        (lambda: torch.tensor(2**63), ValueError, "Overflow"),
        (lambda: torch.empty_permuted((2, 3), (1, 1)), RuntimeError, "no order"),
        (lambda: torch.empty_strided((2, 3), (1,)), RuntimeError, "strides"),
        (lambda: torch.empty_strided((2, 3), (-1, 2)), RuntimeError, "strides can't be negative"),
        (lambda: torch.asarray([1], copy=False), ValueError, "needs a copy"),
        (lambda: torch.meshgrid(torch.ones(1), torch.tensor([1])), RuntimeError, "same dtype"),
        (lambda: torch.meshgrid(torch.ones(1), indexing="xx"), RuntimeError, "indexing"),
        (lambda: torch.cartesian_prod(torch.ones(1, 1)), RuntimeError, "1D vector"),
        (lambda: torch.combinations(torch.ones(1), r=-1), RuntimeError, "r = -1"),
        (lambda: torch.block_diag(torch.ones(1, 1, 1)), RuntimeError, "2 or fewer"),
        (lambda: torch.ones(1).to(torch.quint8), TypeError, "no tensors of quint8: arrays are not quantized"),
        (lambda: torch.ones(1, dtype=torch.bfloat16), TypeError, "no tensors of bfloat16"),
        (lambda: torch.ones(1).to(torch.bfloat16), TypeError, "no tensors of bfloat16"),
        (lambda: torch.ones(1).bfloat16(), AttributeError, "NumPy can't hold it"),
        (lambda: torch.finfo(torch.int8), TypeError, "iinfo"),
        (lambda: torch.finfo(torch.qint8), TypeError, "not quantized"),
        (lambda: torch.iinfo(torch.qint8), TypeError, "not quantized"),
        (lambda: torch.qint8.is_signed, RuntimeError, "isSignedType not supported for quantized types"),
        (lambda: torch.iinfo(torch.bool), TypeError, "integer"),
    ],
)
def test_wrong_arguments_raise(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_created_strides():
    assert torch.empty_permuted((2, 3, 5), (1, 2, 0)).stride() == (1, 10, 2)
    assert torch.empty_strided((2, 3), (1, 4)).stride() == (1, 4)
    assert torch.zeros(1).new_empty_strided((2,), (3,)).stride() == (3,)
    assert torch.zeros(2, 3, 4, 5).to(memory_format=torch.channels_last).stride() == (60, 1, 15, 3)


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
def test_data_may_contain_tensors_that_require_grad():
    x = torch.tensor(2.0, requires_grad=True)
    for data, expected in (([1, x], [1, 2]), ([[1.0, 2.0], [x, x]], [[1, 2], [2, 2]])):
        found = torch.tensor(data)
        assert (found.tolist(), found.dtype, found.requires_grad) == (expected, torch.float32, False)


@pytest.mark.host("the memory belongs to NumPy")
@pytest.mark.parametrize("create", [torch.from_numpy, torch.as_tensor, torch.asarray, torch.from_dlpack, torch.Tensor])
def test_resizing_an_array_does_not_change_the_tensor_on_its_memory(create) -> None:
    numbers = np.zeros(6, np.float32)
    x = create(numbers)
    numbers.resize((2, 3), refcheck=False)
    numbers[1] = 1
    numbers.flags.writeable = False
    assert x.add_(1).tolist() == [1, 1, 1, 2, 2, 2]


@pytest.mark.host("the memory belongs to NumPy")
@pytest.mark.parametrize("create", [torch.from_numpy, torch.as_tensor, torch.asarray, torch.from_dlpack])
@pytest.mark.parametrize(
    ("part", "first", "count"),
    [
        (lambda a: a[2:5], 2, 3),
        (lambda a: a[4:].reshape(2, 4), 4, 8),
        (lambda a: a[3:3], 3, 0),
        (lambda a: a[1::4], 1, 9),
        (lambda a: a.reshape(3, 4)[:, 1:], 1, 11),
        (lambda a: a.reshape(3, 4).T[1:3], 1, 10),
        (lambda a: np.lib.stride_tricks.sliding_window_view(a[2:6], 3, writeable=True), 2, 4),
        (lambda a: a.reshape(3, 4).T, 0, 12),
    ],
)
def test_the_storage_of_an_array_reaches_from_its_first_element_to_its_last(create, part, first, count) -> None:
    numbers = np.arange(12.0)
    given = part(numbers)
    x = create(given)
    assert (x.tolist(), x.stride()) == (given.tolist(), tuple(step // 8 for step in given.strides))
    assert (x.storage_offset(), x.untyped_storage().nbytes()) == (0, 8 * count)
    assert x.as_strided((count,), (1,), 0).tolist() == numbers[first : first + count].tolist()
    with pytest.raises(RuntimeError, match="out of bounds for storage"):
        x.as_strided((count + 1,), (1,))
    assert copy.deepcopy(x).untyped_storage().nbytes() == 8 * count
    before = x._version
    x[..., :1] = 99
    assert (x._version, given.tolist()) == (before + 1, x.tolist())
    numbers[:] = 5
    assert (x == 5).all()


@pytest.mark.host("the memory belongs to NumPy")
def test_neighbouring_and_reversed_slices_of_an_array_have_storages_of_their_own() -> None:
    numbers = np.arange(6.0)
    x, y, overlapping = torch.from_numpy(numbers[:3]), torch.from_numpy(numbers[3:]), torch.from_numpy(numbers[2:])
    assert len({t.untyped_storage().data_ptr() for t in (x, y, overlapping)}) == 3
    y[0] = 7
    assert (overlapping.tolist(), overlapping._version) == ([2, 7, 4, 5], 0)
    assert x[1:].untyped_storage() == x.untyped_storage()
    waves = np.array([1j, 2j, 3j])
    conjugate = torch.from_numpy(waves[1:]).conj()
    torch.from_numpy(waves[1:])[:1] = 5j
    assert conjugate.tolist() == [-5j, -3j]
    back = torch.as_tensor(numbers[4:1:-1])
    assert (back.tolist(), back.as_strided((3,), (1,), 0).tolist(), back.storage_offset()) == ([4, 7, 2], [2, 7, 4], 2)
    fixed = numbers[1:]
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        torch.as_tensor(fixed)[0] = 1


@pytest.mark.host("the memory belongs to NumPy")
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("create", [torch.from_numpy, torch.as_tensor, torch.asarray, torch.Tensor, torch.from_dlpack])
def test_matrices_and_masked_arrays_become_plain_tensors(create) -> None:
    for data in (np.matrix([[1, 2], [3, 4]], np.float32), np.ma.array(np.float32([[1, 2], [3, 4]]), mask=[[0, 1]] * 2)):
        x = create(data)
        assert (x * x).flatten().tolist() == [1, 4, 9, 16]
        assert type(x.numpy()) is np.ndarray
        if create is not torch.Tensor:
            x[0, 0] = 7
            assert data[0, 0] == 7


@pytest.mark.host("matrices and masked arrays are on the CPU")
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_operations_take_matrices_and_masked_arrays_as_plain_arrays() -> None:
    numbers = np.float32([[1, 2], [3, 4]])
    for data in (np.matrix(numbers), np.ma.array(numbers, mask=[[0, 1]] * 2)):
        x = torch.ones(2, 2, requires_grad=True)
        y = (x * data) * x + data
        assert type(y.array) is np.ndarray
        assert y.tolist() == [[2, 4], [6, 8]]
        y.sum().backward()
        assert type(x.grad.array) is np.ndarray
        assert x.grad.tolist() == [[2, 4], [6, 8]]


@pytest.mark.host("the memory belongs to NumPy")
def test_asarray_and_frombuffer_share_memory_unless_asked_to_copy():
    numbers = np.zeros(2)
    assert torch.asarray(numbers).data_ptr() == numbers.ctypes.data
    assert torch.asarray(numbers, copy=True).data_ptr() != numbers.ctypes.data
    number = np.array(2.0)
    assert torch.asarray(number).data_ptr() != number.ctypes.data  # without dimensions it counts as a number
    buffer = bytearray(4)
    torch.asarray(buffer, dtype=torch.int16)[1] = 5
    assert buffer == b"\0\0\5\0"
    assert torch.asarray(buffer, dtype=torch.uint8, copy=True).fill_(1).sum() == 4
    torch.frombuffer(buffer, dtype=torch.uint8)[1] = 7
    assert buffer[1] == 7


def test_asarray_of_a_tensor_keeps_or_sets_requires_grad():
    x = torch.ones(2, requires_grad=True)
    assert torch.asarray(x) is torch.asarray(x, requires_grad=True) is x
    assert not torch.asarray(x * 2, requires_grad=False).requires_grad
    assert torch.asarray(y := torch.ones(2), requires_grad=True) is y
    assert y.requires_grad


def test_from_file_extends_a_shared_file_and_keeps_its_content(tmp_path):
    file = tmp_path / "numbers"
    np.array([1.0, 2.0], np.float32).tofile(file)
    assert torch.from_file(str(file), shared=True, size=4).tolist() == [1, 2, 0, 0]
    assert file.stat().st_size == 16
    with pytest.raises(ValueError, match="mmap length"):
        torch.from_file(str(file), size=5)


@pytest.mark.parametrize("op", [torch.conj_physical, torch.chain_matmul])
def test_out_gets_memory_of_its_own(op):
    x, out = torch.ones(2, 2), torch.empty(0)
    op(x, out=out)
    out.zero_()
    assert x.tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("op", ["zeros", "empty", "eye", "arange", "rand", "randn"])
def test_out_requires_grad_if_asked_for(op):
    out = torch.empty(0)
    made = getattr(torch, op)(2.0 if op == "arange" else 2, out=out, requires_grad=True)
    assert made is out
    assert out.requires_grad


def test_finfo_and_iinfo():
    assert repr(torch.finfo(torch.float16)) == (
        "finfo(resolution=0.001, min=-65504, max=65504, eps=0.000976562, smallest_normal=6.10352e-05, "
        "tiny=6.10352e-05, dtype=float16)"
    )
    assert torch.finfo() == torch.finfo(torch.float32)
    assert torch.iinfo(torch.uint8).max == 255


@pytest.mark.parametrize("make", [torch.tensor, torch.as_tensor, torch.asarray])
def test_text_is_no_data(make):
    with pytest.raises(TypeError, match=r"^new\(\): invalid data type 'str'$"):
        make("a duck")
    with pytest.raises(ValueError, match=r"^too many dimensions 'str'$"):
        make(["a duck"])


def test_promote_types_result_type_and_can_cast():
    assert torch.promote_types(torch.int8, torch.uint8) == torch.int16
    assert torch.promote_types(torch.float64, torch.complex64) == torch.complex128
    assert torch.result_type(torch.tensor(1, dtype=torch.int8), 1000) == torch.int8
    assert torch.result_type(1, 2.0) == torch.float32
    with pytest.raises(RuntimeError) as caught:
        torch.promote_types(torch.uint64, torch.int64)
    assert not isinstance(caught.value, TypeError)  # SciPy takes a TypeError for two dtypes that can't be mixed
    assert torch.can_cast(torch.int64, torch.uint8)
    assert not torch.can_cast(torch.complex64, torch.float64)


def test_storages_of_one_memory_are_recognized():
    x = torch.arange(4.0)
    assert x[1:].untyped_storage()._cdata == x.untyped_storage()._cdata != x.clone().untyped_storage()._cdata


def test_a_tensor_of_a_storage_of_another_dtype_raises():
    with pytest.raises(RuntimeError, match="Expected a Storage of type Float or an UntypedStorage, but got Long"):
        torch.tensor(torch.ones(2, dtype=torch.int64).storage())


UNEVEN, MIXED = "expected sequence of length 1", "numbers beside sequences"


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ([[1], [2, 3], 4], ValueError, UNEVEN),
        ([[1], [2], 4], TypeError, MIXED),
        ([1, [2]], TypeError, MIXED),
        ([[1, 2], [3, [4]]], TypeError, MIXED),
    ],
)
def test_ragged_data_raises_as_in_pytorch(data, error, message):
    with pytest.raises(error, match=message):
        torch.tensor(data)


class Items:
    """A sequence by its methods alone: it is registered as none."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True to a scalar")
@pytest.mark.parametrize("kind", [deque, UserList, Items])
def test_any_sequence_is_data_and_an_index(kind):
    for number in (np.float64(1e300), np.float16(0.5), np.int32(5), np.uint8(5), np.complex128(1j)):
        for data in (kind([number]), [kind([number])], kind([[number]]), [[number], kind([number])]):
            found = torch.tensor(data)
            assert found.dtype == torch.as_tensor(data).dtype == number.dtype
            assert found.ravel()[0].item() == number
    weight = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    assert torch.tensor(kind([weight, 1])).dtype is torch.float64
    assert torch.tensor(kind([1.5, 2])).dtype is torch.float32
    x = torch.arange(12.0).reshape(3, 4)
    for index in ([0, 2], [True, False, True], [0.0, 1.0], [], [[0, 2], [1, 3]], [slice(2), 1], [torch.tensor(2), 1]):
        if index and not isinstance(index[0], (int, float)):
            with pytest.warns(UserWarning, match="non-tuple sequence"):
                assert torch.equal(x[kind(index)], x[tuple(index)])
        else:
            assert torch.equal(x[kind(index)], x[index])
    assert torch.equal(x[:, kind([0, 2])], x[:, [0, 2]])
    x[kind([0]), kind([1])] = -1
    assert x[0].tolist() == [0, -1, 2, 3]


def test_members_of_an_enum_are_numbers_although_its_class_has_items():
    two = IntEnum("Kind", "one two").two
    assert torch.tensor(two).item() == torch.as_tensor([two])[0] == torch.arange(3)[two] == 2
    assert torch.arange(3)[[two, 0]].tolist() == [2, 0]
    with pytest.raises(IndexError):
        torch.arange(3)[Enum("Kind", "one").one]


def test_objects_that_python_takes_for_integers_are_integers():
    class Two:
        def __index__(self):
            return 2

    x = torch.arange(4)
    for two in (Two(), np.array(2)):
        assert torch.equal(x.repeat_interleave(two), x.repeat_interleave(2))
        assert len(x.tensor_split(two)) == 2
        assert torch.Tensor(two).shape == (2,)
        assert torch.tensor(two, dtype=torch.float32).item() == 2
    assert len(x.split(torch.tensor([2]))) == len(x.split(torch.tensor(2.5))) == 2


@pytest.mark.parametrize("one", [IntEnum("Kind", "one").one, type("Number", (float,), {})(1), np.longdouble(1)])
def test_numbers_of_other_classes_widen_nothing(one):
    x = torch.zeros(2)
    for result in (
        nn.functional.threshold(x, one, one), nn.functional.hardtanh(x, -1, one), torch.logit(x, one / 4), x * one,
        torch.addcmul(x, x, x, value=one), torch.arange(2) * (one / 2), torch.full((2,), one / 2),
    ):  # fmt: skip
        assert result.dtype == torch.float32


def test_long_lists_of_tensors_are_one_index():
    assert torch.arange(5)[[torch.tensor(4)] * 32].tolist() == [4] * 32


@pytest.mark.parametrize("kind", [deque, UserList, Items])
def test_any_sequence_is_data_of_old_constructors(kind):
    for make in (torch.Tensor, torch.FloatTensor, torch.LongTensor, torch.zeros(1).new):
        assert make(kind([1, 2])).tolist() == [1, 2]
    for wrong in ({0: 1}, {1}, b"ab", np.float64(2)):
        with pytest.raises(TypeError):
            torch.Tensor(wrong)


def test_columns_of_pandas_are_data_and_indices():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"number": [1, 2], "real": [1.5, 2.5], "flag": [True, False]})
    assert torch.FloatTensor(table["real"]).tolist() == torch.tensor(table["real"]).tolist() == [1.5, 2.5]
    assert torch.Tensor(table["number"]).dtype is torch.float32
    for name, dtype in (("number", torch.int64), ("real", torch.float32), ("flag", torch.bool)):
        assert torch.tensor(table[name].astype(object)).dtype is dtype
    x = torch.arange(3)
    assert x[table["number"]].tolist() == x[table["real"]].tolist() == x[pandas.Index([1, 2])].tolist() == [1, 2]
    assert x[1:][table["flag"]].tolist() == x[1:][table["flag"].astype(object)].tolist() == [1]
    with pytest.raises(ValueError, match="could not determine the shape of object type 'DataFrame'"):
        torch.tensor(table)


def test_a_list_that_contains_itself_raises():
    data = []
    data.append(data)
    with pytest.raises(ValueError, match="too many dimensions 'list'"):
        torch.tensor(data)


def test_a_layout_that_is_not_strided_is_refused():
    assert torch.zeros(2, layout=torch.strided).layout is torch.strided
    with pytest.raises(NotImplementedError, match=r"zeros: there is no layout torch\.sparse_coo: arrays are dense"):
        torch.zeros(2, layout=torch.sparse_coo)


def test_an_array_whose_strides_are_no_multiples_of_its_items_is_refused():
    field = np.zeros(3, [("a", "u1"), ("b", "f4")])["b"]
    with pytest.raises(ValueError, match="strides not a multiple of the element byte size"):
        torch.from_numpy(field)
    assert torch.from_numpy(field.copy()).stride() == (1,)


@pytest.mark.parametrize("offset", [-(2**63), -20, -3, -1, 0, 1, 2, 7, 8, 30, 2**63 - 1])
@pytest.mark.parametrize(("row", "col"), [(0, 3), (3, 0), (1, 1), (5, 5), (8, 3), (2, 9)])
def test_indices_of_triangles_are_those_of_the_triangles_elements(row, col, offset):
    distance = np.arange(col) - np.arange(row)[:, None]
    for indices, inside in ((torch.tril_indices, distance <= offset), (torch.triu_indices, distance >= offset)):
        for dtype in (torch.int64, torch.int32):
            found = indices(row, col, offset, dtype=dtype)
            assert found.dtype == dtype
            np.testing.assert_array_equal(found.cpu().numpy(), np.stack(np.nonzero(inside)))
