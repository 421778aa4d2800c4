"""Tensors, dtypes and modules as values of Python's: matched, dispatched, in data classes, threads and formats."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import itertools
import json
import logging
import queue
import sys
import threading
import typing

import torch
from torch import LongTensor, Tensor, nn

CPU, SIZE = torch.device("cpu"), torch.Size([2, 3])


class Output(typing.NamedTuple):
    loss: Tensor
    logits: Tensor | None = None


@dataclasses.dataclass(frozen=True)
class Spec:
    dtype: torch.dtype = torch.float32
    device: torch.device = CPU
    shape: torch.Size = SIZE


@dataclasses.dataclass
class Batch:
    x: Tensor
    y: LongTensor | None = None

    def to(self, *args):
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        return dataclasses.replace(self, **{name: value.to(*args) for name, value in tensors.items()})


@typing.runtime_checkable
class Net(typing.Protocol):
    def forward(self, x: Tensor) -> Tensor: ...


print(Output(torch.tensor(1.0)), Spec(), Spec() == Spec(), {Spec(): 1}[Spec()], Batch(torch.ones(2)).to(torch.float64))
print(isinstance(nn.ReLU(), Net), typing.get_type_hints(Spec), dataclasses.asdict(Batch(torch.ones(1))))


@functools.singledispatch
def kind(x):
    return "object"


@kind.register
def _(x: torch.Tensor):
    return "tensor"


@kind.register(nn.Module)
def _(x):
    return "module"


@kind.register(nn.Parameter)
def _(x):
    return "parameter"


def matched(x):
    match x:
        case torch.Tensor(dtype=torch.float32, ndim=2):
            return "matrix"
        case Tensor() if x.dtype == torch.int64:
            return "indices"
        case nn.Linear(in_features=i, out_features=o):
            return f"{i} to {o}"
        case torch.float16 | torch.float32:
            return "dtype"
        case [first, *_]:
            return f"first of several: {first}"
    return "other"


class Masked(nn.Linear):
    __constants__ = nn.Linear.__constants__ + ["mask"]  # noqa: RUF005 - as programs write it


print([kind(x) for x in (torch.ones(1), nn.ReLU(), nn.Parameter(torch.ones(1)), 3)])
values = torch.ones(1, 1), torch.tensor([1]), Masked(2, 3), torch.float16, [1, 2], torch.ones(3), torch.Size([4, 5])
print([matched(x) for x in values], torch.float32 == torch.ones(1), torch.float32 in [torch.ones(1), torch.float32])
print(json.dumps({"list": torch.arange(3).tolist(), "size": torch.Size([1])}), [*itertools.accumulate(torch.arange(3))])
print(
    f"{torch.tensor(3):05d} {torch.tensor(0.5):.1%} {torch.tensor(1234.5):,.1f} {torch.tensor(255):x}",
    "%.2f %d %s %r" % (torch.tensor(1.234), torch.tensor(3), torch.tensor([1]), torch.tensor(2.0)),  # noqa: UP031
    "{0.shape} {0.dtype}".format(torch.ones(2)),
    [1, 2, 3][torch.tensor(1)],
    list(range(torch.tensor(2))),
    "ab" * torch.tensor(2),
)
log = logging.getLogger("program")
log.addHandler(logging.StreamHandler(sys.stdout))
log.warning("loss %.3f accuracy %s", torch.tensor(0.12345), torch.tensor([1]))

found = queue.Queue()
threads = [threading.Thread(target=lambda i=i: found.put((i, torch.is_grad_enabled()))) for i in range(3)]
with torch.no_grad():
    for thread in threads:
        thread.start()
        thread.join()
print(sorted(found.queue))


async def full(i):
    await asyncio.sleep(0)
    return torch.full((1,), i)


async def gathered():
    return torch.cat(await asyncio.gather(*map(full, range(3))))


print(asyncio.run(gathered()))


class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x * 3)
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        (factor,) = ctx.saved_tensors
        return grad * factor.add_(1)


x = torch.ones(2, 3, requires_grad=True)
y = Scaled.apply(x).sum()
y.backward(retain_graph=True)
try:
    y.backward()
except RuntimeError:
    print("changed", x.grad)
print(torch.func.vmap(lambda row: row * row.sum().sin())(x), torch.func.vmap(torch.exp, out_dims=1)(x))
