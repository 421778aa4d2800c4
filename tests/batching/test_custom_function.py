"""vmap of custom Functions."""

from __future__ import annotations

from typing import NamedTuple

import microgad as torch


def test_an_autograd_function_with_jvp_only_has_its_gradient() -> None:
    class Wave(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_forward(x)
            return x.sin()

        @staticmethod
        def jvp(ctx, tangent):
            return tangent * ctx.saved_tensors[0].cos()

    x = torch.arange(3.0, requires_grad=True)
    torch.func.vmap(Wave.apply)(x).sum().backward()
    torch.testing.assert_close(x.grad, x.detach().cos())


def test_a_vmap_of_a_custom_function_is_given_the_batch_dims_inside_of_named_tuples():
    class Pair(NamedTuple):
        a: object
        b: object

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(pair):
            return pair.a * pair.b

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def vmap(info, in_dims, pair):
            assert in_dims == (Pair(0, None),)
            return Product.apply(pair), 0

    assert torch.func.vmap(lambda x: Product.apply(Pair(x, 2)))(torch.arange(3.0)).tolist() == [0, 2, 4]


def test_writes_of_a_rule_are_undone_where_the_mapping_starts_again() -> None:
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return x.mul_(2)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.mark_dirty(*inputs)

        @staticmethod
        def vmap(info, in_dims, x):
            calls.add_(1)
            return Double.apply(x), in_dims[0]

    def f(x):
        Double.apply(x)
        return x * 10 if x[0] < 1 else x

    x, calls = torch.arange(4.0).reshape(2, 2), torch.zeros(())
    assert torch.func.vmap(f)(x).tolist() == [[0, 20], [4, 6]]
    assert x.tolist() == [[0, 2], [4, 6]]
    assert not calls
