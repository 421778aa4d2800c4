"""Optimizer, the base class: parameter groups, per-parameter state, state dicts, `step` and its checks."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, groupby
from typing import Any, ClassVar, TypeVar, overload

import numpy as np

from .. import backend, errors
from .. import state as execution
from ..autograd.labels import profiled
from ..errors import wording
from ..errors.notices import warn
from ..nn.utils.clip_grad import _group_tensors_by_device_and_dtype
from ..parameter import zero_grad
from ..tensor import Tensor
from ..type_aliases import Array
from . import differentiable
from .hooks import OptimizerHooks
from .hooks import register_optimizer_step_post_hook as register_optimizer_step_post_hook
from .hooks import register_optimizer_step_pre_hook as register_optimizer_step_pre_hook
from .subclass_helpers import *  # noqa: F403  # under the names that torch.optim.optimizer has
from .update_helpers import scalar_tensor

T = TypeVar("T")
Group = dict[str, Any]
Params = Iterable[Tensor] | Iterable[Group] | Iterable[tuple[str, Tensor]]
ParamsT = params_t = _params_t = Params  # the names of several PyTorch versions
StateDict = dict[str, Any]


def _by_gpu(params: list[Tensor]) -> Iterable[list[Tensor]]:
    """Split parameters on GPUs where the device changes, and let CuPy compute on that of each part."""
    if not params or not backend.is_gpu(params[0].array):
        yield params
        return
    for where, part in groupby(params, lambda p: p.device):
        backend.follow(where)
        yield list(part)


class _Required:
    """Type of `required`, the default of an option that every parameter group must set."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()

# Options that optimizers gained after their first version, with their values in state dicts that were saved before.
ADDED_LATER = dict.fromkeys(
    ("nesterov", "centered", "amsgrad", "maximize", "differentiable", "capturable", "decoupled_weight_decay"), False
) | {"foreach": None, "fused": None}


