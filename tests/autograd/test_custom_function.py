"""Class attributes of torch.autograd.Function that say how its backward is called."""

from __future__ import annotations

import weakref
from typing import Any

import pytest

import microgad as torch


class Squares(torch.autograd.Function):
    """x² and y², whose backward takes the gradients out of its list."""

    boxed_grads_call = True
    clear_saved_tensors_on_access = True

    @staticmethod
    def forward(ctx: Any, x: Any, y: Any) -> Any:
        ctx.save_for_backward(x, y)
        return x**2, y**2

    @staticmethod
    def backward(ctx: Any, grads: list[Any]) -> Any:
        x, y = ctx.saved_tensors
        by_y = grads.pop() * 2 * y
        return grads.pop() * 2 * x, by_y


def test_backward_may_be_given_one_list_of_gradients() -> None:
    x, y = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 4.0], requires_grad=True)
    a, b = Squares.apply(x, y)
    (a * b).sum().backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([18.0, 64.0], [6.0, 32.0])
    (first,) = torch.autograd.grad(sum(Squares.apply(x, y)).sum(), x, create_graph=True)
    assert torch.autograd.grad(first.sum(), x)[0].tolist() == [2.0, 2.0]
    _, tangents = torch.func.jvp(lambda x: Squares.apply(x, y.detach()), (x.detach(),), (torch.ones(2),))
    assert [t.tolist() for t in tangents] == [[2.0, 4.0], [0.0, 0.0]]


def test_a_list_of_gradients_of_a_backward_that_is_differentiable_once() -> None:
    class Once(Squares):
        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx: Any, grads: list[Any]) -> Any:
            return Squares.backward(ctx, grads)

    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    (first,) = torch.autograd.grad(Once.apply(x, y)[0].sum(), x, create_graph=True)
    assert first.tolist() == [2.0, 2.0]
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_saved_tensors_may_be_let_go_when_backward_reads_them() -> None:
    freed = []

    class Square(torch.autograd.Function):
        clear_saved_tensors_on_access = True

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            (x,) = ctx.saved_tensors
            grad, array = grad * 2 * x, weakref.ref(x.array)
            del x
            freed.append(array() is None)
            return grad

    x = torch.ones(2, requires_grad=True)
    y = Square.apply(x * 3)
    assert len(y.grad_fn._raw_saved_tensors) == 1
    y.sum().backward(retain_graph=True)
    assert (x.grad.tolist(), freed) == ([18.0, 18.0], [True])
    for read in (lambda: y.sum().backward(), lambda: y.grad_fn.saved_tensors):
        with pytest.raises(RuntimeError, match="saved_tensors can only be accessed once"):
            read()


def test_once_differentiable_takes_any_context() -> None:
    class Context:
        saved_tensors = (torch.ones(2),)

    class Twice(torch.autograd.Function):
        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * 2

    for ctx in (Context(), torch.autograd.function.FunctionCtx()):
        assert Twice.backward(ctx, torch.ones(2)).tolist() == [2.0, 2.0]


def test_what_was_saved_for_forward_is_there_while_jvp_runs() -> None:
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            ctx.save_for_forward(x, x + 1)
            return x**2

        @staticmethod
        def jvp(ctx: Any, tangent: Any) -> Any:
            x, _ = ctx.saved_for_forward
            return 2 * x * tangent

    x = torch.tensor(3.0)
    assert [t.item() for t in torch.func.jvp(Square.apply, (x,), (torch.tensor(5.0),))] == [9.0, 30.0]
    y = Square.apply(x.requires_grad_())
    assert (y.grad_fn.saved_for_forward, len(y.grad_fn.saved_tensors)) == (None, 1)
