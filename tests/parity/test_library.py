"""torch.library: custom operations behave the same in both libraries."""

# No `from __future__ import annotations`: schemas are read from the annotations, which are classes of each library.

import numpy as np

from .side_by_side import checked_programs, leaf

programs, test_program_behaves_as_in_torch = checked_programs(messages=False, warning_classes=False)


def sine(t):
    @t.library.custom_op("own::sine", mutates_args=())
    def sine(x: t.Tensor) -> t.Tensor:
        return t.from_numpy(np.sin(x.detach().numpy()))

    return sine


@programs
def custom_op_with_autograd(t, nn):
    op = sine(t)
    op.register_autograd(
        lambda ctx, grad: grad * ctx.saved_tensors[0].cos(),
        setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
    )
    op.register_fake(t.empty_like)
    x = leaf(t, 3)
    y = t.ops.own.sine(x)
    y.sum().backward()
    exact = leaf(t, 3).detach().double().requires_grad_()
    return (
        y.detach(), y.grad_fn.name(), x.grad, t.ops.own.sine.default(x.detach()), repr(op), repr(t.ops.own.sine),
        repr(t.ops.own.sine.default), str(t.ops.own.sine.default), str(t.ops.own.sine.default._schema),
        t.autograd.gradgradcheck(op, (exact,)), t.vmap(op)(t.ones(2, 3)),
    )  # fmt: skip


@programs
def triton_op(t, nn):
    @t.library.triton_op("own::double", mutates_args={})
    def double(x: t.Tensor) -> t.Tensor:
        return x * 2

    found = [double(t.ones(2)), t.ops.own.double(t.ones(2))]
    double.register_autograd(lambda ctx, grad: grad * 3)
    x = leaf(t, 3)
    double(x).sum().backward()
    return *found, x.grad


@programs
def custom_op_without_autograd(t, nn):
    y = sine(t)(leaf(t, 3))
    assert y.requires_grad
    y.sum().backward()


@programs
def mutated_argument_is_detected_in_backward(t, nn):
    @t.library.custom_op("own::raise_", mutates_args={"x"})
    def raise_(x: t.Tensor, by: float = 1.0) -> None:
        x.detach().numpy()[...] += by

    x, w = t.zeros(2), leaf(t, 2)
    y = x * w
    assert raise_(x, by=2.0) is None
    assert (x.tolist(), x._version) == ([2.0, 2.0], 1)
    y.sum().backward()


@programs
def custom_op_with_lists_and_several_results(t, nn):
    @t.library.custom_op("own::parts", mutates_args=(), schema="(Tensor[] xs, int k=2) -> (Tensor, Tensor[])")
    def parts(xs, k=2):
        return t.stack(xs).sum(0) * k, [x * k for x in xs]

    seen = []

    def setup(ctx, inputs, output):
        seen.append((len(inputs[0]), inputs[1], len(output[1])))
        ctx.k = inputs[1]

    def backward(ctx, whole, each):
        seen.append((whole is None, len(each), ctx.needs_input_grad))
        return [(g + whole) * ctx.k for g in each], None

    parts.register_autograd(backward, setup_context=setup)
    x, y = leaf(t, 3), leaf(t, 3, seed=1)
    whole, (first, second) = parts([x, y.detach(), y], 3)[0], parts([x, y], 4)[1]
    (whole.sum() + (first * second).sum()).backward()
    return seen, x.grad, y.grad


@programs
def keyword_only_arguments(t, nn):
    @t.library.custom_op("own::scaled", mutates_args=())
    def scaled(x: t.Tensor, *, by: float = 2.0) -> t.Tensor:
        return x * by

    def setup(ctx, inputs, keyword_only_inputs, output):
        ctx.by = keyword_only_inputs["by"]
        assert len(inputs) == 1

    scaled.register_autograd(lambda ctx, grad: grad * ctx.by, setup_context=setup)
    x = leaf(t, 3)
    scaled(x, by=4.0).sum().backward()
    return x.grad, scaled(x.detach())


@programs
def library_definitions_and_kernels(t, nn):
    library = t.library.Library("demo", "DEF")
    names = [
        library.define("mul(Tensor a, Tensor b) -> Tensor"),
        library.define("mul.number(Tensor a, float b) -> Tensor"),
    ]
    library.impl("mul", lambda a, b: a * b * 10, "CPU")
    library.impl("mul.number", lambda a, b: a * b, "CompositeExplicitAutograd")
    t.library.define("demo::half", "(Tensor x, float y=0.5) -> Tensor")
    t.library.impl("demo::half", "cpu", lambda x, y=0.5: x * y)
    x = leaf(t, 3)
    t.ops.demo.mul(x, x).sum().backward()
    t.library.register_autograd("demo::half", lambda ctx, grad: (grad * 100, None))
    half = t.ops.demo.half(x)
    half.sum().backward()

    @t.library.register_kernel("demo::half", "cpu")
    def _(x, y=0.5):
        return x - y

    fragment = t.library.Library("demo", "FRAGMENT")
    fragment.define("cube(Tensor x) -> Tensor")

    @t.library.impl(fragment, "cube", "CompositeImplicitAutograd")
    def cube(x):
        return x**3

    t.ops.demo.cube(x).sum().backward()
    called = t.ops.demo.mul(x.detach(), 2.0), t.ops.demo.half(x.detach())
    return (
        names, called, half.detach(), half.grad_fn.name(), x.grad, t.ops.demo.mul.overloads(),
        repr(fragment), t.ops.demo.mul.number.name(),
    )  # fmt: skip


@programs
def autograd_kernel(t, nn):
    library = t.library.Library("below", "DEF")
    library.define("double(Tensor x) -> Tensor")
    library.impl("double", lambda x: x * 2, "CPU")

    class Double(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            with t._C._AutoDispatchBelowAutograd():
                return t.ops.below.double(x)

        @staticmethod
        def backward(ctx, grad):
            return grad * 50

    library.impl("double", Double.apply, "Autograd")
    x = leaf(t, 3)
    y = t.ops.below.double(x)
    y.sum().backward()
    return y.detach(), x.grad


@programs
def inferred_schemas(t, nn):
    def f(
        a: t.Tensor, b: t.Tensor | None, c: list[t.Tensor], d: int = 1, e: float | None = None, f: str = "a",
        *, g: list[int] | None = None, h: t.dtype = t.float32, i: bool = False,
    ) -> tuple[t.Tensor, list[t.Tensor]]:  # fmt: skip
        ...

    def g(a: t.Tensor) -> None: ...

    return [t.library.infer_schema(f, mutates_args={"a", "c"}), t.library.infer_schema(g, mutates_args=())]


for name, make in {
    "a number for a Tensor": lambda t, op: op(3),
    "no argument": lambda t, op: op(),
    "one too many": lambda t, op: op(t.ones(1), 2),
    "one of another name": lambda t, op: op(t.ones(1), z=2),
    "no annotation": lambda t, op: t.library.custom_op("own::f", mutates_args=())(lambda x: x),
    "no namespace": lambda t, op: t.library.define("f", "(Tensor x) -> Tensor"),
    "no such operation": lambda t, op: t.ops.own.nowhere,
    "no such kind": lambda t, op: t.library.Library("own", "WHAT"),
    "no such key": lambda t, op: t.library.Library("own", "IMPL").impl("sine", len, "Nowhere"),
    "no schema": lambda t, op: t.library.Library("own", "FRAGMENT").define("f"),
}.items():
    programs[f"error: {name}"] = lambda t, nn, make=make: make(t, sine(t))
