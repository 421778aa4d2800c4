"""Pickles of programs that run under as_torch: PyTorch reads them, and microgad those of PyTorch."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgad

from ..processes import run_module

ROUND_TRIPS = """
import pickle, torch
from multiprocessing.reduction import ForkingPickler

class Marked(torch.Tensor): pass

x = torch.arange(24.0).reshape(2, 3, 4)
marked, parameter = x.as_subclass(Marked), torch.nn.Parameter(x[0])
marked.note = parameter.note = "a note"
tensors = [
    x, x.permute(2, 0, 1), x[0].t(), x[:, ::2], x[0, 0].expand(3, 4), torch.zeros(0, 3), torch.zeros(3, 0, 2).mT,
    torch.tensor(2.5), torch.ones(2, requires_grad=True), parameter, torch.nn.Parameter(x, requires_grad=False), marked,
    torch.nn.Buffer(x), torch.ones(2, device="meta"), torch.arange(3, dtype=torch.uint16), x.to(torch.complex64).conj(),
    x.clone(memory_format=torch.preserve_format)[None].contiguous(memory_format=torch.channels_last),
]
dumps = [lambda t, p=protocol: pickle.dumps(t, p) for protocol in range(2, 6)]
for number, t in enumerate(tensors):
    for dump in (*dumps, ForkingPickler.dumps):
        pickled = bytes(dump(t))
        assert b"microgad" not in pickled
        found = pickle.loads(pickled)
        facts = [(type(y), y.shape, y.dtype, y.requires_grad, y.is_leaf, getattr(y, "note", "")) for y in (t, found)]
        assert facts[0] == facts[1] and (t.is_meta or torch.equal(found, t)), (number, facts)
        assert number == 3 or found.stride() == t.stride(), number  # a pickle holds no values that aren't t's
storages = [pickle.loads(pickle.dumps(s, 2)) for s in (x.untyped_storage(), x.storage())]
assert [type(s) for s in storages] == [torch.UntypedStorage, torch.TypedStorage]
assert storages[0].tolist() == x.untyped_storage().tolist() and storages[1].tolist() == x.flatten().tolist()
buffers = []
pickled = pickle.dumps([x, parameter], 5, buffer_callback=buffers.append)
assert [b.raw().nbytes for b in buffers] == [96, 48]
assert torch.equal(pickle.loads(pickled, buffers=buffers)[1], parameter)
print("done")
"""
EXCHANGE = """
import pickle, sys, torch
made = {key: pickle.loads(data) for key, data in pickle.load(open(sys.argv[1], "rb")).items()}
torch.rand(1, generator=made["generator", 2])
with open(sys.argv[2], "wb") as file:
    pickle.dump({(name, protocol): pickle.dumps(x, protocol) for (name, protocol), x in made.items()}, file)
"""


def test_pickles_have_pytorchs_names_and_keep_tensors_as_they_are() -> None:
    done = run_module("microgad", "-c", ROUND_TRIPS)
    assert done.stdout == "done\n", done.stderr


def objects(torch: Any) -> dict[str, Any]:
    x = torch.arange(24.0).reshape(2, 3, 4)
    noted, parameter = torch.ones(2), torch.nn.Parameter(x)
    noted.note = parameter.note = "a note"
    names = ["float16", "float64", "complex64", "complex128", "uint8", "int8", "int16", "int32", "int64", "bool"]
    return {
        "tensors": [
            x,
            x,
            x[1],
            x.permute(2, 0, 1),
            x[0].t(),
            torch.zeros(0, 3),
            torch.tensor(2.5),
            x[0, 0].expand(2, 4),
        ],
        "dtypes": [torch.ones(2).to(getattr(torch, name)) for name in names],
        "conjugate": torch.tensor([1j]).conj(),
        "negative": torch._neg_view(torch.ones(2)),
        "leaf": torch.ones(2, requires_grad=True),
        "parameters": [parameter, torch.nn.Parameter(x, requires_grad=False)],
        "noted": noted,
        "facts": (torch.float32, torch.bool, torch.device("cuda", 1), torch.Size([1, 2]), torch.strided),
        "largest": tuple(torch.max(x[0], 0)),
        "generator": torch.Generator().manual_seed(3),
        "function": torch.relu,
        "storage": torch.FloatStorage([1, 2]),
        "layers": torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.ReLU(), torch.nn.BatchNorm1d(3)),
    }


def facts(torch: Any, x: Any) -> Any:
    if isinstance(x, torch.Tensor):
        values = x.detach().resolve_conj().resolve_neg().numpy()
        return type(x).__name__, x.dtype, x.stride(), x.requires_grad, x.is_leaf, vars(x), values.tolist()
    if isinstance(x, list | tuple):
        return [type(x), *(facts(torch, item) for item in x)]
    if isinstance(x, torch.TypedStorage):
        return type(x), x.dtype, x.tolist()
    if isinstance(x, torch.nn.Module):
        return repr(x), x.training, facts(torch, [*x.state_dict().values()])
    return x


def test_pickles_go_from_pytorch_to_microgad_and_back(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    made = objects(torch)
    largest = torch.max(torch.arange(6).reshape(2, 3), 0)
    pickled = {(name, protocol): pickle.dumps(x, protocol) for name, x in made.items() for protocol in (2, 4, 5)}
    pickled["named", 2] = pickle.dumps(largest, 2)
    (tmp_path / "theirs").write_bytes(pickle.dumps(pickled))
    arguments = [EXCHANGE, str(tmp_path / "theirs"), str(tmp_path / "ours")]
    done = run_module("microgad", "-c", *arguments)
    assert done.returncode == 0, done.stderr
    torch.rand(1, generator=made["generator"])
    for (name, protocol), data in pickle.loads((tmp_path / "ours").read_bytes()).items():
        if name == "function":
            continue
        found = pickle.loads(data)
        if name == "named":
            assert found.indices.tolist() == largest.indices.tolist()
        elif name != "generator":
            assert facts(torch, found) == facts(torch, made[name]), (name, protocol)
        elif protocol == 2:
            assert torch.equal(found.get_state(), made[name].get_state())


def test_files_of_conjugate_tensors_have_their_values(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    z = torch.tensor([1 + 2j])
    torch.save([z.conj(), torch._neg_view(z.real.clone())], tmp_path / "file")
    conjugate, negative = microgad.load(tmp_path / "file")
    assert conjugate.tolist() == [1 - 2j]
    assert negative.tolist() == [-1]


def test_pickles_from_before_they_were_as_pytorchs_are_read() -> None:
    g = microgad.Generator().manual_seed(3)
    other = microgad.Generator()
    other.__setstate__((g.device, g.snapshot()))
    assert np.array_equal(other.snapshot(), g.snapshot())
    assert pickle.loads(b"cmicrogad.dtypes\nof\n(cnumpy\ndtype\n(Vf4\ntRtR.") is microgad.float32
