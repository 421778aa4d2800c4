"""Arguments that PyTorch's bindings require to be a bool reject other values, such as 1, "a", None, NumPy's bools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from .op_db.compare import same

torch = pytest.importorskip("torch")
import microgad  # noqa: E402

# T is the library, x a leaf that requires grad, v a vector that doesn't, loss a scalar made from x, W a wrong value.
CALLS = """
    v.requires_grad_(W).requires_grad
    x.requires_grad_(requires_grad=W).requires_grad
    (x*2).requires_grad_(W)
    setattr(v,"requires_grad",W)
    T.nn.Parameter(v,W).requires_grad
    T.nn.Linear(2,2).requires_grad_(W)
    T.set_grad_enabled(W)
    enter(T.autograd.set_multithreading_enabled(W))
    enter(T.inference_mode(W))
    T.autograd.set_detect_anomaly(W)
    T.autograd.set_detect_anomaly(True,check_nan=W)
    enter(T.autograd.detect_anomaly(W))
    loss.backward(retain_graph=W)
    loss.backward(create_graph=W)
    T.autograd.backward(loss,None,W)
    T.autograd.backward(loss,create_graph=W)
    T.autograd.grad(loss,x,retain_graph=W)
    T.autograd.grad(loss,x,create_graph=W)
    T.autograd.grad(loss,(x,v.requires_grad_()),allow_unused=W)
    T.autograd.grad(loss,(x,v.requires_grad_()),materialize_grads=W)
    x.numpy(force=W)
    T.asarray([1.],copy=W)
    v.to("cpu",non_blocking=W)
    v.to("cpu",copy=W)
    v.copy_(v,W)
    v.type(T.float64,W)
    v.cpu(W)
    v.index_put_((T.tensor([0]),),T.ones(1),W)
    T.use_deterministic_algorithms(W)
    T.set_warn_always(W)
    T.set_flush_denormal(W)
    T.set_num_threads([W])
    T.set_default_dtype(W)
    T.nn.MultiheadAttention(4,2,add_zero_attn=W)(q,q,q,need_weights=W,average_attn_weights=W)[1].shape
    call(T.nn.MultiheadAttention(4,2),W,q,q,q)[0].shape
    call(T.nn.BatchNorm1d(2),W,q).shape
    call(T.nn.InstanceNorm1d(2),W,q).shape
    T.nn.functional.multi_head_attention_forward(q,q,q,4,1,T.ones(12,4),*[None]*3,W,0,T.ones(4,4),None,W,is_causal=W)[0]
    T.nn.EmbeddingBag(4,2,include_last_offset=W)(T.tensor([[0,1]])).shape
    T.nn.functional.embedding_bag(T.tensor([0,1]),T.ones(4,2),T.tensor([0,2]),include_last_offset=W)
"""


@pytest.fixture(autouse=True)
def restore_settings() -> Iterator[None]:
    yield
    for t in (torch, microgad):
        t.set_grad_enabled(True)
        t.autograd.set_detect_anomaly(False)
    torch.use_deterministic_algorithms(False)
    torch.set_warn_always(False)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("wrong", ["a", 1, None, 1.5, np.True_], ids=repr)
@pytest.mark.parametrize("call", [line.strip() for line in CALLS.strip().splitlines()])
def test_value_that_is_no_bool_raises_as_in_torch(call, wrong):
    theirs, ours = (outcome(call, wrong, t) for t in (torch, microgad))
    if isinstance(theirs, Exception):
        assert isinstance(ours, type(theirs)), ours
        assert str(ours)
    else:
        same(theirs, ours)


def outcome(call: str, wrong: Any, T: Any) -> Any:
    x, v = T.ones(2, requires_grad=True), T.ones(2)
    values = {"loss": (x * x).sum(), "enter": enter, "call": call_in_mode, "q": T.ones(3, 2, 4)}
    try:
        return eval(call, {"T": T, "x": x, "v": v, "W": wrong, **values})
    except Exception as error:
        return error


def enter(mode: Any) -> None:
    with mode:
        pass


def call_in_mode(module: Any, training: Any, *args: Any) -> Any:
    module.training = training
    return module(*args)
