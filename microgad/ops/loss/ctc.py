"""Connectionist temporal classification (CTC): the likelihood of a sequence of labels, summed over its alignments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import backend
from ...errors import ArgumentError, DtypeError, ShapeError
from ...function import Function
from ...state import composite
from ...type_aliases import Array, Tensor
from ..creation import from_array
from ..elementwise import where
from ..softmax import LogSumExp
from ..support.bare import bare
from .reduction import resolve_reduction


class Ctc(Function):
    """The negative log-likelihood of label sequences, summed over alignments: log-probabilities (T, N, C) -> (N).

    `states` (S, N) are the labels with blanks before, between and after them. An alignment is a path through the
    states. It starts at a state of `starts`. At each time step it stays, moves on by one state, or moves by two into a
    state of `skips`. After `lengths` steps it is at a state of `ends`. Graves et al. (2006).

    As in PyTorch, the gradient is that by the logits of which log_probs is the log_softmax. log_softmax's derivative
    leaves it as it is. The gradient of an infinite loss is `if_infinite`.
    """

    symbol, operator = "ctc", "ctc_loss"

    def forward(self, log_probs):
        emitted = self._emitted(log_probs)
        times, states, count = emitted.shape
        # Two more states in front, with probability 0.
        self.alphas = alphas = np.full_like(emitted, -math.inf, shape=(times, states + 2, count))
        skipping = _log_mask(self.skips, emitted)
        alphas[:1, 2:] = emitted[:1] + _log_mask(self.starts, emitted)
        with np.errstate(divide="ignore"):
            for before, alpha, here in zip(alphas, alphas[1:], emitted[1:], strict=False):
                np.add(_logsumexp3(before[2:], before[1:-1], before[:-2] + skipping), here, out=alpha[2:])
            last = alphas[np.maximum(self.lengths, 1) - 1, 2:, backend.like(np.arange(count), alphas)]
            return -_logsumexp_first(last.T + _log_mask(self.ends, emitted))

    def grad_log_probs(self, grad, log_probs, alphas, out):
        emitted = self._emitted(log_probs)
        ends = _log_mask(self.ends, emitted)
        skipping = _log_mask(np.concatenate([self.skips[2:], np.zeros_like(self.skips[:2])]), emitted)
        last = backend.like(np.arange(1, len(emitted) + 1), self.lengths)[:, None] == self.lengths
        beta = np.full_like(emitted, -math.inf, shape=alphas.shape[1:])  # with two more states at the end
        with np.errstate(divide="ignore", invalid="ignore"):  # an infinite loss gives ∞ - ∞
            share = alphas[:, 2:] + out  # the logarithm of the share of the likelihood that passes through a state
            for t in range(len(emitted) - 1, -1, -1):
                after = np.where(last[t], ends, _logsumexp3(beta[:-2], beta[1:-1], beta[2:] + skipping))
                share[t] += after
                np.add(after, emitted[t], out=beta[:-2])
            np.exp(share, out=share)
        gradient = np.exp(log_probs)
        backend.add_at(gradient, self._places(log_probs), -share)
        gradient = np.where(np.isinf(out)[:, None], self.if_infinite, gradient) * grad[:, None]
        return np.where(self._running(log_probs), gradient, 0)

    def decomposition(self, log_probs):
        emitted = self._emitted(log_probs)
        nowhere = np.where(self.starts, -math.inf, np.zeros_like(emitted[0]) - math.inf)
        alpha = last = np.where(self.starts, emitted[0], nowhere)
        for t in range(1, len(emitted)):
            one = np.concatenate([nowhere[:1], alpha[:-1]])
            two = np.concatenate([nowhere[:1], one[:-1]])
            ways = np.stack([alpha, one, np.where(self.skips, two, nowhere)])
            alpha = LogSumExp.apply(ways, axis=0, keepdims=False) + emitted[t]
            last = np.where(self.lengths > t, alpha, last)
        loss = -LogSumExp.apply(np.where(self.ends, last, nowhere), axis=0, keepdims=False)
        total = np.where(self._running(log_probs), np.exp(log_probs), 0.0).sum((0, 2))
        loss = loss + (total - bare(total))  # 0, whose derivative is that of the logits' softmax
        return loss * np.where(np.isinf(loss), self.if_infinite, np.ones_like(loss))

    def _emitted(self, log_probs: Array) -> Array:
        """Return the log-probability of each state's label, (T, S, N)."""
        return log_probs[self._places(log_probs)]

    def _places(self, log_probs: Array) -> tuple[Array, Array, Array]:
        """Return the index of each state's label in log_probs, (T, S, N)."""
        times, rows = np.arange(log_probs.shape[0])[:, None, None], np.arange(log_probs.shape[1])
        return backend.like(times, self.states), backend.like(rows, self.states), self.states[None]

    def _running(self, log_probs: Array) -> Array:
        """Whether each time step is within each input's length, (T, N, 1)."""
        times = backend.like(np.arange(log_probs.shape[0]), self.states)
        return (times[:, None] < self.lengths)[..., None]