class Optimizer(OptimizerHooks):
    """Base class of optimizers. Source: torch.optim.Optimizer.

    `params` holds leaf Tensors, (name, Tensor) pairs, or groups: dicts with "params" and options of their own.
    `defaults` are the options that a group doesn't set. `param_groups` is the list of groups, and `state[p]` the
    optimizer's state for the parameter p. A subclass updates the parameters in `update` (or, as in PyTorch, overrides
    `step`). It lists the options that must be >= 0 in `nonnegative` and checks others in `check`.

    Raises TypeError unless all parameters are Tensors; ValueError for no parameters, for one that is not a leaf or is
    in two groups, and for options out of range.

    >>> class SignSGD(torch.optim.Optimizer):
    ...     def update(self, group, params, loss):
    ...         for p in params:
    ...             p.array -= group["lr"] * np.sign(p.grad.array)
    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = SignSGD([w], {"lr": 0.5})
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.5000, 1.5000], requires_grad=True)
    """

    param_shaped: tuple[str, ...] = ()  # names of the state Tensors that have their parameter's shape
    nonnegative: tuple[str, ...] = ()  # options that may not be negative, lr among them
    real_only: bool = False  # refuse complex parameters
    _recorded_update: ClassVar[Any] = None  # the update in recorded operations, if supported: see differentiable.py

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        self.check(defaults)
        self.defaults = defaults
        self.state: dict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[Group] = []
        self._init_hooks()
        for group in _groups(params):
            self.add_param_group(group)

    def check(self, options: dict[str, Any]) -> None:
        """Raise ValueError if a default is out of range, RuntimeError for `fused` with `differentiable` or `foreach`.

        As in PyTorch, the options that a group sets itself aren't checked: with a negative lr a group ascends.
        """
        if self.nonnegative:  # an optimizer of one's own may have other options of these names
            require_nonnegative(options, *self.nonnegative)
            if options.get("fused") and options.get("differentiable"):
                raise RuntimeError("`fused` does not support `differentiable`")
            if options.get("fused") and options.get("foreach"):
                raise RuntimeError("`fused` and `foreach` cannot be `True` together.")

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        """Update `params`, the group's parameters with a gradient, in place. `loss` is the closure's, or None."""
        raise NotImplementedError(f"{type(self).__name__} must define update(group, params, loss), or step(closure)")

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], T]) -> T: ...
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        `closure`, if given, is called first: it computes the gradients and returns the loss, which `step` returns.

        Raises RuntimeError if a gradient's shape, dtype or device differs from its parameter's, TypeError for text in
        the place of a number, and, as PyTorch does, AssertionError for `capturable` on the CPU; nothing is updated.
        Running out of memory and a state of another shape than its parameter's raise RuntimeError, too, but earlier
        parameters are updated by then.
        """
        loss = None
        if closure is not None:
            with execution.scope(grad_enabled=True):
                loss = closure()
        self._update_all(loss)
        return loss

    def _update_all(self, loss: Any) -> None:
        """Update every parameter that has a gradient, after checking all of them."""
        groups = [(group, self.params_with_grad(group)) for group in self.param_groups]
        with np.errstate(all="ignore"):  # NaN and inf propagate silently, as in PyTorch
            for group, params in groups:
                if group.get("differentiable"):
                    with execution.scope(grad_enabled=True):
                        for p in params:
                            differentiable.step(self._recorded_update, self.param_shaped, group, self.state[p], p)
                    continue
                if (observer := execution.current().observer) is not None:
                    for p in params:
                        observer.write(p)
                try:
                    for part in _by_gpu(params):
                        self.update(group, part, loss)
                except ValueError as error:
                    rule = wording.in_torchs_words(str(error))
                    if isinstance(error, RuntimeError) or rule == str(error):
                        raise
                    raise errors.ShapeError(f"{type(self).__name__}: {rule}") from error
                finally:
                    for p in params:
                        p._bump()

    def params_with_grad(self, group: Group) -> list[Tensor]:
        """Return the parameters of a group that have a gradient. Raises if one of them can't be updated."""
        self._check_numbers(group)
        params = [p for p in group["params"] if p.grad is not None]
        if group.get("capturable") and not group.get("fused") and not all(backend.is_gpu(p.array) for p in params):
            raise AssertionError("If capturable=True, params and state_steps must be on supported devices: ['cuda'].")
        for p in params:
            array, grad = p.array, p.grad.array
            if self.real_only and p.is_complex():
                raise errors.ArgumentError(f"{type(self).__name__} does not support complex parameters")
            if grad.shape != array.shape or grad.dtype != array.dtype or backend.is_gpu(grad) != backend.is_gpu(array):
                raise errors.ShapeError(
                    f"{type(self).__name__}: the gradient is {_kind(grad)}, but its parameter is {_kind(array)}"
                )
            self._check_writable(p)
        return params

    def _check_numbers(self, group: Group) -> None:
        """Raise TypeError for text in the place of a number, which float() would read, KeyError for no number."""
        if str in map(type, group.values()) or not group.keys() >= self.defaults.keys():
            for option, default in self.defaults.items():
                if type(default) in (int, float) and isinstance(group[option], str):
                    raise TypeError(
                        f"{type(self).__name__}: the option {option} of a parameter group must be a number, but is the "
                        f"text {group[option]!r}"
                    )

    def _check_writable(self, p: Tensor) -> None:
        """Raise RuntimeError if several elements of a parameter share memory, as in one that was expanded."""
        if 0 in p.array.strides:
            with execution.scope(grad_enabled=False):
                p._check_writable(type(self).__name__, False)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the gradients to None, or (set_to_none=False) fill them with zeros.

        >>> w = torch.ones(2, requires_grad=True)
        >>> w.sum().backward()
        >>> torch.optim.SGD([w]).zero_grad(set_to_none=False)
        >>> w.grad
        tensor([0., 0.])
        """
        with profiled(f"Optimizer.zero_grad#{type(self).__name__}.zero_grad"):
            for group in self.param_groups:
                for p in group["params"]:
                    zero_grad(p, set_to_none)

    def add_param_group(self, param_group: Group) -> None:
        """Add a parameter group: a dict of "params" and the options that differ from the defaults.

        Raises as the constructor does; the optimizer and `param_group` are unchanged then.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        names, params = _named(param_group["params"])
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {wording.kind_of(p)}")
            if not p.is_leaf and not p.retains_grad and not self.defaults.get("differentiable"):
                raise ValueError(f"can't optimize a non-leaf Tensor: {type(p.node).__name__} made it")
        if len(set(params)) != len(params):
            warn("optimizer contains a parameter group with duplicate parameters")
        others = chain.from_iterable(group["params"] for group in self.param_groups)
        if not set(map(id, params)).isdisjoint(map(id, others)):
            raise ValueError("some parameters appear in more than one parameter group")
        if any(("param_names" in group) != bool(names) for group in self.param_groups[:1]):
            raise ValueError(
                "all optimizer param groups should be with/without names. "
                f"cannot add param group {'with' if names else 'without'} names to the optimizer"
            )
        group = {**param_group, "params": params, **({"param_names": names} if names else {})}
        for option, default in self.defaults.items():
            if default is required and option not in group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {option}")
            group.setdefault(option, default)
        if group.get("differentiable") and self._recorded_update is None and type(self).step is Optimizer.step:
            raise NotImplementedError(
                f"{type(self).__name__}: differentiable=True: updates run on bare arrays and aren't recorded"
            )
        param_group.update(group)
        self.param_groups.append(param_group)

    _group_tensors_by_device_and_dtype = staticmethod(_group_tensors_by_device_and_dtype)

    def state_dict(self) -> dict[str, Any]:
        """Return {"state": per-parameter state, "param_groups": options}, with parameters given by their numbers.

        As in PyTorch, its Tensors are the optimizer's own, and later steps change them: `copy.deepcopy` preserves them.

        >>> w = torch.ones(2, requires_grad=True)
        >>> optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
        >>> w.sum().backward()
        >>> optimizer.step()
        >>> optimizer.state_dict()["state"]
        {0: {'momentum_buffer': tensor([1., 1.])}}
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        numbers: dict[Any, int] = {}
        groups = []
        first = 0
        for group in self.param_groups:
            numbers |= {p: i for i, p in enumerate(group["params"], first)}  # given twice: the last, as in PyTorch
            first += len(group["params"])
            options = {option: value for option, value in group.items() if option != "params"}
            groups.append({**options, "params": [numbers[p] for p in group["params"]]})
        state = {"state": {numbers.get(p, p): entry for p, entry in self.state.items()}, "param_groups": groups}
        return self._call_state_dict_hooks("state_dict_post", state)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state and options from `state_dict()`: Tensors in each parameter's dtype, on its device.

        As in PyTorch, a Tensor that has both is not copied: steps of this optimizer then change it in `state_dict`, and
        in the optimizer that it came from. `copy.deepcopy(state_dict)` makes the two independent.

        Raises ValueError if groups, options or the parameters' shapes are not this optimizer's; nothing changes then.
        """
        state_dict = self._call_state_dict_hooks("load_state_dict_pre", dict(state_dict))
        saved = copy.deepcopy(state_dict["param_groups"])  # all at once: groups may share a Tensor, such as their lr
        if len(saved) != len(self.param_groups):
            raise ValueError(
                f"loaded state dict has a different number of parameter groups: {len(saved)}, "
                f"but this optimizer has {len(self.param_groups)}"
            )
        groups: list[Group] = []
        by_number: dict[Any, Tensor] = {}
        for i, (ours, theirs) in enumerate(zip(self.param_groups, saved, strict=True)):
            groups.append(self._merged(i, ours, theirs))
            by_number.update(zip(theirs["params"], ours["params"], strict=True))
        state: dict[Any, dict[str, Any]] = defaultdict(dict)
        for key, entry in state_dict["state"].items():
            if key in by_number:
                p = by_number[key]
                state[p] = {name: self._adapted(name, value, p, key) for name, value in entry.items()}
            else:
                state[key] = entry
        self.__setstate__({"state": state, "param_groups": groups})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def _merged(self, i: int, ours: Group, theirs: Group) -> Group:
        """Return our group `i` with the loaded options. Old versions of PyTorch lacked some."""
        if len(ours["params"]) != len(theirs["params"]):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group: "
                f"group {i} has {wording.plural(len(theirs['params']), 'parameter')}, but here {len(ours['params'])}"
            )
        group = {**theirs, "params": ours["params"]}
        for option, value in ADDED_LATER.items():
            if option in self.defaults:
                group.setdefault(option, value)
        if missing := sorted(self.defaults.keys() - group.keys()):
            raise ValueError(
                f"loaded state dict comes from another kind of optimizer: {type(self).__name__} has the options "
                f"{', '.join(missing)}, but its group {i} has only {', '.join(sorted(theirs.keys() - {'params'}))}"
            )
        if "param_names" in ours:
            group.setdefault("param_names", ours["param_names"])
        return group

    def _adapted(self, name: str, value: Any, p: Tensor, number: Any) -> Any:
        """Return an entry whose Tensors, but step counts, have p's device and floating dtype: copies if need be."""
        if isinstance(value, Mapping):
            return {key: self._adapted(key, item, p, number) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self._adapted("", item, p, number) for item in value)
        if not isinstance(value, Tensor):
            plain_step = name == "step" and self.param_shaped  # PyTorch before 1.12 counted steps in plain numbers
            return scalar_tensor(value) if plain_step else value
        if name == "step":
            return value
        if name in self.param_shaped and value.shape != p.shape:
            raise ValueError(
                f"loaded state dict has {name} of shape {tuple(value.shape)} for parameter {number}, "
                f"but this one has shape {tuple(p.shape)}"
            )
        return value.to(p.device, p.dtype if p.is_floating_point() else None)

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._init_hooks()

    def __repr__(self) -> str:
        text = f"{type(self).__name__} ("
        for i, group in enumerate(self.param_groups):
            options = [f"    {option}: {group[option]}\n" for option in sorted(group) if option != "params"]
            text += f"\nParameter Group {i}\n{''.join(options)}"
        return text + ")"


