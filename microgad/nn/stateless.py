"""functional_call, which calls a module with other parameters than its own, and its companions in torch.func."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .. import errors
from ..ops.movement import stack
from ..parameter import Parameter
from ..tensor import Tensor
from .modules.batchnorm import _BatchNorm
from .modules.module import Module

Slot = tuple[dict[str, Any], str]  # the dictionary of a module that holds a Tensor, and its key there
_MISSING = object()  # stands for an attribute that the module didn't have


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call `module(*args, **kwargs)` with Tensors from a dict, by name, in place of its parameters and buffers.

    Afterwards the module is as it was, even if it raised. In-place writes, such as batch normalization's, reach the
    given Tensors. If the module assigns other Tensors to the names, a single dict gets these. With `tie_weights`, a
    Tensor given for one name of a shared parameter is used for all its names. A name that is neither a parameter nor a
    buffer sets an attribute, which must be new or hold a Tensor or None. With `strict`, every parameter and buffer must
    be given, and nothing else; otherwise RuntimeError is raised. Raises AttributeError for a module that doesn't exist,
    TypeError for an attribute that is not a Tensor, RuntimeError for one that is a property, such as a parametrized
    weight. Source: torch.func.functional_call.

    >>> layer = nn.Linear(2, 1)
    >>> weights = {"weight": torch.tensor([[1.0, 2.0]]), "bias": torch.tensor([0.5])}
    >>> torch.func.functional_call(layer, weights, torch.ones(2))
    tensor([3.5000])
    """
    given = parameter_and_buffer_dicts
    if not isinstance(parameter_and_buffer_dicts, Mapping):
        given = {}
        if not isinstance(parameter_and_buffer_dicts, (tuple, list)):
            kind = type(parameter_and_buffer_dicts).__name__
            raise errors.ArgumentError(f"functional_call: expected a dict, or a list or tuple of them, got {kind}")
        for each in parameter_and_buffer_dicts:
            if not isinstance(each, Mapping):
                raise errors.ArgumentError(f"functional_call: expected dicts, got {type(each).__name__} among them")
            if repeated := sorted(given.keys() & each.keys()):
                raise errors.ArgumentError(f"functional_call: {repeated} appeared in multiple dictionaries")
            given.update(each)
    with _reparametrize_module(module, given, tie_weights, strict):
        positional = args if isinstance(args, tuple) else () if args is None else (args,)
        return module(*positional, **(kwargs or {}))


@contextmanager
def _reparametrize_module(module: Module, given: Any, tie_weights: bool, strict: bool) -> Iterator[None]:
    """Put the given Tensors into the module for the duration of a block; then put what replaced them into `given`."""
    slots = _find_slots(module, given, every=tie_weights or strict)
    chosen = _with_tied_weights(given, slots) if tie_weights else dict(given)
    unknown = [name for name in given if name not in slots]
    if strict:
        present = (key for key, (registry, name) in slots.items() if registry.get(name) is not None)
        keys = {"Unexpected": unknown, "Missing": [key for key in present if key not in chosen]}
        if lines := [
            f"\n\t{kind} key(s): {', '.join(map(repr, sorted(found)))}." for kind, found in keys.items() if found
        ]:
            raise errors.GraphError(f"Error(s) in reparametrizing for {module._get_name()}:{''.join(lines)}")
    for name in unknown:
        slots[name] = _attribute_slot(module, name, given[name])
    for value in given.values():
        if not isinstance(value, (Tensor, type(None))):
            raise TypeError(f"{value} is not an instance of torch.Tensor")
    saved = [(registry, name, registry.get(name, _MISSING)) for registry, name in (slots[key] for key in chosen)]
    try:
        for key, tensor in chosen.items():
            registry, name = slots[key]
            registry[name] = tensor
        yield
    finally:
        results = {key: slots[key][0].get(slots[key][1], tensor) for key, tensor in given.items()}
        for registry, name, tensor in saved:
            if tensor is _MISSING:
                registry.pop(name, None)
            else:
                registry[name] = tensor
        for key, tensor in results.items():
            if tensor is not given[key]:
                given[key] = tensor