def _log_mask(where: Array, like: Array) -> Array:
    """Return the logarithm of a mask: 0 where it is true, otherwise -∞."""
    return np.where(where, 0, -math.inf).astype(like.dtype)


def _logsumexp3(a: Array, b: Array, c: Array) -> Array:
    """Return log(eᵃ + eᵇ + eᶜ), -∞ if all three are. np.logaddexp takes three times as long."""
    peak = np.maximum(np.maximum(a, b), c)
    np.maximum(peak, np.finfo(peak.dtype).min, out=peak)
    total = np.exp(a - peak)
    total += np.exp(b - peak)
    total += np.exp(c - peak)
    np.log(total, out=total)
    total += peak
    return total


def _logsumexp_first(x: Array) -> Array:
    """Return log Σ exp(x) along the first axis."""
    peak = np.maximum(np.max(x, 0), np.finfo(x.dtype).min)
    return np.log(np.sum(np.exp(x - peak), 0)) + peak


@composite
def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Tensor | Sequence[int], target_lengths: Tensor | Sequence[int],
    blank: int = 0, reduction: str = "mean", zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """Return the negative log-likelihood of targets under log_probs, summed over alignments. Graves et al. (2006).

    log_probs are (T, N, C), or (T, C) for one sequence. targets are (N, S), or 1-D with the labels of all sequences one
    after the other; they are whole numbers of any dtype. "mean" divides each loss by its target's length first.
    zero_infinity sets infinite losses and their gradients to 0. Raises RuntimeError if sizes, lengths or dtypes do not
    fit. Source: torch.nn.functional.ctc_loss.

    >>> x = torch.log(torch.tensor([[[0.5, 0.5]], [[0.5, 0.5]]]))
    >>> F.ctc_loss(x, torch.tensor([[1]]), [2], [1]).exp()
    tensor(1.3333)
    """
    reduction = resolve_reduction(None, None, reduction)
    if log_probs.ndim not in (2, 3) or not log_probs.dtype.is_floating_point:
        raise ShapeError(
            f"ctc_loss: log_probs must be (T, N, C) or (T, C) floating-point, got {tuple(log_probs.shape)}"
        )
    batch = log_probs if log_probs.ndim == 3 else log_probs.unsqueeze(1)
    longest, count, classes = batch.shape
    if not batch.array.size:
        raise ShapeError(f"ctc_loss: log_probs must not be empty, got {tuple(log_probs.shape)}")
    if not 0 <= blank < classes:
        raise ArgumentError(f"ctc_loss: blank must be in label range 0 to {classes - 1}, got {blank}")
    if targets.array.dtype.kind == "c":
        raise DtypeError(f"ctc_loss: targets must be real, but are {targets.dtype}")
    lengths, sizes = (_check_lengths(n, x, count) for n, x in (("input", input_lengths), ("target", target_lengths)))
    if lengths.max() > longest:
        raise ShapeError(
            f"ctc_loss: Expected input_lengths to have value at most {longest}, but got value {lengths.max()}"
        )
    tables = _make_settings(backend.to_numpy(targets.array), sizes, lengths, blank, classes)
    settings = {name: backend.like(table.T, batch.array) for name, table in tables.items()}
    losses = Ctc.apply(batch, if_infinite=0.0 if zero_infinity else math.nan, **settings)
    if (lengths == 0).any():
        losses = where(backend.like((lengths == 0) & (sizes == 0), batch.array), 0.0, losses)
    if zero_infinity:
        losses = where(losses == math.inf, 0.0, losses)
    if reduction == "mean":
        return (losses / from_array(np.maximum(sizes, 1), batch.device)).mean()
    if reduction == "sum":
        return losses.sum()
    return losses if log_probs.ndim == 3 else losses.squeeze(0)