def functional_step(
    kind: Callable[..., Optimizer], params: Sequence[Tensor], grads: Sequence[Tensor],
    states: Sequence[dict[str, Any]], unsupported: Mapping[str, Any], **options: Any,
) -> None:  # fmt: skip
    """Update Tensors in place by given gradients and states, as a step of an optimizer with these options does.

    Raises NotImplementedError if an `unsupported` option is set.
    """
    for option, value in unsupported.items():
        if value is not None and value is not False:
            raise errors.UnsupportedError(f"{option} isn't supported here: use the optimizer's class")
    own = [p.detach() for p in params]  # with the same memory and version counters, but gradients of their own
    if own:
        optimizer = kind(own)
        optimizer.param_groups[0].update(options)  # which may be out of range, as in PyTorch
        for p, grad, state in zip(own, grads, states, strict=True):
            p.grad, optimizer.state[p] = grad, state
        optimizer._update_all(None)


def require(ok: Any, what: str, value: Any, rule: str) -> None:
    """Raise PyTorch's ValueError for an option unless `ok`.

    >>> require(False, "learning rate", -1, "must be >= 0")
    Traceback (most recent call last):
    ValueError: Invalid learning rate: -1 (must be >= 0)
    """
    if not ok:
        raise ValueError(f"Invalid {what}: {value} ({rule})")


