"""`tape.verify`: programs of every kind replay bit for bit, also after they were written as JSON and npz."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest

import microgad as torch
from microgad import distributions, nn
from microgad.graph import Tape
from microgad.nn import functional as F
from microgad.utils.checkpoint import checkpoint


def assert_verified(tape, tmp_path):
    """Assert that a tape replays to the same bits, also after it was written to a file and read."""
    assert tape.verify()
    assert_files_verified(tape, tmp_path)


def assert_files_verified(tape, tmp_path):
    assert Tape.from_json(tape.to_json()).verify()
    tape.to_npz(tmp_path / "tape.npz")
    assert Tape.from_npz(tmp_path / "tape.npz").verify()


class Noisy(torch.autograd.Function):
    """Stochastic rounding with a straight-through gradient."""

    @staticmethod
    def forward(ctx, x):
        return (x + torch.rand(x.shape)).floor()

    @staticmethod
    def backward(ctx, grad):
        return grad


def leaf(*shape):
    return torch.rand(*shape, requires_grad=True)


def hook_of_a_result():
    y = leaf(3) * 2
    y.register_hook(lambda grad: grad * 10)
    (y * y).sum().backward()


def hook_of_one_of_several_results():
    a, b = (leaf(4) * 2).chunk(2)
    a.register_hook(lambda grad: grad.clamp(-0.1, 0.1))
    (a * b).sum().backward()


def hook_of_the_tensor_that_backward_starts_at():
    x, y = leaf(4).exp().chunk(2)
    y.register_hook(lambda grad: grad + 1)
    torch.autograd.backward([x.sum(), y], [None, torch.rand(2)])


def hooks_of_a_module():
    layer = nn.Linear(3, 3)
    layer.register_full_backward_pre_hook(lambda layer, grads: (grads[0] * 3,))
    layer.register_full_backward_hook(lambda layer, grads, given: (grads[0] * 2,))
    for _ in range(2):
        layer(leaf(2, 3) * 2).sum().backward()


def hook_of_the_output_of_a_module():
    layer = nn.GRU(3, 3)
    y, state = layer(leaf(4, 2, 3) * 2)
    y.register_hook(lambda grad: grad / grad.norm())
    (y.sum() + (state**2).sum()).backward()


def gradients_of_some_leaves():
    x, y = leaf(3), leaf(3)
    z = x * y
    z.exp().sum().backward(inputs=[x], retain_graph=True)
    torch.autograd.grad((z * 2).sum(), [z, y])


def gradients_of_a_tensor_written_in_place():
    x = leaf(4)
    y = x * 1
    y[1:].mul_(x[:-1])
    torch.autograd.grad((y * y).sum(), y)


def detached_in_place():
    x = leaf(3)
    y = x * 3
    y.detach_()
    (y * x).sum().backward()
    y.mul_(2)
    (y * x).sum().backward()


def random_in_place():
    x = leaf(4)
    y = x * 2
    y.uniform_()
    (y * x).sum().backward()
    y = x * 2
    y[1:].normal_()
    (y * x).sum().backward()


def random_autograd_function():
    x = leaf(5)
    (Noisy.apply(x * 3) * Noisy.apply(x)).sum().backward()


def samples_of_distributions():
    x = leaf(3)
    normal, gamma = distributions.Normal(x, x.exp()), distributions.Gamma(x + 1, x + 1)
    drawn = normal.rsample() + gamma.rsample() + distributions.Dirichlet(x + 1).rsample()
    (normal.log_prob(drawn) + gamma.log_prob(drawn)).sum().backward()


def hessians():
    torch.autograd.functional.hessian(lambda x: (x**3).sum(), torch.rand(3))
    torch.func.hessian(lambda x: (x.sin() * x.flip(0)).sum())(torch.rand(3))


def transforms_of_functions():
    x, w = torch.rand(3, 4), torch.rand(4)
    torch.func.vmap(torch.func.grad(lambda w, x: (x @ w).tanh()), (None, 0))(w, x)
    torch.func.jvp(lambda w: (x @ w).exp(), (w,), (w * 2,))
    torch.func.jacrev(lambda w: (x @ w).exp())(w)
    torch.func.jacfwd(lambda w: (x @ w).exp())(w)


def quasi_newton():
    w, x = leaf(3), torch.rand(8, 3)
    optimizer = torch.optim.LBFGS([w], max_iter=4)

    def closure():
        optimizer.zero_grad()
        loss = ((x @ w - 1) ** 2).mean()
        loss.backward()
        return loss

    optimizer.step(closure)


def class_weights():
    F.cross_entropy(leaf(4, 5), torch.tensor([0, 1, 2, 3]), weight=torch.rand(5), label_smoothing=0.1).backward()


def checkpoints_in_checkpoints():
    inner = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.Tanh())

    def outer(y):
        return checkpoint(inner, inner(y) * 2, use_reentrant=False) + y

    checkpoint(outer, leaf(2, 3), use_reentrant=False).pow(2).sum().backward()


def running_statistics():
    layer = nn.BatchNorm1d(3, momentum=None)
    for _ in range(3):
        layer(leaf(4, 3)).pow(2).sum().backward()


def a_penalty_on_gradients():
    critic, x = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.GELU(), nn.Linear(4, 1)), leaf(5, 3)
    loss = critic(x).mean()
    (slope,) = torch.autograd.grad(loss, x, create_graph=True)
    (loss + (slope.norm(dim=1) - 1).pow(2).mean()).backward()


def written_through_views_of_views():
    x = leaf(4, 6)
    a = x * 1
    a.view(2, 12)[1:, ::2].mul_(2)
    a[0].zero_()
    a.t()[2].add_(a[3, :4])
    a.diagonal().copy_(torch.ones(4))
    a.index_put_((torch.tensor([0, 1, 1]), torch.tensor([0, 0, 2])), x[:3, 0] * 2, accumulate=True)
    a.masked_fill_(x > 0.9, 0.1)
    a.masked_scatter_(x < 0.1, x * 3)
    (a**2).sum().backward()


def results_in_out_arguments():
    x, out, w = torch.rand(3, 3), torch.empty(3, 3), leaf(3, 3)
    torch.exp(torch.mul(x, 2, out=out), out=out)
    torch.matmul(x, out.clone(), out=out)
    values, indices = torch.empty(0), torch.empty(0, dtype=torch.int64)
    torch.max(x, 0, out=(values, indices))
    (w * out * values).sum().backward()


def writes_to_parts_of_complex_numbers():
    z = torch.randn(3, dtype=torch.complex64, requires_grad=True)
    y = z * 1
    y.real.mul_(2)
    y.imag.zero_()
    (y.abs() + torch.fft.fft(z).real + torch.angle(z)).sum().backward()


PROGRAMS = [
    hook_of_a_result, hook_of_one_of_several_results, hook_of_the_tensor_that_backward_starts_at, hooks_of_a_module,
    hook_of_the_output_of_a_module, gradients_of_some_leaves, gradients_of_a_tensor_written_in_place, detached_in_place,
    random_in_place, random_autograd_function, samples_of_distributions, hessians, transforms_of_functions,
    quasi_newton, class_weights, checkpoints_in_checkpoints, running_statistics, a_penalty_on_gradients,
    written_through_views_of_views, results_in_out_arguments, writes_to_parts_of_complex_numbers,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_programs_replay_bit_for_bit(program, tmp_path):
    torch.manual_seed(0)
    with torch.record(replay=True) as tape:
        program()
    assert tape.passes
    assert_verified(tape, tmp_path)


def test_tensors_computed_before_the_recording_are_leaves(tmp_path):
    x = leaf(3)
    y = x * 2
    with torch.record(replay=True) as tape:
        (y * 3).exp().sum().backward()
    assert_verified(tape, tmp_path)
    assert [(source.kind, source.computed) for source in tape.sources] == [("leaf", True)]
    _, gradients = tape.program().run()
    z = y.detach().requires_grad_()
    np.testing.assert_array_equal(gradients["leaf"], torch.autograd.grad((z * 3).exp().sum(), z)[0].numpy())
    y = x * 2
    with torch.record(replay=True) as tape:
        y[1:].mul_(x[1:])
        y.sum().backward()
    assert_verified(tape, tmp_path)
    assert tape.gradient("Sum", tape.sources[0].number).shape == (3,)


def test_verify_leaves_hooks_gradients_and_random_state_alone():
    layer, seen = nn.Linear(3, 3), []
    layer.register_full_backward_hook(lambda layer, grads, given: seen.append(given))
    with torch.record(replay=True) as tape:
        Noisy.apply(layer(leaf(2, 3))).sum().backward()
    before = [p.grad.clone() for p in layer.parameters()], torch.get_rng_state()
    assert tape.verify()
    assert len(seen) == 1
    assert all(torch.equal(p.grad, g) for p, g in zip(layer.parameters(), before[0], strict=True))
    assert torch.equal(torch.get_rng_state(), before[1])


def test_a_second_derivative_has_the_leaf_as_its_source():
    x = leaf(3)
    with torch.record(replay=True) as tape:
        (first,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
        first.sum().backward()
    assert [source.kind for source in tape.sources if source.shape] == ["leaf"]


def test_a_changed_tape_does_not_verify():
    x = leaf(3)
    with torch.record(replay=True) as tape:
        (x.exp() * x).sum().backward()
    backward_pass = tape.passes.pop()
    assert not tape.verify()
    backward_pass.points[0].gradient = np.float32(2)
    tape.passes.append(backward_pass)
    assert not tape.verify()
    backward_pass.points[0].gradient = np.float32(1)
    assert tape.verify()
    tape.sources[0].array = tape.sources[0].array + 1
    assert repr(tape.verify()) == "<5 differ, first the result of Exp>"


def test_threads_record_separate_tapes():
    x, tapes = leaf(3), {}

    def work(n):
        with torch.record(replay=True) as tape:
            for _ in range(n):
                (torch.rand(3) * x).exp().sum().backward()
        tapes[n] = tape

    threads = [threading.Thread(target=work, args=(n,)) for n in (2, 3, 5)]
    with torch.record(replay=True) as outer:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(outer) == 0
    assert [len(tapes[n]) for n in (2, 3, 5)] == [6, 9, 15]
    assert all(tape.verify() for tape in tapes.values())


class RandomTraining:
    """A random program: statements over a pool of Tensors and views, with in-place writes, hooks and training steps."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        torch.manual_seed(seed)
        dtype = self.random.choice([torch.float32, torch.float32, torch.float64, torch.float16])
        self.leaves = [torch.rand(3, 4).to(dtype).requires_grad_() for _ in range(2)]
        self.pool = [leaf * 1 for leaf in self.leaves]
        self.layers = [nn.Linear(4, 4), nn.BatchNorm1d(4), nn.LayerNorm(4), nn.Dropout(0.5), nn.PReLU()]
        self.layers = [layer.to(dtype) for layer in self.layers]
        self.optimizer = torch.optim.SGD(
            [p for layer in self.layers for p in layer.parameters()] + self.leaves, 0.01, momentum=0.9
        )

    def run(self, statements):
        kinds = (
            [self.elementwise] * 4 + [self.module] * 2 + [self.view, self.write, self.masked, self.index, self.noise]
        )
        kinds += [self.joined, self.untracked, self.hooked, self.backward, self.slope, self.detached, self.checkpointed]
        for _ in range(statements):
            self.random.choice(kinds)()
        self.backward()

    def any(self):
        return self.random.choice(self.pool[-8:])

    def keep(self, x):
        self.pool.append(x)

    def elementwise(self):
        a, b = self.any(), self.any()
        self.keep(self.random.choice([
            lambda: a * b, lambda: a - b.tanh(), lambda: torch.where(a > b, a, b * 0.5), lambda: (a * a + 1).sqrt(),
            lambda: F.softmax(a, 1), lambda: torch.maximum(a, b.detach()), lambda: a.sigmoid() + a.mean(0),
            lambda: a.cumsum(1) * 0.3, lambda: F.gelu(a), lambda: a.clamp(-1, 1), lambda: (a @ b.T) @ b * 0.1,
        ])())  # fmt: skip

    def module(self):
        self.keep(self.random.choice(self.layers)(self.any()))

    def view(self):
        a = self.any().clone()
        b = self.random.choice(
            [lambda: a.T.contiguous().T, lambda: a.contiguous().view(12).view(3, 4), lambda: a.flip(1).flip(1)]
        )()
        self.pool += [a, b]

    def write(self):
        a, b = self.any().clone(), self.any().detach()
        part = self.random.choice([lambda: a[1:], lambda: a[:, ::2], lambda: a.t()[1:3].t(), lambda: a[0], lambda: a])()
        self.random.choice([
            lambda: part.mul_(0.5), lambda: part.add_(1), lambda: part.zero_(), lambda: part.tanh_(),
            lambda: part.copy_(part * 2), lambda: part.clamp_(min=0.3),
        ])()  # fmt: skip
        self.keep(a * b)

    def masked(self):
        a, b = self.any().clone(), self.any()
        a[b > self.random.random()] = self.random.random()
        self.keep(a.masked_fill(b < 0.1, 0.5))

    def index(self):
        a, i = self.any(), torch.randint(0, 3, (3,))
        taken = self.random.choice([
            lambda: a[i], lambda: a.sort(1)[0], lambda: a.topk(2, 1)[0].repeat(1, 2), lambda: a.index_add(0, i, a),
            lambda: a.gather(0, i.view(3, 1).expand(3, 4)), lambda: a.scatter(0, i.view(3, 1).expand(3, 4), a * 0.1),
        ])  # fmt: skip
        self.keep(taken())

    def noise(self):
        a = self.any()
        self.keep(self.random.choice([
            lambda: F.dropout(a, 0.3), lambda: a + torch.randn_like(a) * 0.1, lambda: a * torch.rand(4).to(a.dtype),
            lambda: F.rrelu(a, training=True), lambda: a.clone().bernoulli_(0.5) * a, lambda: a[torch.randperm(3)],
        ])())  # fmt: skip

    def joined(self):
        a, b = torch.cat([self.any(), self.any()], 1).chunk(2, 1)
        self.pool += [a, torch.stack([a, b]).mean(0)]

    def untracked(self):
        with torch.no_grad():
            a = self.any() * 2
            self.random.choice(self.leaves).mul_(0.9)
        self.pool = [a + leaf for leaf in self.leaves]  # the others depend on leaves that were written to

    def hooked(self):
        a = self.any() * 1
        factor = self.random.random()
        a.register_hook(lambda grad: grad * factor)
        self.keep(a)

    def detached(self):
        a = self.any() * 0.5
        a.detach_()
        self.keep(a * self.random.choice(self.leaves))

    def checkpointed(self):
        a = self.any()
        if a.dtype == torch.float32:
            self.keep(checkpoint(lambda x: self.layers[3](x).tanh(), a, use_reentrant=False))

    def slope(self):
        x = self.random.choice(self.leaves)
        (slope,) = torch.autograd.grad((x * x).sigmoid().sum(), x, create_graph=True)
        self.keep(slope)

    def backward(self):
        loss = sum(x.float().mean() for x in self.pool[-3:])
        if loss.requires_grad:
            if self.random.random() < 0.3:
                torch.autograd.grad(loss, self.leaves[0], allow_unused=True)
            else:
                loss.backward()
                self.optimizer.step()
                self.optimizer.zero_grad(set_to_none=self.random.random() < 0.5)
        self.pool = [x.detach() * leaf for x, leaf in zip(self.pool[-2:], self.leaves, strict=True)]


