"""torch.autograd.functional, torch.func and dual levels: empty inputs, agreement of strategies and errors."""

import pytest

import microgad as torch
from microgad import errors, func
from microgad.autograd import forward_ad
from microgad.autograd.functional import hessian, jacobian, jvp, vjp


def test_jacobians_of_empty_inputs_and_outputs_are_empty():
    x = torch.ones(3)
    assert jacobian(lambda x: x[:0], x).shape == (0, 3)
    assert jacobian(lambda x: x * 2, torch.ones(0)).shape == (0, 0)


def test_reverse_and_forward_mode_give_the_same_jacobian():
    x = torch.tensor([[0.5, -1.0], [2.0, 0.25]], dtype=torch.float64)
    f = lambda x: (x @ x).tanh().sum(0)  # noqa: E731
    assert torch.allclose(jacobian(f, x), jacobian(f, x, strategy="forward-mode"))


def test_a_hessian_is_symmetric():
    x = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    h = hessian(lambda x: x.prod().exp(), x)
    assert torch.allclose(h, h.T)


def test_wrong_arguments_raise():
    x = torch.ones(2)
    with pytest.raises(errors.ArgumentError, match="jvp: The vector v can only be None if the input"):
        jvp(lambda x: x, x)
    with pytest.raises(errors.ShapeError, match="vjp: v has invalid size: should be"):
        vjp(lambda x: x, x, torch.ones(3))
    with pytest.raises(errors.GraphError, match="jacobian: Output 0 of the user-provided function does not require"):
        jacobian(lambda x: torch.ones(2), x, strict=True)
    independent = (
        "^jacobian: Output 1 of the user-provided function is independent of input 0. This is not allowed in strict"
    )
    with pytest.raises(errors.GraphError, match=independent):
        jacobian(lambda x: (x, torch.ones(2, requires_grad=True) * 1), x, strict=True)
    with pytest.raises(
        errors.GraphError, match="jvp: The output of the user-provided function is independent of input 0"
    ):
        jvp(lambda x: torch.ones(2, requires_grad=True) * 1, x, x, strict=True)
    with pytest.raises(errors.DtypeError, match=r"index 1 has type <class 'float'>"):
        vjp(lambda x, y: x, (x, 1.0))


def test_jacobian_calls_its_function_with_new_tensors():
    x = torch.ones(2)
    seen = []
    jacobian(lambda x: seen.append(x) or x * 2, x)
    assert seen[0] is not x
    assert not x.requires_grad


def test_a_dual_level_decorates_functions():
    @forward_ad.dual_level()
    def derivative(x: torch.Tensor) -> torch.Tensor:
        return forward_ad.unpack_dual(forward_ad.make_dual(x, torch.ones_like(x)) ** 2).tangent

    assert [derivative(torch.tensor(x)).item() for x in (1.0, 3.0)] == [2.0, 6.0]


def test_dual_levels_do_not_nest():
    with forward_ad.dual_level():
        with pytest.raises(RuntimeError, match="Nested"):
            forward_ad.enter_dual_level()
        with pytest.raises(
            errors.ShapeError, match=r"Tensor is of size \[2\] while the given forward gradient is of size \[3\]"
        ):
            forward_ad.make_dual(torch.ones(2), torch.ones(3))
    with pytest.raises(RuntimeError, match="no level exists"):
        forward_ad.make_dual(torch.ones(2), torch.ones(2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x: func.jacrev(torch.sin, argnums=2)(x),
            "Got argnum=2, but only 1 positional inputs",
        ),
        (lambda x: func.grad(torch.sin, argnums=())(x), "argnums must be non-empty"),
        (lambda x: func.vjp(lambda x: 3, x), r"vjp\(f, \*primals\): expected f\(\*primals\) to return only tensors"),
        (lambda x: func.jacfwd(torch.sin)(x * 1j), "jacfwd: Expected all inputs to be real"),
        (
            lambda x: func.jacrev(torch.sin, has_aux=True)(x),
            r"vjp\(f, \*primals\): output of function f should be a tuple",
        ),
        (lambda x: func.jacrev(torch.argmax)(x), "All outputs of f must be floating-point .*, got .* torch.int64"),
        (lambda x: func.hessian(lambda x: (x.sum(), x > 0))(x), "All outputs of f must be .*, got .* torch.bool"),
    ],
)
def test_errors_name_the_transform(call, message):
    with pytest.raises((RuntimeError, TypeError, ValueError), match=message):
        call(torch.ones(2))