def require_nonnegative(options: Mapping[str, Any], *names: str) -> None:
    """Raise PyTorch's ValueError if an option is negative, or if the learning rate has several elements.

    >>> require_nonnegative({"lr": 0.1, "eps": -1}, "lr", "eps")
    Traceback (most recent call last):
    ValueError: Invalid epsilon value: -1 (must be >= 0)
    """
    if isinstance(options["lr"], Tensor) and options["lr"].numel() != 1:
        raise ValueError(f"Tensor lr must be 1-element, but has shape {tuple(options['lr'].shape)}")
    for name in names:
        what = {"lr": "learning rate", "eps": "epsilon value"}.get(name, f"{name} value")
        require(options[name] >= 0, what, options[name], "must be >= 0")


def _groups(params: Params) -> list[Group]:
    if isinstance(params, Tensor) or not isinstance(params, Iterable):
        hint = "; did you mean .parameters()?" if hasattr(params, "parameters") else ""
        raise TypeError(
            "params argument given to the optimizer should be an iterable of Tensors or dicts, "
            f"but got {type(params).__name__}{hint}"
        )
    groups: list[Any] = list(params)
    if not groups:
        raise ValueError("optimizer got an empty parameter list")
    return groups if isinstance(groups[0], dict) else [{"params": groups}]


def _named(params: Any) -> tuple[list[str], list[Any]]:
    """Split parameters into their names, if they have any, and the parameters themselves."""
    if isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
            "will change between runs. Please use a list instead"
        )
    items = [params] if isinstance(params, Tensor) else list(params)
    names = [item[0] for item in items if isinstance(item, tuple)]
    if names and len(names) != len(items):
        raise ValueError("all optimizer params should be with/without names. Some param names are missing")
    return names, [item[1] if isinstance(item, tuple) else item for item in items]


def _kind(array: Array) -> str:
    """Describe an array's dtype, shape and device for an error message."""
    return f"{array.dtype} {array.shape} on {backend.device_of(array)}"
