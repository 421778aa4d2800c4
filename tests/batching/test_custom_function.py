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
