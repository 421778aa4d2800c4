"""Random draws under torch.func.vmap: the same programs draw the same in both libraries from the same seed."""

from __future__ import annotations

import pytest

from .side_by_side import checked_programs, leaf, randn

programs, test_program_behaves_as_in_torch = checked_programs(messages=False, warning_classes=False)
OPTIONS = {
    "different": ("different", None),
    "the same": ("same", None),
    "in chunks": ("different", 2),
    "the same in chunks": ("same", 3),
}


def probabilities(t, *shape):
    return t.linspace(0.05, 0.95, t.Size(shape).numel()).reshape(shape)


DRAWS = {
    "randn": lambda t, x: t.randn(3) + t.rand(()),
    "randn_like": lambda t, x: t.randn_like(x),
    "rand_like of a transpose": lambda t, x: t.rand_like(x.reshape(3, 5).T),
    "complex": lambda t, x: t.randn(4, dtype=t.complex64),
    "randint": lambda t, x: t.randint(0, 10, (5,)) + t.randint_like(x[:5], 9),
    "randperm": lambda t, x: t.randperm(9),
    "normal of numbers": lambda t, x: t.normal(1.0, 2.0, (6,)),
    "dropout": lambda t, x: t.nn.functional.dropout(x, 0.3),
    "dropout in place": lambda t, x: t.nn.functional.dropout(x.clone(), inplace=True),
    "dropout of channels": lambda t, x: t.nn.functional.dropout1d(x.reshape(1, 5, 3)),
    "alpha dropout": lambda t, x: t.nn.functional.alpha_dropout(x, 0.3, True),
    "in place": lambda t, x: x.clone().normal_() + x.clone().uniform_(1, 2) + x.clone().exponential_(),
    "in place, integers": lambda t, x: x.clone().random_(0, 9) + x.clone().geometric_(0.2) + x.clone().bernoulli_(0.3),
    "bernoulli with unbatched probabilities": lambda t, x: t.bernoulli(probabilities(t, 9)),
}
BATCHED_DRAWS = {  # draws with batched parameters: PyTorch rejects randomness="same" for them
    "bernoulli": lambda t, x: t.bernoulli(x),
    "bernoulli by a number": lambda t, x: t.bernoulli(x, 0.3),
    "bernoulli_": lambda t, x: x.clone().bernoulli_(x),
    "poisson": lambda t, x: t.poisson(x * 9),
    "binomial": lambda t, x: t.binomial(t.full((15,), 9.0), x),
    "multinomial": lambda t, x: t.multinomial(x, 3),
    "multinomial with replacement": lambda t, x: t.multinomial(x, 3, True),
    "normal": lambda t, x: t.normal(x, 2.0) + t.normal(1.0, x) + t.normal(x, x),
    "gumbel_softmax": lambda t, x: t.nn.functional.gumbel_softmax(x),
}


def mapped_draw(call, in_dim=0, shape=(5, 15), **options):
    """A program that draws under vmap and then once more, which shows the generator's state."""
    return lambda t, nn: (
        t.vmap(lambda x: call(t, x), in_dim, in_dim, **options)(probabilities(t, *shape)), t.rand(2), t.randn(2)
    )  # fmt: skip


for draw, call in {**DRAWS, **BATCHED_DRAWS}.items():
    for option, (randomness, chunk) in OPTIONS.items():
        if draw in DRAWS or randomness == "different":
            programs[f"{draw}, {option}"] = mapped_draw(call, randomness=randomness, chunk_size=chunk)
for draw in ("randn_like", "poisson", "bernoulli", "multinomial", "dropout", "gumbel_softmax"):
    programs[f"{draw} of columns"] = mapped_draw({**DRAWS, **BATCHED_DRAWS}[draw], 1, (9, 4), randomness="different")
for draw in ("bernoulli", "multinomial", "poisson"):
    programs[f"{draw}, with batched parameters, the same"] = mapped_draw(BATCHED_DRAWS[draw], randomness="same")


