"""Storages: untyped, typed, and the legacy classes such as torch.FloatStorage."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import microgad as torch

pytestmark = pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")


def test_typed_and_untyped_storages_have_one_memory() -> None:
    x = torch.arange(4.0)
    typed, untyped = x._typed_storage(), x.untyped_storage()
    assert typed.untyped() == typed._untyped_storage == untyped != untyped.clone()
    assert len({untyped, x[1:].untyped_storage()}) == 1
    assert not isinstance(typed, torch.UntypedStorage)
    assert typed.fill_(2) is typed
    typed[-1], typed[0:2] = 5, 7
    assert x.tolist() == [7, 7, 2, 5]
    untyped.copy_(torch.FloatStorage([1, 2, 3, 4]))
    assert x.tolist() == list(typed) == [1, 2, 3, 4]
    untyped[0:4] = 0
    assert untyped[0:8].tolist() == [0, 0, 0, 0, 0, 0, 0, 64]
    untyped.byteswap(torch.float32)
    assert untyped[4:8].tolist() == [64, 0, 0, 0]


def test_a_typed_storage_is_made_of_a_size_a_sequence_or_an_untyped_storage() -> None:
    assert torch.TypedStorage().size() == torch.FloatStorage().size() == 0
    assert torch.TypedStorage(3).dtype == torch.float32
    assert torch.TypedStorage([1, 2], dtype=torch.int16).nbytes() == torch.ShortStorage((1, 2)).nbytes() == 4
    memory = torch.UntypedStorage([1, 0, 2, 0, 3])
    for made in torch.TypedStorage(wrap_storage=memory, dtype=torch.int16), torch.ShortStorage(wrap_storage=memory):
        assert (made.tolist(), made.untyped() is memory, made.type()) == ([1, 2], True, "torch.ShortStorage")
        assert (made.get_device(), made.is_shared(), made.is_pinned(), made.filename) == (None, False, False, None)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda u: torch.TypedStorage(1, 2), "__init__ received an invalid.*\nToo many positional arguments"),
        (lambda u: torch.TypedStorage({}), "Argument type not recognized: <class 'dict'>"),
        (lambda u: torch.TypedStorage(wrap_storage=u), "Argument 'dtype' must be specified"),
        (lambda u: torch.TypedStorage(wrap_storage=u, dtype=3), "'dtype' must be torch.dtype, not <class 'int'>"),
        (lambda u: torch.TypedStorage(wrap_storage=3, dtype=torch.int8), "must be UntypedStorage, but got"),
        (lambda u: torch.TypedStorage(1, wrap_storage=u, dtype=torch.int8), "No positional arguments should be given"),
        (lambda u: torch.TypedStorage(wrap_storage=u, dtype=torch.int8, device="cpu"), "should not be specified"),
        (lambda u: torch.FloatStorage(1, 2), "FloatStorage'>.__new__ received.*\nToo many positional arguments"),
        (lambda u: torch.FloatStorage({}), "Argument type not recognized: <class 'dict'>"),
        (lambda u: torch.FloatStorage(dtype=torch.int8), "Keyword argument 'dtype' cannot be specified"),
        (lambda u: torch.FloatStorage(1, wrap_storage=u), "No positional arguments should be given"),
        (lambda u: torch.FloatStorage(wrap_storage=3), "must be UntypedStorage, but got <class 'int'>"),
        (lambda u: torch.cuda.FloatStorage(wrap_storage=u), "Device of 'wrap_storage' must be cuda, but got cpu"),
        (lambda u: torch.UntypedStorage(2.5), "Expected a sequence type, but got float"),
        (lambda u: torch.UntypedStorage("a"), r"a sequence \(str\), but one of the items was of type str instead of"),
        (lambda u: u.copy_(torch.UntypedStorage(2)), "size does not match, self was 4 bytes but src was 2 bytes"),
        (lambda u: torch.ByteStorage(4)[0:2], "slices are only supported in UntypedStorage.__getitem__"),
        (lambda u: torch.ByteStorage(4)["a"], "can't index a .* with <class 'str'>"),
        (lambda u: u[0:4:2], "Trying to slice with a step of 2, but only a step of 1 is supported"),
        (lambda u: u.__setitem__(0, 2.5), "can only set storage content with a int types, but got float instead"),
        (lambda u: torch.ByteStorage(4).__setitem__(0, u), "cannot set item with value type"),
        (lambda u: torch.zeros(0).set_(torch.IntStorage(1)), "Expected a Storage of type Float or an UntypedStorage"),
        (lambda u: torch.ones(2).untyped_storage().resize_(0), "the memory belongs to a Tensor"),
    ],
)
def test_wrong_arguments_raise_in_the_words_of_pytorch(call: Any, message: str) -> None:
    with pytest.raises(RuntimeError, match=f"(?s){message}"):
        call(torch.UntypedStorage(4))
    with pytest.raises(IndexError, match="index 4 out of range for storage of size 4"):
        torch.UntypedStorage(4)[4]


@pytest.mark.host("torch.FloatStorage is on the CPU")
def test_legacy_storages_are_typed_storages_of_a_dtype() -> None:
    made = torch.FloatStorage([1, 2])
    assert type(made) is torch.TypedStorage
    assert isinstance(made, torch.FloatStorage)
    assert isinstance(torch.ones(2).storage(), torch.FloatStorage)
    assert not isinstance(made, (torch.DoubleStorage, torch.cuda.FloatStorage))
    assert torch.FloatStorage.dtype == torch.FloatStorage._dtype == torch.float32
    assert issubclass(torch.ComplexFloatStorage, torch.TypedStorage)
    assert torch.FloatTensor(made).tolist() == [1, 2]


def test_conversions_copy_the_elements() -> None:
    made = torch.FloatStorage([0, 1.5])
    found = [made.double(), made.half(), made.long(), made.int(), made.short(), made.char(), made.byte(), made.bool()]
    assert [x.pickle_storage_type() for x in found[:3]] == ["DoubleStorage", "HalfStorage", "LongStorage"]
    assert [x[1] for x in found] == [1.5, 1.5, 1, 1, 1, 1, 1, True]
    assert made.complex_float().tolist() == made.complex_double().tolist() == [0, 1.5]
    same = made.float()
    same[0] = 9
    assert made[0] == 0
    assert torch.UntypedStorage([1, 255]).float().tolist() == [1, 255]


def test_resize_keeps_the_first_bytes_unless_a_tensor_lies_there() -> None:
    made = torch.IntStorage([1, 2, 3])
    made.resize_(2)
    assert made.tolist() == [1, 2]
    made.resize_(4)
    assert (made.size(), made[1]) == (4, 2)
    x = torch.tensor([], dtype=torch.int32).set_(made)
    with pytest.raises(RuntimeError, match="the memory belongs to a Tensor"):
        made.resize_(1)
    assert x[1] == 2


def test_a_tensor_moves_along_when_its_storage_grows() -> None:
    scores = torch.FloatTensor(torch.FloatStorage())  # as in torchnet's APMeter
    for n, capacity in ((2, 2), (1, 4), (1, 4)):
        if len(scores.storage()) < scores.numel() + n:
            scores.storage().resize_(capacity)
        scores.resize_(len(scores) + n).narrow(0, len(scores) - n, n).fill_(n)
        assert len(scores.storage()) == capacity
    assert scores.tolist() == [2, 2, 1, 1]
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).t_()
    storage = x.untyped_storage()
    storage.resize_(24)
    assert (x.tolist(), x.stride(), storage.nbytes(), storage == x.untyped_storage()) == (
        [[1, 3], [2, 4]],
        (1, 2),
        24,
        True,
    )
    x.data.resize_(5).fill_(7)  # where `.data` moves, its Tensor does
    assert x.tolist() == [[7, 7], [7, 7]]
    row = x[0]
    for wrong, size in ((x, 32), (row, 32), (torch.ones(2, requires_grad=True), 32), (x.clone(), 8)):
        with pytest.raises(RuntimeError, match=r"resize_: (the memory|8 elements need more memory)"):
            wrong.untyped_storage().resize_(size)
    y = torch.tensor([1, 2], dtype=torch.uint8)
    storage, y.data = y.untyped_storage(), torch.zeros(4, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="resize_: the memory"):  # it isn't y's any more
        storage.resize_(64)
    assert (storage.tolist(), y.untyped_storage().nbytes()) == ([1, 2], 4)


def test_storages_are_read_from_buffers_and_files(tmp_path: Any) -> None:
    data = bytes([1, 0, 2, 0])
    assert torch.ShortStorage.from_buffer(data, "little").tolist() == [1, 2]
    assert torch.ShortStorage.from_buffer(data, byte_order="big", count=1, offset=2).tolist() == [512]
    assert torch.BoolStorage.from_buffer(data).tolist() == [True, False, True, False]
    assert torch.TypedStorage.from_buffer(data, dtype=torch.int8, device="cpu").size() == 4
    part = torch.UntypedStorage.from_buffer(data, dtype=torch.int16, byte_order="native")
    assert part.tolist() == [1, 0, 2, 0]
    for wrong, message in (
        ({}, "argument 'dtype' cannot be None"),
        ({"dtype": torch.float}, r"missing required argument 'byte_order' \(pos 2\)"),
        (
            {"dtype": torch.float, "byte_order": "x"},
            r"invalid byte_order 'x' \(expected 'big', 'little', or 'native'\)",
        ),
        ({"dtype": torch.double, "byte_order": "big"}, r"buffer size \(4\) must be a multiple of element size \(8\)"),
    ):
        with pytest.raises(RuntimeError, match=message):
            torch.UntypedStorage.from_buffer(data, **wrong)
    name = str(tmp_path / "numbers")
    mapped = torch.FloatStorage.from_file(name, True, 3)
    mapped.fill_(2)
    assert mapped.filename == name
    private = torch.FloatStorage.from_file(name, False, 2)
    assert (private.tolist(), private.filename) == ([2, 2], None)


def test_copies_of_a_storage_and_its_tensors_share_memory() -> None:
    x = torch.arange(3.0)
    found, typed, untyped, part = copy.deepcopy([x, x.storage(), x.untyped_storage(), x[1:]])
    found[1] = 9
    assert typed.tolist() == [0, 9, 2]
    assert untyped == typed.untyped() == part.untyped_storage() != x.untyped_storage()
    for copied in (copy.copy(x.storage()), pickle.loads(pickle.dumps(x.storage()))):
        copied[0] = 5
        assert (copied.tolist(), copied.dtype, x[0]) == ([5, 1, 2], torch.float32, 0)
    assert pickle.loads(pickle.dumps(x.untyped_storage())).tolist() == x.untyped_storage().tolist()


def test_storages_on_the_meta_device_have_no_values() -> None:
    made = torch.UntypedStorage(3, device="meta")
    assert repr(made) == "...\n[torch.storage.UntypedStorage(device=meta) of size 3]"
    assert (made.data_ptr(), torch.TypedStorage(3, device="meta").nbytes()) == (0, 12)
    assert torch.ones(2, device="meta").untyped_storage().data_ptr() == 0
    for read in (lambda: made[0], made.tolist, lambda: torch.UntypedStorage(device="meta")[0]):
        with pytest.raises(NotImplementedError, match="Not available for 'meta' device type"):
            read()
    assert made.resize_(5).size() == 5
    assert made.copy_(torch.UntypedStorage([1, 2, 3, 4, 5])).fill_(2).clone().device == torch.device("meta")


def test_memory_that_is_no_whole_number_of_elements() -> None:
    x = torch.arange(3.0)
    for y in (torch.view_as_complex(x[:2]), x[:2].view(torch.complex64)):
        assert (y.untyped_storage().nbytes(), list(y._typed_storage()), y.storage_offset()) == (12, [1j], 0)
        assert y.as_strided((1,), (1,)).tolist() == [1j]
        for copied in (pickle.loads(pickle.dumps(y)), copy.deepcopy(y), torch.empty(0, dtype=y.dtype).set_(y)):
            assert copied.tolist() == y.tolist()


def test_bytes_of_storages() -> None:
    memory = torch.UntypedStorage(4)
    memory[0], memory[1] = 300, -1
    assert memory[:2].tolist() == [44, 255]
    assert memory.to(device=memory.device) is memory
    assert memory[:2] != memory
    number = torch.tensor([1 + 2j]).untyped_storage()
    number.byteswap(torch.complex64)  # each part for itself
    assert number.tolist() == [63, 128, 0, 0, 64, 0, 0, 0]
    read = torch.UntypedStorage.from_buffer
    assert read(bytes(range(7)), "little", offset=1, dtype=torch.int16).tolist() == [1, 2, 3, 4, 5, 6]
    assert read(bytes([0, 2, 1]), dtype=torch.bool).tolist() == [0, 1, 1]


def test_parts_and_sums_of_a_size_are_sizes() -> None:
    size = torch.Size([2, 3])
    for made, expected in ((size[1:], (3,)), (tuple(size) + size, (2, 3, 2, 3)), (size + tuple(size), (2, 3, 2, 3))):
        assert (type(made), made) == (torch.Size, expected)
    assert size[1:].numel() == 3
    with pytest.raises(TypeError):
        torch.Size([2.0])
