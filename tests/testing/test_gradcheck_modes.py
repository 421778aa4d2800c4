"""`gradcheck` in forward mode, and of batches of gradients by vmap."""

from __future__ import annotations

import pytest

import microgad as torch
from microgad.testing import GradcheckError, check_op, gradcheck, gradgradcheck

from ..leaves import uniform_leaf as leaf

F = torch.nn.functional


class Product(torch.autograd.Function):
    """x · y with a backward and a jvp."""

    tangent_factor = 1

    @staticmethod
    def forward(x, y):
        return x * y

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        return grad * y, grad * x

    @classmethod
    def jvp(cls, ctx, along_x, along_y):
        x, y = ctx.saved_tensors
        return cls.tangent_factor * (along_x * y + along_y * x)


class WrongTangent(Product):
    """Its backward is right, its tangent three times too large."""

    tangent_factor = 3


class WrongBackward(Product):
    """Its backward is wrong, its jvp right."""

    @staticmethod
    def backward(ctx, grad):
        return grad, grad


@pytest.mark.parametrize("fast_mode", [False, True])
def test_right_derivatives_pass_in_every_mode(fast_mode):
    x, y = leaf(2, 3), leaf(3, seed=1)
    every = {"check_forward_ad": True, "check_batched_grad": True, "check_batched_forward_grad": True}
    functions = [
        Product.apply,
        lambda x, y: (x.sin() @ y, (x * 2).detach(), y.exp()),
        lambda x, y: F.dropout(x, 0.5) * y,
        lambda x, y: torch.complex(x, y + x).prod(),
    ]
    for function in functions:
        assert gradcheck(function, (x, y), fast_mode=fast_mode, **every)
        assert gradgradcheck(function, (x, y), fast_mode=fast_mode, check_fwd_over_rev=True, check_batched_grad=True)
    z = torch.tensor([1 + 2j, 0.5 - 1j], dtype=torch.complex128, requires_grad=True)
    assert gradcheck(lambda z: (z * z.conj(), z**3), z, fast_mode=fast_mode, **every)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_wrong_jvp_is_found_in_forward_mode(fast_mode):
    inputs = leaf(2, 3), leaf(3, seed=1)
    assert gradcheck(WrongTangent.apply, inputs, fast_mode=fast_mode)
    with pytest.raises(GradcheckError, match=r"^Jacobian computed with forward mode mismatch for output 0 with"):
        gradcheck(WrongTangent.apply, inputs, check_forward_ad=True, fast_mode=fast_mode)
    assert not gradcheck(WrongTangent.apply, inputs, check_forward_ad=True, raise_exception=False, fast_mode=fast_mode)


def test_check_backward_ad_false_does_not_check_backward():
    inputs = leaf(3), leaf(3, seed=1)
    with pytest.raises(GradcheckError, match=r"^Jacobian mismatch for output 0 with"):
        gradcheck(WrongBackward.apply, inputs)
    assert gradcheck(WrongBackward.apply, inputs, check_forward_ad=True, check_backward_ad=False)


def test_check_op_compares_a_jvp_with_backward():
    assert check_op(Product, examples=5)
    with pytest.raises(AssertionError, match=r"forward mode gives .* along a random direction, reverse mode"):
        check_op(WrongTangent, examples=5)


def test_a_wrong_vmap_rule_is_found():
    class Own(torch.autograd.Function):
        """2 x, but 3 x under vmap."""

        @staticmethod
        def forward(x):
            return x * 2

        setup_context = staticmethod(lambda ctx, inputs, output: None)

        @staticmethod
        def backward(ctx, grad):
            return Own.apply(grad)

        @staticmethod
        def vmap(info, in_dims, x):
            return x * 3, in_dims[0]

    assert gradcheck(Own.apply, leaf(3))
    with pytest.raises(GradcheckError, match=r"^a batch by vmap gives"):
        gradcheck(Own.apply, leaf(3), check_batched_grad=True)
    with pytest.raises(GradcheckError, match=r"^a batch computed with forward mode by vmap gives"):
        gradcheck(Own.apply, leaf(3), check_forward_ad=True, check_batched_forward_grad=True)


FORWARD_OVER_REVERSE = {"check_rev_over_rev": False, "check_fwd_over_rev": True, "check_undefined_grad": False}


@pytest.mark.parametrize(
    "options",
    [
        {"check_rev_over_rev": False},
        {"check_rev_over_rev": False, "check_fwd_over_rev": True},
        {**FORWARD_OVER_REVERSE, "check_batched_grad": True},
    ],
)
def test_contradictory_options_are_refused(options):
    with pytest.raises(AssertionError, match="Expected"):
        gradgradcheck(torch.sin, leaf(2), **options)
    assert gradgradcheck(torch.sin, leaf(2), **FORWARD_OVER_REVERSE)


def test_forward_mode_calls_the_jvp_of_a_function():
    with torch.autograd.forward_ad.dual_level():
        x = torch.autograd.forward_ad.make_dual(torch.tensor([1.0, 2.0]), torch.ones(2))
        tangent = torch.autograd.forward_ad.unpack_dual(WrongTangent.apply(x, torch.tensor([3.0, 4.0]))).tangent
    assert tangent.tolist() == [9.0, 12.0]
    _, tangent = torch.func.jvp(lambda x: WrongTangent.apply(x, x), (torch.tensor(2.0),), (torch.tensor(1.0),))
    assert tangent.item() == 12
    x = torch.tensor(2.0, requires_grad=True)
    WrongTangent.apply(x, torch.tensor(5.0)).backward()
    assert x.grad.item() == 5