# Draws into copies of transposed slices are in the order of the axes where all slices share them.
LAYOUTS = {
    "dropout": lambda t, x: t.nn.functional.dropout(x.mT),
    "dropout of half": lambda t, x: t.nn.functional.dropout(x.mT.half()).float().contiguous(),
    "dropout of channels": lambda t, x: t.nn.functional.dropout1d(x),
    "alpha dropout": lambda t, x: t.nn.functional.alpha_dropout(x, 0.5, True),
    "alpha dropout of channels": lambda t, x: t.nn.functional.feature_alpha_dropout(x, 0.5, True),
    "native dropout": lambda t, x: t.native_dropout(x, 0.5, True)[0],
    "native dropout of transposes": lambda t, x: t.native_dropout(x.mT, 0.5, True)[0],
    "uniform_": lambda t, x: x.mT.clone().uniform_(),
    "normal_": lambda t, x: x.mT.clone().normal_(),
    "rand_like": lambda t, x: t.rand_like(x.mT) + x.mT.contiguous(),
    "randn_like": lambda t, x: t.randn_like(x.mT) + x.mT.contiguous(),
    "uniform distribution": lambda t, x: t.distributions.Uniform(x, x + 1).rsample(),
}


def layout(call, dim, randomness):
    def program(t, nn):
        y = t.vmap(lambda x: call(t, x), dim, randomness=randomness)(probabilities(t, 4, 5, 6))
        return y, y.stride(), t.rand(2)

    return program


for draw, call in LAYOUTS.items():
    for dim in (0, 1, 2):
        for randomness in ("different", "same"):
            programs[f"layout of {draw}, slices along {dim}, {randomness}"] = layout(call, dim, randomness)


@programs
def the_layout_of_a_draw_that_all_slices_share(t, nn):
    y = t.vmap(lambda x: t.rand_like(x.mT), randomness="same")(t.ones(4, 3, 2))
    return y, nn.functional.dropout(y)


@programs
def a_draw_that_is_refused_draws_nothing(t, nn):
    x, after = probabilities(t, 4, 15), []
    for name, draw in BATCHED_DRAWS.items():
        if name not in ("binomial", "normal", "bernoulli by a number", "gumbel_softmax", "bernoulli_"):
            with pytest.raises(RuntimeError, match="same"):
                t.vmap(lambda x, draw=draw: (t.rand(3), draw(t, x)), randomness="same")(x)
            after.append(t.rand(2))
    return after


def nested(inner, outer):
    def program(t, nn):
        def f(x):
            return x + t.randn(3), nn.functional.dropout(x)

        return t.vmap(t.vmap(f, randomness=inner), randomness=outer)(t.ones(4, 2, 3)), t.rand(2)

    return program


for outer in ("different", "same", "error"):
    for inner in ("different", "same", "error"):
        programs[f"nested vmap, {inner} in {outer}"] = nested(inner, outer)


def nested_draw(call, expanded=False):
    """A program that draws in two vmaps, over a Tensor or over one that was expanded for the outer one."""

    def program(t, nn):
        x = probabilities(t, 2, 3, 15)
        x = x[1].expand(2, 3, 15) if expanded else x
        each = t.vmap(t.vmap(lambda x: call(t, x), randomness="different"), randomness="different")(x)
        return each, each.stride(), t.rand(2)

    return program


BY_ROWS = {
    "multinomial of rows": lambda t, x: t.multinomial(x.reshape(3, 5), 2),
    "multinomial of rows with replacement": lambda t, x: t.multinomial(x.reshape(3, 5), 7, True),
}
for draw, call in {**DRAWS, **BATCHED_DRAWS, **BY_ROWS}.items():
    if draw != "in place, integers":  # PyTorch refuses geometric_ here
        programs[f"{draw}, nested"] = nested_draw(call)
for draw, call in BY_ROWS.items():
    programs[draw] = mapped_draw(call, randomness="different")
