"""check_op: check every law of an operation over random inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from ...errors import ArgumentError
from ...errors.own_arguments import checked
from ...function.linear_map import LinearMap
from ..adapters import adapt, name_of, unwrap
from ..calls import GradcheckError
from . import gradients, memory, values
from .case import Case
from .derivatives import derivatives, derivatives_nearby, magnitudes
from .given_inputs import examples as given_examples
from .given_inputs import keywords
from .inferred_inputs import InputInference, for_gradients, reject_if_refused
from .inferred_settings import infer_settings
from .order import GRADIENTS, SECOND, VALUES
from .report import Report
from .runner import check_for_all, check_options, select_laws
from .sizes import sizes

# The order matters: a law may take for granted what an earlier one has checked.
LAWS = (
    gradients.shapes,
    values.unchanged,
    values.reference,
    *VALUES,
    *GRADIENTS,
    gradients.adjoint,
    gradients.chain_rule,
    *SECOND,
    memory.kept,
    memory.graph_freed,
    derivatives,
    derivatives_nearby,
    magnitudes,
    sizes,
)


@checked
def check_op(
    op: Callable[..., Any],
    *inputs: Any,
    reference: Callable[..., Any] | None = None,
    vjp: Callable[..., Any] | None = None,
    order: int = 2,
    linear: bool | None = None,
    kinks: str = "move",
    examples: int | None = None,
    laws: Iterable[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> Report:
    """Check that an operation obeys every law, over random inputs that hypothesis draws. Return a report.

    `op` is a Function, a function on Tensors, a torch Function, or a NumPy function whose derivative is
    `vjp(grad, *arrays)`: see `adapt`. `inputs` are one hypothesis strategy of tuples, or for each argument a strategy,
    an array, a Tensor or a value. Without inputs, check_op draws as many float64 Tensors as the operation takes, of the
    first family of shapes that it accepts: shapes that broadcast, matrices, images with their filters. Most have up to
    three axes of length 1 to 4; in one example of five an axis has length 5 to 17, and there may be a fourth one. What
    only larger shapes show needs inputs that have them. Tensors that require grad are differentiated; if none does,
    every floating-point or complex one is, of a Function those that have a derivative; the report names the others. A
    gradient of NaN is accepted at a kink, as that of a norm at 0, where `check_grads` refuses it; the report has the
    smallest such example. `settings` are keyword arguments, values or strategies. Other settings that
    the operation needs are drawn by their names or types.

    `laws` are names of functions in the table `LAWS`, by default all. `reference` is the same operation on NumPy
    arrays. `order=1` skips second derivatives. `linear` says that the operation is jointly linear in its differentiated
    inputs, as a LinearMap is. `kinks` is that of check_grads. `examples` is the number of examples, by default that of
    hypothesis's profile.

    Raises AssertionError, or GradcheckError for wrong derivatives, which name the operation and the law and show the
    numbers. Raises ValueError if inputs or settings have to be given, if a law is unknown, if an option is out of
    range, or if the law `derivatives` has compared no derivative in any example.

    >>> class Cube(torch.Function):
    ...     def forward(self, x): return x * x * x
    ...     def grad_x(self, grad, x): return grad * (3 * x * x)
    >>> print(torch.testing.check_op(Cube, examples=10, laws=["layout", "derivatives"]))
    Cube: 10 examples obey 2 laws
        laws: layout, derivatives
        recorded: Add, Cube, Mul
        largest input: (...)
    """
    check_options("check_op", kinks, order, examples)
    bare = unwrap(op)
    if hasattr(bare.target, "forward") and not (bare.adapter or bare.args or bare.keywords):
        op = bare.target  # the class of an `apply`: its forward says what it takes
    name = name or name_of(op)
    call = adapt(op, vjp)
    if linear is None:
        linear = isinstance(op, type) and issubclass(op, LinearMap)
    held = select_laws(LAWS, laws)
    left_out = ([] if linear else [gradients.adjoint]) + ([] if reference else [values.reference])
    held = [law for law in held if law not in left_out]
    inference = InputInference(op, name)
    options_of = keywords(infer_settings(op, name, settings or {}))
    refused: list[ArgumentError] = []

    def inputs_for(function: Callable[..., Any], options: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        try:
            return given_examples(inputs) if inputs else inference.inputs(function, options)
        except ArgumentError as error:
            if len(options) == len(settings or {}):
                raise
            refused.append(error)
            reject()

    @st.composite
    def cases(draw: st.DrawFn) -> Case:
        options = draw(options_of)
        function = partial(call, **options) if options else call
        drawn = draw(inputs_for(function, options))
        case = Case(name, function, for_gradients(op, drawn), order=order, kinks=kinks, settings=options)
        case.inferred = not inputs
        case.linear, case.reference = linear, partial(reference, **options) if reference else None
        if not inputs or len(options) > len(settings or {}):
            reject_if_refused(case)
        return case

    try:
        return check_for_all(name, cases(), held, examples)
    except Unsatisfiable as error:
        raise (refused[-1] if refused else error) from None
    except (AssertionError, GradcheckError) as error:
        if not inputs:
            error.add_note("check_op chose the inputs: if the operation isn't meant for these, give it others")
        raise
