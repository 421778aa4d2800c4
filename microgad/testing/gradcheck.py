"""gradcheck and gradgradcheck, as PyTorch has them: compare derivatives with numerical ones, entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .. import backend, engine, state
from ..errors import ArgumentError, CallError, DtypeError
from ..gradients import grad
from ..ops.elementwise import view_as_real
from ..ops.support.bare import tensors_in
from ..tensor import Tensor
from ..type_aliases import Array
from .calls import (
    GradcheckError,
    SameDraws,
    check_unchanged,
    flat,
    floating,
    gradients,
    input_names,
    refuse_expanded,
    require_wanted,
    sequence,
    slices,
    warn_of_float32,
)
from .complex_as_real import ComplexAsReal
from .findings.finding import Finding, worst_of
from .findings.messages import explain
from .modes import ForwardMode, Mode, ReverseMode, check_batches
from .numerical.finite_differences import FiniteDifferences


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether the gradients of `func(*inputs)` agree with its numerical derivative. Source: torch.autograd.gradcheck.

    Every input Tensor that requires grad is moved, element by element; other arguments are passed through. The
    numerical derivative is taken by the complex step if `func` accepts complex input, else by central differences with
    the steps `eps` and eps/2, extrapolated. An entry is right if |analytical - numerical| ≤ atol + rtol · |numerical|.
    With `fast_mode` one random projection is compared in place of every entry. The default generator is reset before
    each evaluation, so that dropout can be checked as it is.

    Complex inputs and results are checked as pairs of real numbers: in messages they have a last axis of size 2.

    It is also checked that `func` returns the same values each time and does not change its inputs; that backward gives
    the same gradients again, up to `nondet_tol`, and zeros for zeros; that the gradient of one output is the same
    whether the others have a gradient of zero or none, and zero if no output has one (`check_undefined_grad`); and that
    gradients have their input's dtype (`check_grad_dtypes`). On request forward mode is checked, by a Function's jvp if
    it has one (`check_forward_ad`), and batches of gradients or tangents by vmap (`check_batched_grad`,
    `check_batched_forward_grad`). `masked` is for sparse layouts and has no effect.

    Raises GradcheckError, a RuntimeError, which shows the worst entry (returns False without `raise_exception`),
    ValueError if no input requires grad, if one that does was expanded, or if `func` returns no Tensor, and
    AssertionError if nothing is to be checked or the outputs' shapes or dtypes depend on the inputs' values. Warns of
    float32 inputs, which are too coarse.

    >>> x = torch.tensor([0.5, -1.0], dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradcheck(lambda x: torch.exp(x) * x, x)
    True
    >>> torch.autograd.gradcheck(lambda x: x * x.detach(), x)
    Traceback (most recent call last):
    microgad.testing.calls.GradcheckError: Jacobian mismatch for output 0 with respect to input 0, of shapes (2,) and (2,): wrong in 2 of 4 entries. The worst: output 0[1] by input 0[1]
        numerical  -2
        analytical -1
        difference  1, tolerance 0.00201 = atol + rtol · |numerical|
    Everywhere the analytical derivative is 0.5 × the numerical one. Look at the derivatives of Mul
    """  # noqa: E501
    _need(check_forward_ad or check_backward_ad, "at least one of check_forward_ad or check_backward_ad")
    _need(check_backward_ad or not check_batched_grad, "check_backward_ad, as check_batched_grad is set,")
    _need(check_forward_ad or not check_batched_forward_grad, "check_forward_ad, as check_batched_forward_grad is set,")
    call, tensors = _prepared("gradcheck", func, inputs)

    def outputs() -> list[Tensor]:
        return _outputs(call)

    modes = _modes(check_backward_ad, check_batched_grad, check_forward_ad, check_batched_forward_grad)
    check = _Check(outputs, outputs, tensors, input_names(call.args, tensors), "output", eps, atol, rtol, modes)
    return check.passes(raise_exception, nondet_tol, check_undefined_grad, check_grad_dtypes, fast_mode)


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Whether the second derivatives of `func(*inputs)` are right. Source: torch.autograd.gradgradcheck.

    It checks, as `gradcheck` does, the function from `inputs` and `grad_outputs` (random by default) to the gradients
    of the inputs. The numerical derivative is that of the plain backward pass. The analytical one is that of the
    backward pass recorded under create_graph, in reverse mode (`check_rev_over_rev`) or in forward mode
    (`check_fwd_over_rev`). Errors are those of `gradcheck`, and TypeError if no output requires grad.

    >>> x = torch.tensor([0.5, -1.0], dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradgradcheck(torch.tanh, x)
    True
    """
    _need(check_fwd_over_rev or check_rev_over_rev, "at least one of check_fwd_over_rev or check_rev_over_rev")
    _need(check_rev_over_rev or not check_undefined_grad, "check_rev_over_rev, as check_undefined_grad is set,")
    _need(check_rev_over_rev or not check_batched_grad, "check_rev_over_rev, as check_batched_grad is set,")
    call, tensors = _prepared("gradgradcheck", func, inputs)

    def outputs() -> list[Tensor]:
        return [y for y in _outputs(call) if y.requires_grad]

    with SameDraws():
        results = outputs()
    if not results:
        raise DtypeError("gradgradcheck: no output of func requires grad, so there are no second derivatives to check")
    grads = _grad_outputs(results, grad_outputs, gen_non_contig_grad_outputs)
    moved = [i for i, g in enumerate(grads) if g.requires_grad]

    def of_inputs(create_graph: bool) -> list[Tensor]:
        found = grad(outputs(), tensors, grads, create_graph=create_graph, allow_unused=True)
        return [g for g in found if g is not None]

    variables = tensors + [grads[i] for i in moved]
    names = input_names(call.args, tensors) + [f"grad_outputs[{i}]" for i in moved]
    modes = _modes(check_rev_over_rev, check_batched_grad, check_fwd_over_rev, False)
    recorded, plain = partial(of_inputs, True), partial(of_inputs, False)
    check = _Check(recorded, plain, variables, names, "gradient", eps, atol, rtol, modes)
    return check.passes(raise_exception, nondet_tol, check_undefined_grad, check_grad_dtypes, fast_mode)


class _Check(NamedTuple):
    """One run of gradcheck. `recorded` returns outputs with a graph, `plain` the same values for finite differences."""

    recorded: Callable[[], list[Tensor]]
    plain: Callable[[], list[Tensor]]
    tensors: list[Tensor]
    names: list[str]
    kind: str
    eps: float
    atol: float
    rtol: float
    modes: list[tuple[type[Mode], bool]]  # and whether its batches are checked

    def passes(self, raise_exception: bool, nondet_tol: float, undefined: bool, dtypes: bool, fast: bool) -> bool:
        before = [t.array.copy() for t in self.tensors]
        try:
            with SameDraws() as draws:
                outputs = self.recorded()
                draws.first_done()
                differences = FiniteDifferences(lambda: self._values(outputs, draws), self.tensors, self.eps)
                self._check_values(outputs, draws)
                for mode, batched in self.modes:
                    found = mode(outputs, self.tensors)
                    (self._check_projections if fast else self._check_entries)(found, differences)
                    if batched:
                        check_batches(found)
                if self.modes[0][0] is ReverseMode:
                    self._check_backward([y for y in outputs if y.requires_grad], nondet_tol, undefined, dtypes)
                check_unchanged(self.tensors, before, self.names, "func")
        except GradcheckError:
            if raise_exception:
                raise
            return False
        return True

    def _values(self, outputs: list[Tensor], draws: SameDraws) -> Array:
        draws.rewind()
        again = self.plain()
        for what in () if state.current().holomorphic else ("shape", "dtype"):  # a complex step changes both
            found, expected = ([getattr(y, what) for y in each] for each in (again, outputs))
            if found != expected:
                raise CallError(
                    f"Expected `func` to return outputs with the same {what} when inputs are perturbed, but got: "
                    f"{what}s {found} and {expected}."
                )
        return flat(again)

    def _check_values(self, outputs: list[Tensor], draws: SameDraws) -> None:
        eps = max((np.finfo(y.array.dtype).eps for y in outputs), default=0.0)
        # A derivative that is recorded may be computed by other operations, and so be rounded differently.
        if not np.allclose(self._values(outputs, draws), flat(outputs), eps**0.5, eps**0.75, equal_nan=True):
            raise GradcheckError(
                "func gives other values when it is called again, so it has no numerical derivative. Draw from the "
                "default generator, which is reset before each call, or pass the random numbers as an input"
            )

    def _check_entries(self, mode: Mode, differences: FiniteDifferences) -> None:
        """Check every entry of every Jacobian. Like PyTorch, skip outputs off the graph, unless all are off it."""
        outputs, analytical = mode.outputs, mode.jacobians()
        numerical = [differences.jacobian(i) for i in range(len(self.tensors))]
        some = any(y.requires_grad for y in outputs)
        wrong = []
        for k, (y, at) in enumerate(zip(outputs, slices(outputs), strict=True)):
            if y.requires_grad or not some:
                for i, jacobian in enumerate(analytical[k]):
                    found = self._finding(k, y, i, numerical[i][:, at], jacobian)
                    if found.excess().any():
                        wrong.append(found)
        if wrong:
            worst = worst_of(wrong)
            row, column = worst.worst_entry()
            start = slices(outputs)[worst.output].start
            below, above = (float(side[start + column]) for side in differences.one_sided(worst.input, row))
            message = explain(worst, self.kind, outputs[worst.output], below, above, self.eps, self.atol, self.rtol)
            raise GradcheckError(f"Jacobian {mode.name}mismatch for {message}")

    def _finding(self, k: int, y: Tensor, i: int, numerical: Array, analytical: Array) -> Finding:
        shapes = tuple(self.tensors[i].shape), tuple(y.shape)
        known = np.where(np.isfinite(numerical), np.abs(numerical), 0.0)  # where it is infinite, only infinity is right
        error = self.atol + self.rtol * known
        return Finding("func", 1, k, i, tuple(self.names), *shapes, numerical, analytical, error, ())

    def _check_projections(self, mode: Mode, differences: FiniteDifferences) -> None:
        """Compare v · (J u) by finite differences with the same by `mode`, for random u and v."""
        outputs = mode.outputs
        units = _random_units([*self.tensors, *outputs])  # u ≠ v: u · J u can't tell J from its transpose
        us, vs = units[: len(self.tensors)], units[len(self.tensors) :]
        alone = [[u if i == j else None for j in range(len(us))] for i, u in enumerate(us)]
        along = [differences.along(directions) for directions in alone]
        for k, (of_output, v, at) in enumerate(zip(mode.projections(us, vs), vs, slices(outputs), strict=True)):
            if not outputs[k].requires_grad:
                continue
            for i, (u, analytical) in enumerate(zip(us, of_output, strict=True)):
                numerical = float(along[i][at] @ backend.to_numpy(v).reshape(-1))
                share = float(np.abs(u).sum() * np.abs(v).sum())  # what an error of atol in every entry adds up to
                if not abs(analytical - numerical) <= self.atol * share + self.rtol * abs(numerical):
                    self._check_entries(mode, differences)  # raises a more detailed error if an entry is wrong
                    raise GradcheckError(
                        f"Jacobian {mode.name}mismatch for {self.kind} {k} with respect to {self.names[i]}, a random "
                        f"projection is numerically {numerical:.8g}, analytically {analytical:.8g}, although no entry "
                        "by itself is outside of its tolerance"
                    )
        if not any(y.requires_grad for y in outputs):
            self._check_entries(mode, differences)

    def _check_backward(self, outputs: list[Tensor], nondet_tol: float, undefined: bool, dtypes: bool) -> None:
        seeds = _random_units(outputs)
        if outputs:
            self._check_repeated(outputs, seeds, nondet_tol, dtypes)
        if undefined and len(outputs) > 1:
            self._check_unused(outputs, seeds)
        if outputs:
            self._check_zeros(outputs, seeds)
        if undefined:
            self._check_undefined(outputs)

    def _check_repeated(self, outputs: list[Tensor], seeds: list[Array], nondet_tol: float, dtypes: bool) -> None:
        """Check that a second backward gives the same gradients; with `dtypes` also that dtypes are the inputs'."""
        once, again = gradients(outputs, self.tensors, seeds), gradients(outputs, self.tensors, seeds)
        for name, t, a, b in zip(self.names, self.tensors, once, again, strict=True):
            gap = float(np.abs(a - b).max()) if a is not None and a.size else 0.0
            if not gap <= nondet_tol:
                raise GradcheckError(
                    "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times "
                    f"gives different values: gradients for {name} differ by {gap:.3g}. The tolerance for "
                    f"nondeterminism was {nondet_tol}"
                )
            if dtypes and a is not None and a.dtype != t.array.dtype:
                raise GradcheckError(f"the gradient of {name} has dtype {a.dtype}, but {name} has {t.array.dtype}")

    def _check_unused(self, outputs: list[Tensor], seeds: list[Array]) -> None:
        """Check that an output gives the same gradients whether the others are unused or have gradients of zero."""
        for k, seed in enumerate(seeds):
            alone = gradients(outputs[k : k + 1], self.tensors, [seed])
            zeros = [seed if j == k else np.zeros_like(other) for j, other in enumerate(seeds)]
            for name, a, b in zip(self.names, alone, gradients(outputs, self.tensors, zeros), strict=True):
                a, b = (0 if g is None else backend.to_numpy(g) for g in (a, b))
                if not np.allclose(a, b, equal_nan=True):
                    raise GradcheckError(
                        f"{self.kind} {k} gives {name} one gradient if the other outputs have gradients of zero, and "
                        "another if they have none"
                    )

    def _check_undefined(self, outputs: list[Tensor]) -> None:
        """Check that backward, if no output has a gradient, gives the inputs none, or zeros."""
        nodes, targets = list(dict.fromkeys(y.node for y in outputs)), [t.node for t in self.tensors]
        try:
            found = engine.run(nodes, [None] * len(nodes), targets, retain_graph=True)
        except RuntimeError as error:
            raise GradcheckError(f"Expected backward function to handle undefined output grads: {error}") from error
        for name, target in zip(self.names, targets, strict=True):
            if (np.abs(found.get(target.number, 0)) > 0).any():
                raise GradcheckError(
                    "Expected all input grads to be undefined or zero when all output grads are undefined or zero, but "
                    f"{name} has another one"
                )

    def _check_zeros(self, outputs: list[Tensor], seeds: list[Array]) -> None:
        """Check that gradients of zero give the inputs gradients of zero."""
        zeros = gradients(outputs, self.tensors, [np.zeros_like(seed) for seed in seeds])
        for name, g in zip(self.names, zeros, strict=True):
            if g is not None and (np.abs(g) > 0).any():  # not for NaN, 0 times an infinite derivative
                raise GradcheckError(
                    f"backward not multiplied by grad_output: from a gradient of zero it gives {name} another one"
                )


def _need(found: bool, what: str) -> None:
    if not found:
        raise CallError(f"Expected {what} to be True")


def _prepared(check: str, func: Callable[..., Any], inputs: Any) -> tuple[ComplexAsReal, list[Tensor]]:
    """Return the call on real numbers, and the Tensors that require grad."""
    call = ComplexAsReal(func, sequence(inputs))
    tensors = require_wanted(check, call.args)
    warn_of_float32(check, call.complex_args(call.args))
    refuse_expanded(call.args)
    return call, tensors


def _modes(reverse: bool, batched: bool, forward: bool, batched_forward: bool) -> list[tuple[type[Mode], bool]]:
    """Return the modes to check, and whether batches of each are checked too."""
    asked = ((reverse, ReverseMode, batched), (forward, ForwardMode, batched_forward))
    return [(mode, batches) for wanted, mode, batches in asked if wanted]


def _outputs(call: ComplexAsReal) -> list[Tensor]:
    returned = call(*call.args)
    if not tensors_in(returned):
        raise ArgumentError(f"gradcheck: func returned a {type(returned).__name__}, expected Tensors")
    return floating(returned)


def _grad_outputs(outputs: list[Tensor], given: Any, gaps: bool) -> list[Tensor]:
    if given is not None:
        return [
            view_as_real(g.detach()).requires_grad_(g.requires_grad) if g.is_complex() else g for g in sequence(given)
        ]
    from .creation import make_tensor  # rarely needed

    bounds: Any = {"low": -1, "high": 1, "requires_grad": True, "noncontiguous": gaps}
    return [make_tensor(y.shape, dtype=y.dtype, device=y.device, **bounds) for y in outputs]


def _random_units(tensors: list[Tensor]) -> list[Array]:
    """Return a random unit vector for each Tensor, in its shape, dtype and device."""
    rng, units = np.random.default_rng(0), []
    for t in tensors:
        x = rng.standard_normal(tuple(t.shape))
        units.append(backend.like(x / (np.sqrt((x * x).sum()) or 1.0), t.array, t.array.dtype))
    return units
