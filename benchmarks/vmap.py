"""vmap of derivatives relative to PyTorch's torch.func: processor time on one thread, in alternating turns.

A ratio is that of the first quartiles. "in turn" is the same computation in microgad as a loop over the batch.

    python benchmarks/vmap.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import one_thread  # noqa: F401

# isort: split
import numpy as np
import torch
from arguments import parser

import microgad


def network(t: Any, *layers: Any) -> tuple[Any, dict[str, Any]]:
    t.manual_seed(0)
    net = t.nn.Sequential(*layers)
    return net, {name: p.detach() for name, p in net.named_parameters()}


def per_sample_gradients(t: Any) -> Callable[[], Any]:
    nn, func = t.nn, t.func
    layers = nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1352, 10)
    net, parameters = network(t, *layers)
    x, y = t.randn(64, 1, 28, 28), t.randint(0, 10, (64,))

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        return nn.functional.cross_entropy(func.functional_call(net, parameters, (x[None],)), y[None])

    batched = func.vmap(func.grad(loss), (None, 0, 0))
    return lambda: batched(parameters, x, y)


def second_derivatives(t: Any) -> Callable[[], Any]:
    nn, func = t.nn, t.func
    net, parameters = network(t, nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
    x = t.randn(256, 2)
    batched = func.vmap(func.hessian(lambda x: func.functional_call(net, parameters, (x,)).squeeze()))
    return lambda: batched(x)


def jacobian(t: Any) -> Callable[[], Any]:
    t.manual_seed(0)
    w, x = t.randn(50, 50), t.ones(50)
    jacobian_of = t.func.jacrev(lambda x: t.tanh(w @ x))
    return lambda: jacobian_of(x)


def products(t: Any) -> Callable[[], Any]:
    x = t.ones(1000, 5)
    batched = t.func.vmap(t.dot)
    return lambda: batched(x, x)


def seconds(call: Callable[[], Any]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def main() -> None:
    torch.set_num_threads(1)
    call_batched = microgad.func.mapping.call_batched

    def raise_fallback(*_: Any) -> Any:
        """Stand in for `call_batched`, so that vmap loops over the batch."""
        raise microgad.duck_arrays.Fallback

    for make in (per_sample_gradients, second_derivatives, jacobian, products):
        calls, turns = [make(torch), make(microgad), make(microgad)], []
        for _ in range(20):
            turn = []
            for call, implementation in zip(calls, (call_batched, call_batched, raise_fallback), strict=True):
                microgad.func.mapping.call_batched = implementation
                turn.append(seconds(call))
            turns.append(turn)
        theirs, ours, looped = np.percentile(turns, 25, axis=0)
        times = f"PyTorch {1e3 * theirs:8.3f} ms   microgad {1e3 * ours:8.3f} ms   ratio {ours / theirs:5.2f}"
        print(f"{make.__name__.replace('_', ' '):>22}   {times}   in turn {looped / theirs:6.1f}")


if __name__ == "__main__":
    parser(__doc__).parse_args()
    main()