@pytest.mark.parametrize("part", range(4))
def test_random_trainings_replay_bit_for_bit(part, tmp_path, pytestconfig):
    for seed in range(part, 400 if pytestconfig.getoption("--thorough") else 40, 4):
        program = RandomTraining(seed)
        with torch.record(replay=True) as tape:
            program.run(30)
        assert tape.verify(), seed
        assert_files_verified(tape, tmp_path)


def test_a_tape_with_hooks_of_nodes_is_refused():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with torch.record(replay=True) as tape:
        y = x * 3
        y.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 10, None))
        y.exp().sum().backward()
    for method in (tape.verify, tape.program):
        with pytest.raises(RuntimeError, match="hooks of nodes"):
            method()


def test_second_derivatives_through_writes_to_views_replay():
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    with torch.record(replay=True) as tape:
        y = x * 2
        y[1:].mul_(3.0)
        y[0] += x[2]
        (g,) = torch.autograd.grad(y.pow(3).sum(), x, create_graph=True)
        torch.autograd.grad(g.square().sum(), x)
    assert tape.verify()
    assert tape.verify().gradients > 10


def test_an_autograd_function_that_writes_to_its_second_input_replays():
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.mark_dirty(b.mul_(2))
            return a * b, b

        @staticmethod
        def backward(ctx, grad, other):
            return grad, other

    with torch.record(replay=True) as tape:
        b = torch.ones(3) * 3
        y, _ = Doubled.apply(torch.ones(3, requires_grad=True), b)
        (y + b * b).sum().backward()
    doubled = tape["Doubled"][0]
    assert [x.source for x in tape["Mul"][-1].inputs] == [doubled.number] * 2
    assert tape.verify()