for draw in ("in place", "randn_like", "dropout", "multinomial"):
    programs[f"{draw}, nested, expanded"] = nested_draw({**DRAWS, **BATCHED_DRAWS}[draw], expanded=True)


@programs
def the_memory_order_of_copies_of_an_expanded_tensor(t, nn):
    """Draws fill them in this order."""
    x = probabilities(t, 3, 2)
    functions = t.clone, t.exp, lambda x: x + 0, lambda x: x.to(t.float64)
    return [
        t.tensor(t.vmap(t.vmap(f) if nested else f)(y).stride())
        for y in (x.expand(2, 3, 2), x.t().expand(2, 2, 3), x[:, :1].expand(3, 2), x[:, None].expand(3, 4, 2))
        for nested in (False, True)
        for f in functions
    ]


@programs
def draws_from_a_generator(t, nn):
    g = t.Generator().manual_seed(3)
    found = [t.vmap(lambda x: x + t.randn(3, generator=g), randomness=r)(t.ones(4, 3)) for r in ("different", "same")]
    return found, t.randn(2), t.randn(2, generator=g)


@programs
def an_ensemble_with_dropout_and_its_gradients(t, nn):
    nets = [nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2)) for _ in range(3)]
    parameters, buffers = t.func.stack_module_state(nets)
    x = randn(t, 5, 3).float()

    def call(p, b):
        return t.func.functional_call(nets[0], (p, b), (x,))

    found = [t.vmap(call, randomness=r)(parameters, buffers) for r in ("different", "same")]
    sum(y.pow(2).sum() for y in found).backward()
    return found, [p.grad for p in parameters.values()]


@programs
def an_ensemble_is_updated_before_a_draw_raises(t, nn):
    nets = [nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5)) for _ in range(3)]
    parameters, buffers = t.func.stack_module_state(nets)
    with pytest.raises(RuntimeError, match="random"):
        t.vmap(lambda p, b, x: t.func.functional_call(nets[0], (p, b), (x,)))(
            parameters, buffers, probabilities(t, 3, 5, 3)
        )
    return buffers


@programs
def gradients_of_samples_with_dropout(t, nn):
    net = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1))
    parameters = {name: p.detach() for name, p in net.named_parameters()}

    def loss(p, x):
        return t.func.functional_call(net, p, (x[None],)).pow(2).sum()

    x = randn(t, 6, 3).float()
    return [
        t.vmap(t.func.grad(loss), (None, 0), randomness=r, chunk_size=n)(parameters, x)
        for r, n in (("different", None), ("same", None), ("different", 4))
    ]


@programs
def gradients_through_draws(t, nn):
    x = leaf(t, 4, 6)
    y = t.vmap(lambda x: nn.functional.dropout(x).sin() * t.rand(6) * t.bernoulli(x.sigmoid()), randomness="different")
    y(x).sum().backward()
    return x.grad


for name in ("error", "same"):
    programs[f"jacfwd, {name}"] = lambda t, nn, name=name: (
        t.func.jacfwd(lambda x: nn.functional.dropout(x) * x, randomness=name)(probabilities(t, 7)), t.rand(2)
    )  # fmt: skip


@programs
def jacfwd_with_different_randomness(t, nn):
    def f(x, by):
        return {"y": nn.functional.dropout(x["a"].sin() * t.rand(3)) * by, "z": t.randn(()) * x["b"].sum()}, t.rand(2)

    arguments = {"a": probabilities(t, 3), "b": probabilities(t, 2, 2)}, t.tensor(2.0)
    outer = t.func.jacfwd(lambda x: t.func.jacrev(lambda y: (y * t.rand(3)).sin())(x), randomness="different")
    return t.func.jacfwd(f, (0, 1), True, randomness="different")(*arguments), outer(probabilities(t, 3)), t.rand(2)


programs["hessian of what draws"] = lambda t, nn: t.func.hessian(lambda x: nn.functional.dropout(x).pow(2).sum())(
    probabilities(t, 7)
)
