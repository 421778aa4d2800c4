"""load puts what a file holds where map_location says."""

import io
import weakref
from typing import Any

import pytest

import microgad
from microgad import load, save

from .files import saved


@pytest.mark.parametrize(
    "map_location",
    [
        None,
        "cpu",
        microgad.device("cpu"),
        {"cuda:0": "cpu"},
        {microgad.device("cpu"): "cpu"},
        lambda storage, place: storage,
        lambda storage, place: "cpu",
    ],
)
def test_map_location_takes_devices_dicts_and_functions(map_location: Any) -> None:
    file = io.BytesIO()
    save(microgad.ones(2, device="cpu"), file)
    file.seek(0)
    assert load(file, map_location=map_location, weights_only=False).device == microgad.device("cpu")


def test_map_location_of_a_wrong_type_raises() -> None:
    with pytest.raises(TypeError, match="map_location must be a device, a dict or a function, got int"):
        load(io.BytesIO(), map_location=0)


@pytest.mark.parametrize("error", [KeyError("mine"), ValueError("mine"), AttributeError("mine")])
@pytest.mark.parametrize("zipped", [True, False])
def test_an_error_of_the_program_s_map_location_is_raised_as_it_is(error: Exception, zipped: bool) -> None:
    def place(storage: Any, location: str) -> Any:
        raise error

    file = io.BytesIO()
    save(microgad.ones(2), file, _use_new_zipfile_serialization=zipped)
    file.seek(0)
    with pytest.raises(type(error), match="mine") as raised:
        load(file, map_location=place)
    assert raised.value is error


def test_map_location_may_return_another_storage_of_that_size() -> None:
    x = microgad.tensor([1.0, 2.0])
    loaded = load(io.BytesIO(saved([x, x[1:]])), map_location=lambda storage, place: x.untyped_storage())
    assert loaded[0].data_ptr() == x.data_ptr() == loaded[1].data_ptr() - 4
    with pytest.raises(RuntimeError, match="has a storage of 8 bytes, but map_location made 3 of it"):
        load(io.BytesIO(saved(x)), map_location=lambda storage, place: microgad.UntypedStorage(3))


@pytest.mark.usefixtures("no_garbage_collection")
def test_an_error_of_the_program_s_map_location_keeps_no_storage() -> None:
    memories = []

    def place(storage: Any, location: str) -> Any:
        memories.append(weakref.ref(storage))
        return {}[location]

    file = io.BytesIO()
    save(microgad.ones(2), file)
    file.seek(0)
    with pytest.raises(KeyError):
        load(file, map_location=place)
    assert [memory() for memory in memories] == [None]