def _check_lengths(name: str, given: Any, count: int) -> Array:
    """Return lengths as an int64 array (N)."""
    array = (backend.to_numpy(given.array) if hasattr(given, "array") else np.asarray(given)).reshape(-1)
    if array.size != count:
        raise ShapeError(f"ctc_loss: {name}_lengths must be of size batch_size: {count}, but there are {array.size}")
    if array.dtype.kind not in "iu":
        raise DtypeError(f"ctc_loss: {name}_lengths must be integral, but are {array.dtype}")
    if array.min() < 0:
        raise ShapeError(f"ctc_loss: Expected {name}_lengths to have value at least 0, but got value {array.min()}")
    return array.astype(np.int64)


def _make_settings(targets: Array, sizes: Array, lengths: Array, blank: int, classes: int) -> dict[str, Array]:
    """Return the settings of `Ctc`: the lengths (N), the others (N, S)."""
    labels = _pad_labels(targets, sizes, blank)
    states = np.full((len(sizes), 2 * labels.shape[1] + 1), blank)
    states[:, 1::2] = labels
    if states.min() < 0 or states.max() >= classes:
        raise ArgumentError(f"ctc_loss: targets must be labels from 0 to {classes - 1}, got {labels.tolist()!s:.60}")
    place, end = np.arange(states.shape[1]), 2 * sizes[:, None]
    skips = np.zeros(states.shape, bool)
    skips[:, 2:] = states[:, 2:] != states[:, :-2]
    starts = (place <= 1) & (place <= end)
    ends = ((place == end) | (place == end - 1)) & ((lengths > 0) | (sizes == 0))[:, None]
    return {"states": states, "skips": skips, "starts": starts, "ends": ends, "lengths": lengths}


def _pad_labels(targets: Array, sizes: Array, blank: int) -> Array:
    """Return labels (N, S) with blanks after each sequence's own, from targets (N, S) or (sum of sizes,)."""
    width = int(sizes.max())
    if targets.ndim not in (1, 2):
        raise _wrong_targets(f"1 to 2 dimensions, but got {targets.ndim}-dimensional tensor")
    if targets.shape[0] != (first := len(sizes) if targets.ndim == 2 else sizes.sum()):
        raise _wrong_targets(f"tensor to have size {first} at dimension 0, but got size {targets.shape[0]}")
    if targets.ndim == 2 and targets.shape[1] < width:
        raise _wrong_targets(f"tensor to have size at least {width} at dimension 1, but got size {targets.shape[1]}")
    inside = np.arange(width) < sizes[:, None]
    out = np.full(inside.shape, blank)
    out[inside] = targets if targets.ndim == 1 else targets[:, :width][inside]
    return out


def _wrong_targets(rule: str) -> ShapeError:
    return ShapeError(f"ctc_loss: Expected {rule} for argument #2 'targets'")