def _find_slots(module: Module, given: Any, every: bool) -> dict[str, Slot]:
    """Map names of parameters and buffers to their slots, of `every` module or only of those that `given` names."""
    if every:
        modules = module.named_modules(remove_duplicate=False)
    else:  # not by named_modules, which has no end for a module that contains itself
        paths = dict.fromkeys(name.rpartition(".")[0] for name in given)
        modules = ((path, module.get_submodule(path)) for path in paths)
    slots: dict[str, Slot] = {}
    for path, inner in modules:
        registries: tuple[dict[str, Any], ...] = (inner._parameters, inner._buffers)
        for registry in registries:
            for name in registry:
                slots[f"{path}.{name}" if path else name] = registry, name
    return slots


def _attribute_slot(module: Module, name: str, value: Any) -> Slot:
    """Return the slot of an attribute that is neither a parameter nor a buffer, or that is new."""
    path, _, attribute = name.rpartition(".")
    inner = module.get_submodule(path)
    if isinstance(getattr(type(inner), attribute, None), property):
        raise errors.ArgumentError(
            f"functional_call: {name} is a property: give what it is computed from, for a parametrized weight "
            "parametrizations.<name>.original"
        )
    own = getattr(inner, attribute, value)
    if not isinstance(own, (Tensor, type(None))):
        raise TypeError(f"attribute `{attribute}`: {own} is not an instance of torch.Tensor")
    attributes = vars(inner)
    new = attribute not in attributes
    return inner._parameters if new and isinstance(value, Parameter) else attributes, attribute


def _with_tied_weights(given: Any, slots: dict[str, Slot]) -> dict[str, Any]:
    """Extend `given` to all names of shared parameters. Raises if two names of one get different Tensors."""
    by_tensor: dict[int, Tensor] = {}
    for key, (registry, name) in slots.items():
        own = registry.get(name)
        if key in given and own is not None and by_tensor.setdefault(id(own), given[key]) is not given[key]:
            tied = sorted(other for other, (names, last) in slots.items() if names.get(last) is own)
            raise errors.ArgumentError(
                f"functional_call got multiple values for keys {tied}, which are tied. Consider using tie_weights=False"
            )
    chosen = dict(given)
    for key in sorted(slots.keys() - given.keys()):
        registry, name = slots[key]
        if id(registry[name]) in by_tensor:
            chosen[key] = by_tensor[id(registry[name])]
    return chosen


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Stack the parameters and the buffers of several modules of one class by name. The results are new leaves.

    With `functional_call` and `vmap` the modules run as an ensemble. Raises RuntimeError without modules, and if their
    classes, their training modes or the requires_grad of their parameters differ.
    Source: torch.func.stack_module_state.

    >>> models = [nn.Linear(2, 1), nn.Linear(2, 1), nn.Linear(2, 1)]
    >>> weights, buffers = torch.func.stack_module_state(models)
    >>> call = lambda weights, x: torch.func.functional_call(models[0], weights, x)
    >>> torch.vmap(call, (0, None))(weights, torch.ones(4, 2)).shape
    torch.Size([3, 4, 1])
    """
    if not models:
        raise errors.ArgumentError("stack_module_state: Expected at least one model, got 0.")
    if len({model.training for model in models}) > 1:
        raise errors.ArgumentError("stack_module_state: Expected all models to have the same training/eval mode.")
    if len({type(model) for model in models}) > 1:
        raise errors.ArgumentError("stack_module_state: Expected all models to be of the same class.")

    def stacked(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        for name in states[0]:
            if len({state[name].requires_grad for state in states}) > 1:
                raise errors.ArgumentError(
                    f"stack_module_state: Expected {name} from each model to have the same .requires_grad"
                )
        return {
            name: stack([state[name].detach() for state in states]).requires_grad_(first.requires_grad)
            for name, first in states[0].items()
        }

    named = stacked([dict(model.named_parameters()) for model in models])
    return named, stacked([dict(model.named_buffers()) for model in models])


def replace_all_batch_norm_modules_(root: Module) -> Module:
    """Remove the running statistics of every batch norm in a module, so that it uses the batch's only.

    Source: torch.func.replace_all_batch_norm_modules_.

    >>> net = torch.func.replace_all_batch_norm_modules_(nn.Sequential(nn.BatchNorm1d(2)))
    >>> list(net.state_dict())
    ['0.weight', '0.bias']
    """
    for module in root.modules():
        if isinstance(module, _BatchNorm) and module.track_running_stats:
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root
