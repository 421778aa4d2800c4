"""Strategy of small random networks, each with an input for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st

from ... import nn
from ...generator import default_generator
from ...ops.random import fork_rng
from ...tensor import Tensor
from .shape import Shape
from .tensor import tensors

Drawn = tuple[nn.Module, Shape]  # a layer, and the shape of its result


@st.composite
def modules(draw: st.DrawFn, /, *, max_layers: int = 4, **options: Any) -> tuple[nn.Module, Tensor]:
    """Draw a Sequential of one to `max_layers` layers, and an input for it: (N, F) or (N, C, H, W), with N at least 2.

    The layers are Linear, Conv2d, pooling, batch norm, dropout, activations and Flatten, in training mode. Options are
    those of `tensors`, for the input; parameters have the input's dtype, by default float64. Initial values come from a
    drawn seed. The default generator is left as it was.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.modules(), lambda drawn: len(drawn[0]) > 1)
    (Sequential(
      (0): Tanh()
      (1): Tanh()
    ), tensor([[0.],
            [0.]], dtype=torch.float64))
    """
    side = st.integers(1, 3)
    start: Shape = draw(st.tuples(st.integers(2, 3), side) | st.tuples(st.just(2), st.integers(1, 2), side, side))
    shape, layers = start, []
    with seeded(draw(st.integers(0, 2**32 - 1))):
        more = True
        while more:
            kinds = [_activation, _linear, _dropout, _batch_norm]
            if len(shape) == 4:
                kinds += [_conv, _pool, _flatten]
            layer, shape = draw(st.sampled_from(kinds))(draw, shape)
            layers.append(layer)
            # Drawn after each layer, so that shrinking can leave out any of them.
            more = len(layers) < max_layers and draw(st.sampled_from((False, True, True)))
    input = draw(tensors(start, **options))
    return nn.Sequential(*layers).to(input.dtype), input


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Context with the random numbers of manual_seed(seed). Afterwards the default generator is as it was before."""
    with fork_rng():
        default_generator.manual_seed(seed)
        yield


def _activation(draw: st.DrawFn, shape: Shape) -> Drawn:
    made: list[Callable[[], nn.Module]] = [
        nn.Tanh,
        nn.Sigmoid,
        nn.ReLU,
        lambda: nn.Softmax(dim=1),
        lambda: nn.LogSoftmax(dim=1),
    ]
    return draw(st.sampled_from(made))(), shape


def _linear(draw: st.DrawFn, shape: Shape) -> Drawn:
    features = draw(st.integers(1, 3))
    return nn.Linear(shape[-1], features, bias=draw(st.booleans())), (*shape[:-1], features)


def _dropout(draw: st.DrawFn, shape: Shape) -> Drawn:
    return nn.Dropout(draw(st.sampled_from([0.5, 0.25]))), shape


def _batch_norm(draw: st.DrawFn, shape: Shape) -> Drawn:
    return (nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d)(shape[1]), shape


def _conv(draw: st.DrawFn, shape: Shape) -> Drawn:
    n, c, *size = shape
    channels, padding = draw(st.integers(1, 2)), draw(st.integers(0, 1))
    kernel = draw(st.tuples(*[st.integers(1, min(3, side + 2 * padding)) for side in size]))
    plane = (side + 2 * padding - k + 1 for side, k in zip(size, kernel, strict=True))
    return nn.Conv2d(c, channels, kernel, padding=padding, bias=draw(st.booleans())), (n, channels, *plane)


def _pool(draw: st.DrawFn, shape: Shape) -> Drawn:
    *lead, h, w = shape
    kernel = draw(st.integers(1, min(2, h, w)))
    pool = draw(st.sampled_from([nn.MaxPool2d, nn.AvgPool2d]))
    return pool(kernel), (*lead, h // kernel, w // kernel)


def _flatten(draw: st.DrawFn, shape: Shape) -> Drawn:
    n, c, h, w = shape
    return nn.Flatten(), (n, c * h * w)