def test_gradients_in_a_batch_keep_the_graph_if_they_are_on_it():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x**3 * x
    torch.autograd.grad(y, x, torch.eye(2), is_grads_batched=True, create_graph=True)
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [4, 32]


def test_a_constant_among_results_has_zeros_for_derivatives():
    x, v = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0])
    _, tangents = func.jvp(lambda x: (torch.ones(3), x * 2), (x,), (v,))
    assert [t.tolist() for t in tangents] == [[0, 0, 0], [2, 0]]
    zeros, twice = func.jacfwd(lambda x: (torch.ones(3), x * 2))(x)
    assert (zeros.count_nonzero(), zeros.shape, twice.tolist()) == (0, (3, 2), [[2, 0], [0, 2]])


def test_jacfwd_with_draws_for_each_derivative_has_aux_of_one_and_derivatives_by_several_arguments():
    def function(x, y):
        return x * y.sum() + 0 * torch.randn(2), x + 1

    (by_x, by_y), aux = func.jacfwd(function, (0, 1), True, randomness="different")(torch.ones(2), torch.ones(3))
    assert (by_x.tolist(), by_y.tolist(), aux.tolist()) == ([[3, 0], [0, 3]], [[1] * 3] * 2, [2, 2])


def test_a_constant_written_to_a_dual_ends_its_tangent_and_not_those_of_earlier_results():
    with forward_ad.dual_level():
        x = forward_ad.make_dual(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
        y = x * 2
        x.fill_(5.0)
        tangents = [forward_ad.unpack_dual(each).tangent.tolist() for each in (x, y, x * x)]
    assert tangents == [[0, 0], [6, 8], [0, 0]]


def test_a_gradient_in_a_dual_level_has_a_tangent_and_no_gradient():
    p = torch.ones(2, requires_grad=True)
    with forward_ad.dual_level():
        x = forward_ad.make_dual(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
        (grad,) = torch.autograd.grad((p * p * x).sum(), p)
        primal, tangent = forward_ad.unpack_dual(grad)
    assert (tangent.tolist(), primal.requires_grad, tangent.requires_grad) == ([6, 8], False, False)


def test_an_unpacked_value_has_a_gradient_and_no_tangent():
    p = torch.ones(2, requires_grad=True)
    with forward_ad.dual_level():
        x = forward_ad.make_dual(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
        value, _ = forward_ad.unpack_dual(p * x)
        assert forward_ad.unpack_dual(value * 2).tangent is None
        value.sum().backward()
    assert p.grad.tolist() == [1, 2]


def test_a_dual_level_under_no_grad_records_only_what_has_a_tangent():
    w = torch.ones(2, requires_grad=True)
    with torch.no_grad(), forward_ad.dual_level():
        x = forward_ad.make_dual(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
        y, z = w * 2, w * x
        assert (y.requires_grad, z.requires_grad, y.grad_fn) == (False, False, None)
        assert forward_ad.unpack_dual(z).tangent.tolist() == [3, 4]
        w.mul_(2)
    assert w.tolist() == [2, 2]


def test_no_grad_in_forward_mode_leaves_tangents_and_earlier_gradients():
    x, v, w = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]), torch.tensor([5.0, 6.0], requires_grad=True)

    def f(x):
        y = x * w
        with torch.no_grad():
            y.mul_(y)
            return y, x * w * y

    with forward_ad.dual_level():
        results = f(forward_ad.make_dual(x, v))
        tangents = [forward_ad.unpack_dual(y).tangent for y in results]
        assert [y.requires_grad for y in results] == [True, False]
        assert torch.autograd.grad(results[0].sum(), w, retain_graph=True)[0].tolist() == [1, 2]
    assert [t.tolist() for t in tangents] == [[150, 576], [1125, 10368]]  # 2 x v w², 3 x² v w³
    results, tangents = torch.func.jvp(f, (x,), (v,))
    assert [t.tolist() for t in tangents] == [[150, 576], [1125, 10368]]
    assert [y.requires_grad for y in results] == [True, False]


def test_surplus_gradients_are_ignored_as_in_pytorch() -> None:
    x = torch.ones(2, requires_grad=True)
    (g,) = torch.autograd.grad(3 * x, x, (torch.ones(2), torch.ones(5)))
    assert g.tolist() == [3, 3]
    with pytest.raises(RuntimeError, match="got 2 tensors and 1 gradients"):
        torch.autograd.grad((x.sum(), x.sum()), x, (torch.ones(()),))
