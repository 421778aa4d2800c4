"""check_module: check every law of a module over random inputs, in training and in evaluation mode."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import strategies as st

from ...errors import ArgumentError
from ...errors.own_arguments import checked
from ...generator import default_generator
from ...nn import Module
from ...nn.parameter import is_lazy
from ..adapters import name_of
from ..adapters.names import is_from
from ..calls import SameDraws
from . import dependence, gradients, memory, state, values
from .derivatives import derivatives, derivatives_nearby
from .given_inputs import Inputs, in_float64
from .given_inputs import examples as given_examples
from .inferred_inputs import InputInference, reject_if_refused
from .module_case import ModuleCase
from .order import GRADIENTS, SECOND, VALUES
from .report import Report
from .runner import Law, check_for_all, check_options, select_laws

# The order matters: a law may take for granted what an earlier one has checked.
LAWS: tuple[Law[ModuleCase], ...] = (
    state.registered,
    gradients.shapes,
    values.unchanged,
    *VALUES,
    *GRADIENTS,
    *SECOND,
    memory.graph_freed,
    dependence.samples,
    dependence.causal,
    dependence.permutation_equivariant,
    state.modes,
    state.state_dict,
    state.deepcopy,
    state.pickles,
    state.zero_grad,
    derivatives,
    derivatives_nearby,
)


@checked
def check_module(
    module: Module | Callable[[], Module] | st.SearchStrategy[Any],
    *inputs: Any,
    independent: str | None = None,
    causal: int | None = None,
    permutation_equivariant: int | None = None,
    order: int = 2,
    kinks: str = "move",
    examples: int | None = None,
    laws: Iterable[str] | None = None,
    name: str | None = None,
) -> Report:
    """Check that a module obeys every law, over random inputs, in training and in evaluation mode. Return a report.

    `module` is a Module, of which copies are checked; a callable that makes one, called anew for each example; or a
    hypothesis strategy of modules, or, without inputs, of tuples (module, *inputs). `inputs` are one strategy of
    tuples, or for each argument a strategy, an array, a Tensor or a value. Without inputs, they are drawn as check_op
    draws them. Everything is converted to float64. Floating-point inputs are differentiated, and parameters that
    require grad. Random layers are checked as they are: the default generator is reset before each evaluation.

    Three properties are checked of the first output if they are declared. `independent="samples"`: rows, along axis 0
    of all Tensors, do not depend on each other (for batch norm, in evaluation mode only). `causal`: an axis of the
    first input along which no position depends on later ones. `permutation_equivariant`: an axis of the first input
    along which permuting the input permutes the results.

    `laws` are names of functions in the table `LAWS`, by default all. `order`, `kinks` and `examples` are those of
    `check_op`. Raises AssertionError, or GradcheckError for wrong derivatives, which name the module, its mode and the
    law and show the numbers; AssertionError also if a declaration does not fit the shapes. Raises ValueError if a law
    is unknown, an option is out of range, or the law `derivatives` has compared no derivative in any example. The
    report names the laws that couldn't be checked, as that of a module that can't be pickled.

    >>> inputs = torch.testing.strategies.tensors((2, 3))
    >>> report = torch.testing.check_module(nn.Linear(3, 2), inputs, independent="samples", examples=5)
    >>> report.examples, "samples" in report.laws, "Linear" in report.classes
    (5, True, True)
    """
    check_options("check_module", kinks, order, examples)
    if independent not in (None, "samples"):
        raise ArgumentError(f"check_module: independent is None or 'samples', got {independent!r}")
    declared: dict[Law[ModuleCase], Any] = {
        dependence.samples: independent,
        dependence.causal: causal,
        dependence.permutation_equivariant: permutation_equivariant,
    }
    held = [law for law in select_laws(LAWS, laws) if declared.get(law, True) is not None]
    given = inputs or infer_inputs(module)

    @st.composite
    def cases(draw: st.DrawFn) -> ModuleCase:
        made, its = draw_module(draw, module, given)
        case = ModuleCase(name or name_of(made), made.double(), in_float64(its), draw(st.booleans()), order, kinks)
        case.independent, case.causal, case.permutation_equivariant = independent, causal, permutation_equivariant
        if given and not inputs:
            reject_if_refused(case)
        return case

    title = name or str(getattr(module, "__name__", type(module).__name__))
    return check_for_all(title, cases(), held, examples)


def infer_inputs(module: Any) -> Inputs:
    """Return the strategy of inputs that check_op would draw for a module; nothing if the module takes none."""
    if isinstance(module, st.SearchStrategy):  # which draws the inputs as well
        return ()
    with SameDraws():  # leaves the generator as it was
        module = make_module(module).double()
        inference = InputInference(module.forward, name_of(module))
        return (inference.inputs(module, {}),) if inference.count() else ()


def draw_module(draw: st.DrawFn, module: Any, inputs: Inputs) -> tuple[Module, Inputs]:
    """Draw a module of this example's own, and its inputs."""
    if isinstance(module, st.SearchStrategy):
        module = draw(module)
        module, inputs = (module, inputs) if inputs else (module[0], tuple(module[1:]))
    elif not isinstance(module, Module):
        default_generator.manual_seed(draw(st.integers(0, 2**32 - 1)))
    module, given = make_module(module), draw(given_examples(inputs))
    check_signature(module.forward, given, f"{name_of(module)} doesn't take {len(given)} inputs")
    return module, given


def make_module(module: Any) -> Module:
    """Return a copy of a module, or the module that a class or a function makes."""
    if isinstance(module, Module) or is_from(module, "torch"):
        module = copy.deepcopy(module)
    elif callable(module):
        check_signature(module, (), f"{name_of(module)} takes arguments: pass a module, or a callable that makes one")
        module = module()
    if not isinstance(module, Module):
        kind = type(module)
        raise ArgumentError(f"check_module: expected a microgad Module, got {kind.__module__}.{kind.__name__}")
    if any(map(is_lazy, (*module.parameters(), *module.buffers()))):
        raise ArgumentError(f"check_module: {name_of(module)} has parameters without a shape yet: call it once before")
    return module


def check_signature(function: Callable[..., Any], given: Inputs, message: str) -> None:
    """Raise ValueError if a function can't be called with these arguments."""
    try:
        inspect.signature(function).bind(*given)
    except TypeError as error:
        raise ArgumentError(f"check_module: {message} ({error})") from None
    except ValueError:  # it has no signature
        return
