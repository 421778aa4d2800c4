"""Invalid arguments of random draws raise PyTorch's class of error."""

import numpy as np
import pytest

import microgad
from microgad import generator as ours

torch = pytest.importorskip("torch")

CALLS = {
    "uniform_ bounds": (lambda t: t.zeros(3).uniform_(2, 1), lambda: ours.uniform_(np.zeros(3), 2, 1)),
    "uniform_ dtype": (lambda t: t.zeros(3, dtype=t.int64).uniform_(), lambda: ours.uniform_(np.zeros(3, int))),
    "normal_ std": (lambda t: t.zeros(3).normal_(0, -1), lambda: ours.normal_(np.zeros(3), 0, -1)),
    "normal_ dtype": (lambda t: t.zeros(3, dtype=t.int64).normal_(), lambda: ours.normal_(np.zeros(3, int))),
    "exponential_": (lambda t: t.zeros(3).exponential_(0), lambda: ours.exponential_(np.zeros(3), 0)),
    "exponential_ dtype": (
        lambda t: t.zeros(3, dtype=t.int64).exponential_(),
        lambda: ours.exponential_(np.zeros(3, int)),
    ),
    "cauchy_": (lambda t: t.zeros(3).cauchy_(0, 0), lambda: ours.cauchy_(np.zeros(3), 0, 0)),
    "cauchy_ dtype": (lambda t: t.zeros(3, dtype=t.int64).cauchy_(), lambda: ours.cauchy_(np.zeros(3, int))),
    "geometric_": (lambda t: t.zeros(3).geometric_(1), lambda: ours.geometric_(np.zeros(3), 1)),
    "geometric_ dtype": (
        lambda t: t.zeros(3, dtype=t.bool).geometric_(0.5),
        lambda: ours.geometric_(np.zeros(3, bool), 0.5),
    ),
    "log_normal_": (lambda t: t.zeros(3).log_normal_(0, 0), lambda: ours.log_normal_(np.zeros(3), 0, 0)),
    "log_normal_ dtype": (
        lambda t: t.zeros(3, dtype=t.int64).log_normal_(),
        lambda: ours.log_normal_(np.zeros(3, int)),
    ),
    "poisson": (lambda t: t.poisson(t.tensor([-1.0])), lambda: ours.poisson(np.array([-1.0]))),
    "poisson dtype": (lambda t: t.poisson(t.tensor([1])), lambda: ours.poisson(np.array([1]))),
    "binomial dtype": (
        lambda t: t.binomial(t.tensor([1]), t.tensor([1])),
        lambda: ours.binomial(np.array([1]), np.array([1])),
    ),
    "bernoulli_": (lambda t: t.zeros(3).bernoulli_(1.5), lambda: ours.bernoulli_(np.zeros(3), 1.5)),
    "bernoulli_ array": (
        lambda t: t.zeros(3).bernoulli_(t.tensor([0.5, 1.5, 0])),
        lambda: ours.bernoulli_(np.zeros(3), np.array([0.5, 1.5, 0])),
    ),
    "bernoulli_ shape": (
        lambda t: t.zeros(3).bernoulli_(t.zeros(2)),
        lambda: ours.bernoulli_(np.zeros(3), np.zeros(2)),
    ),
    "expanded": (
        lambda t: t.zeros(3).expand(4, 3).uniform_(),
        lambda: ours.uniform_(np.broadcast_to(np.zeros(3), (4, 3))),
    ),
    "random_ unsigned": (lambda t: t.zeros(3, dtype=t.uint32).random_(), lambda: ours.random_(np.zeros(3, "u4"))),
    "randperm n": (lambda t: t.randperm(-1), lambda: ours.randperm(-1)),
    "randperm size": (lambda t: t.randperm(300, dtype=t.uint8), lambda: ours.randperm(300, "u1")),
    "randperm dtype": (lambda t: t.randperm(3, dtype=t.bool), lambda: ours.randperm(3, bool)),
    "multinomial dim": (lambda t: t.multinomial(t.ones(2, 2, 2), 1), lambda: ours.multinomial(np.ones((2, 2, 2)), 1)),
    "multinomial count": (lambda t: t.multinomial(t.ones(3), 4), lambda: ours.multinomial(np.ones(3), 4)),
    "multinomial zeros": (lambda t: t.multinomial(t.zeros(3), 1), lambda: ours.multinomial(np.zeros(3), 1)),
    "multinomial dtype": (
        lambda t: t.multinomial(t.tensor([1, 2]), 1),
        lambda: ours.multinomial(np.array([1, 2]), 1),
    ),
    "seed": (lambda t: t.Generator().manual_seed(2**64), lambda: ours.Generator().manual_seed(2**64)),
    "state size": (
        lambda t: t.Generator().set_state(t.zeros(10, dtype=t.uint8)),
        lambda: ours.Generator().set_state(np.zeros(10, np.uint8)),
    ),
    "state dtype": (
        lambda t: t.Generator().set_state(t.zeros(5056)),
        lambda: ours.Generator().set_state(np.zeros(5056)),
    ),
    "state": (
        lambda t: t.Generator().set_state(t.zeros(5056, dtype=t.uint8)),
        lambda: ours.Generator().set_state(np.zeros(5056, np.uint8)),
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_error_has_torchs_class(name):
    theirs, mine = CALLS[name]
    with pytest.raises(Exception) as expected:  # noqa: PT011
        theirs(torch)
    with pytest.raises(expected.type):
        mine()


@pytest.mark.parametrize("call", ["rand(3", "randn(3", "randint(9, (3,)", "randperm(3", "normal(0.0, 1.0, (3,)"])
def test_a_dtype_that_is_not_that_of_out(call):
    for t in (torch, microgad):
        with pytest.raises(RuntimeError, match="does not match dtype of out parameter"):
            eval(f"t.{call}, dtype=t.float64, out=t.empty(3))", {"t": t})
