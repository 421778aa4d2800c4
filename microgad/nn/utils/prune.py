"""torch.nn.utils.prune: pruning of a weight by a mask before each forward.

The learned parameter becomes `<name>_orig`, and the mask is the buffer `<name>_mask`. A mask has the shape of the
parameter. Functions return the module; they raise AttributeError for an unknown name, TypeError for an amount that
isn't a number, ValueError for a negative or too large one, and for structured pruning ValueError for vectors,
IndexError for a `dim` out of range.
"""

from __future__ import annotations

import copy
import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, TypeVar

from ...backend.axes import at_axis
from ...errors import DimError
from ...ops.creation import ones_like, zeros_like
from ...ops.linalg import norm
from ...ops.random import rand, rand_like
from ...ops.reduction import kthvalue, topk
from ...tensor import Tensor
from ..modules.module import Module
from .convert_parameters import parameters_to_vector

__all__ = [
    "BasePruningMethod", "CustomFromMask", "Identity", "L1Unstructured", "LnStructured", "PruningContainer",
    "RandomStructured", "RandomUnstructured", "custom_from_mask", "global_unstructured", "identity", "is_pruned",
    "l1_unstructured", "ln_structured", "random_structured", "random_unstructured", "remove",
]  # fmt: skip

M = TypeVar("M", bound=Module)


class BasePruningMethod(ABC):
    """Base class of pruning methods, which are also the forward pre-hooks that apply the mask.

    A subclass defines `compute_mask` and PRUNING_TYPE, which says what a further pruning chooses from: the elements
    that earlier ones left ("unstructured"), the channels along `dim` that they left ("structured"), or everything
    ("global"). Source: torch.nn.utils.prune.BasePruningMethod.

    >>> nn.utils.prune.L1Unstructured(2).prune(torch.tensor([3.0, 1.0, 0.5]))
    tensor([3., 0., 0.])
    """

    PRUNING_TYPE: ClassVar[str]
    _tensor_name: str

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return the mask for importance scores t: 0 where default_mask is 0, and where this method prunes."""

    def apply_mask(self, module: Module) -> Tensor:
        """Return the pruned weight."""
        mask, weight = (getattr(module, f"{self._tensor_name}_{part}") for part in ("mask", "orig"))
        return mask.to(weight.dtype) * weight

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any
    ) -> Any:
        """Prune a parameter by the method with these arguments; several prunings become a PruningContainer."""
        method: BasePruningMethod = cls(*args, **kwargs)
        method._tensor_name = name
        registered = module._forward_pre_hooks
        previous = [(i, hook) for i, hook in registered.items() if _is_pruning_hook(hook, name)]
        if len(previous) > 1:
            raise AssertionError(
                f"Avoid adding multiple pruning hooks to the same tensor {name} of module {module}. Use a "
                "PruningContainer."
            )
        for _, hook in previous:
            container = copy.copy(hook) if isinstance(hook, PruningContainer) else PruningContainer(hook)
            container.add_pruning_method(method)
            method = container
        weight = getattr(module, name)
        if importance_scores is not None and importance_scores.shape != weight.shape:
            raise AssertionError(
                f"importance_scores should have the same shape as parameter {name} of {module}, got "
                f"{importance_scores.shape} vs {weight.shape}"
            )
        first = not isinstance(method, PruningContainer)
        default = ones_like(weight) if first else getattr(module, f"{name}_mask").detach().clone()
        scores = weight if importance_scores is None else importance_scores
        mask = method.compute_mask(scores.detach(), default_mask=default)  # may raise: nothing is changed yet
        for i, _ in previous:
            del registered[i]
        if first:
            module.register_parameter(f"{name}_orig", weight)  # raises unless it is a parameter
            del module._parameters[name]
        module.register_buffer(f"{name}_mask", mask)
        method(module, None)
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None) -> Tensor:
        """Return a pruned Tensor, without a module."""
        if importance_scores is not None and importance_scores.shape != t.shape:
            raise AssertionError(
                f"importance_scores should have the same shape as tensor t, got {importance_scores.shape} vs {t.shape}"
            )
        scores = t if importance_scores is None else importance_scores
        return t * self.compute_mask(scores, default_mask=ones_like(t) if default_mask is None else default_mask)

    def remove(self, module: Module) -> None:
        """Make the pruned weight a parameter again, and remove the mask."""
        name = self._tensor_name
        weight = self.apply_mask(module)
        delattr(module, name)
        original = module._parameters.pop(f"{name}_orig")
        del module._buffers[f"{name}_mask"]
        assert original is not None
        original.data = weight.detach()
        setattr(module, name, original)


def _is_pruning_hook(hook: Any, name: str) -> bool:
    return isinstance(hook, BasePruningMethod) and hook._tensor_name == name


class PruningContainer(BasePruningMethod):
    """Several prunings of one parameter. The last one is applied to what the others left.

    Source: torch.nn.utils.prune.PruningContainer.

    >>> layer = nn.utils.prune.l1_unstructured(nn.Linear(4, 1), "weight", amount=2)
    >>> layer = nn.utils.prune.l1_unstructured(layer, "weight", amount=1)
    >>> int((layer.weight == 0).sum())
    3
    """

    def __init__(self, *args: BasePruningMethod) -> None:
        self._pruning_methods: tuple[Any, ...] = ()
        if len(args) == 1:
            self._tensor_name = args[0]._tensor_name
        for method in args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod | None) -> None:
        """Add a method. Raises TypeError unless it is a BasePruningMethod, ValueError if for another parameter."""
        if method is not None and not isinstance(method, BasePruningMethod):
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if method is not None and self._tensor_name != method._tensor_name:
            raise ValueError(
                f"Can only add pruning methods acting on the parameter named '{self._tensor_name}' to PruningContainer "
                f"{self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: Any) -> Any:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        method = self._pruning_methods[-1]
        where: Any
        if method.PRUNING_TYPE == "unstructured":
            where = default_mask == 1
        elif method.PRUNING_TYPE == "structured":
            if not hasattr(method, "dim"):
                raise AttributeError(
                    'Pruning methods of PRUNING_TYPE "structured" need to have the attribute `dim` defined.'
                )
            if not -t.ndim <= method.dim < t.ndim:
                raise DimError(f"Index is out of bounds for tensor with dimensions {t.ndim}")
            axis = method.dim % t.ndim
            others = [i for i in range(t.ndim) if i != axis]
            where = at_axis(axis, default_mask.sum(others) != 0)
        elif method.PRUNING_TYPE == "global":
            where = ...
        else:
            raise ValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
        mask = default_mask.to(t.dtype, copy=True)
        mask[where] = method.compute_mask(t[where], default_mask=default_mask[where]).to(mask.dtype)
        return mask


class Identity(BasePruningMethod):
    """Prune nothing: the mask is all ones. See `identity`. Source: torch.nn.utils.prune.Identity."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class _ByAmount(BasePruningMethod):
    """Base class of methods that prune `amount`: a number (int) or a fraction (float)."""

    def __init__(self, amount: Any) -> None:
        _validate_pruning_amount_init(amount)
        self.amount: Any = amount

    def _count(self, size: int) -> int:
        count = _compute_nparams_toprune(self.amount, size)
        _validate_pruning_amount(count, size)
        return count


# Methods that programs define call the following functions too.


def _validate_pruning_amount_init(amount: Any) -> None:
    """Raise unless `amount` is a number of parameters (int) or a fraction of them (float)."""
    if not isinstance(amount, numbers.Real):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    if float(amount) < 0 or (not isinstance(amount, numbers.Integral) and float(amount) > 1):
        raise ValueError(f"amount={amount} should either be a float in the range [0, 1] or a non-negative integer")


def _validate_pruning_amount(amount: Any, tensor_size: int) -> None:
    """Raise if `amount` is a number of parameters larger than tensor_size."""
    if isinstance(amount, numbers.Integral) and int(amount) > tensor_size:
        raise ValueError(f"amount={amount} should be smaller than the number of parameters to prune={tensor_size}")


def _compute_nparams_toprune(amount: Any, tensor_size: int) -> int:
    """Return how many of tensor_size parameters to prune."""
    return amount if isinstance(amount, numbers.Integral) else round(amount * tensor_size)  # type: ignore[return-value]


def _validate_structured_pruning(t: Tensor) -> None:
    """Raise if t has no channels."""
    if t.ndim <= 1:
        raise ValueError(
            "Structured pruning can only be applied to multidimensional tensors. Found tensor of shape "
            f"{t.shape} with {t.ndim} dims"
        )


def _validate_pruning_dim(t: Tensor, dim: int) -> None:
    """Raise if t has no dimension `dim`."""
    if dim >= t.ndim:
        raise DimError(f"Invalid index {dim} for tensor of size {t.shape}")


def _compute_norm(t: Tensor, n: Any, dim: int) -> Tensor:
    """Return the norms of order n of the channels along `dim`."""
    return norm(t, n, [i for i in range(t.ndim) if i != dim % t.ndim])


class RandomUnstructured(_ByAmount):
    """Prune random elements: see `random_unstructured`. Source: torch.nn.utils.prune.RandomUnstructured."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return _mask_out(default_mask, self._count(t.numel()), lambda: rand_like(t), largest=True)


class L1Unstructured(_ByAmount):
    """Prune the elements nearest to 0: see `l1_unstructured`. Source: torch.nn.utils.prune.L1Unstructured."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return _mask_out(default_mask, self._count(t.numel()), t.abs, largest=False)

    @classmethod
    def apply(  # type: ignore[override]
        cls, module: Module, name: str, amount: Any, importance_scores: Tensor | None = None
    ) -> Any:
        return super().apply(module, name, amount=amount, importance_scores=importance_scores)


def _mask_out(mask: Tensor, count: int, scores: Any, largest: bool) -> Tensor:
    """Return a copy of the mask with 0 at the `count` largest, or least, scores."""
    mask = mask.clone()
    if count:
        mask.view(-1)[topk(scores().reshape(-1), count, largest=largest).indices] = 0
    return mask


class _Structured(_ByAmount):
    """Base class of methods that prune channels along `dim`."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: Any, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        _validate_structured_pruning(t)
        _validate_pruning_dim(t, self.dim)
        size = t.shape[self.dim]
        count = self._count(size)
        if not count:
            return default_mask
        mask = zeros_like(t)
        mask[at_axis(self.dim % t.ndim, self._kept(t, size, count))] = 1
        return mask * default_mask.to(mask.dtype)

    @abstractmethod
    def _kept(self, t: Tensor, size: int, count: int) -> Any:
        """Return an index of the channels that stay when `count` of them are pruned."""


class RandomStructured(_Structured):
    """Prune random channels along `dim`: see `random_structured`. Source: torch.nn.utils.prune.RandomStructured."""

    def _kept(self, t: Tensor, size: int, count: int) -> Any:
        drawn = rand(size)
        return drawn > kthvalue(drawn, count).values


class LnStructured(_Structured):
    """Prune the channels along `dim` with the least norms of order n: see `ln_structured`.

    Source: torch.nn.utils.prune.LnStructured.
    """

    def __init__(self, amount: Any, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def _kept(self, t: Tensor, size: int, count: int) -> Any:
        return topk(_compute_norm(t, self.n, self.dim), size - count).indices

    @classmethod
    def apply(  # type: ignore[override]
        cls, module: Module, name: str, amount: Any, n: Any, dim: int, importance_scores: Tensor | None = None
    ) -> Any:
        return super().apply(module, name, amount=amount, n=n, dim=dim, importance_scores=importance_scores)


class CustomFromMask(BasePruningMethod):
    """Prune by a given mask: see `custom_from_mask`. Source: torch.nn.utils.prune.CustomFromMask."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if default_mask.shape != self.mask.shape:
            raise AssertionError(
                f"default_mask shape {default_mask.shape} must match self.mask shape {self.mask.shape}"
            )
        return default_mask * self.mask.to(default_mask.dtype)


def identity(module: M, name: str) -> M:
    """Give a parameter a mask of ones. Source: torch.nn.utils.prune.identity.

    >>> nn.utils.prune.identity(nn.Linear(2, 1), "weight").weight_mask
    tensor([[1., 1.]])
    """
    Identity.apply(module, name)
    return module


def random_unstructured(module: M, name: str, amount: Any) -> M:
    """Prune `amount`, a number or a fraction, of a parameter's elements at random.

    Raises ValueError for an amount out of range. Source: torch.nn.utils.prune.random_unstructured.

    >>> layer = nn.utils.prune.random_unstructured(nn.Linear(2, 3), "weight", amount=2)
    >>> int((layer.weight == 0).sum()), list(layer.state_dict())
    (2, ['bias', 'weight_orig', 'weight_mask'])
    """
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: M, name: str, amount: Any, importance_scores: Tensor | None = None) -> M:
    """Prune `amount`, a number or a fraction, of a parameter's elements: those with the least absolute value.

    With importance_scores, those with the least absolute score are pruned. Raises ValueError for an amount out of
    range, AssertionError for scores of another shape. Source: torch.nn.utils.prune.l1_unstructured.

    >>> layer = nn.utils.prune.l1_unstructured(nn.Linear(2, 3), "weight", amount=0.5)
    >>> int((layer.weight == 0).sum())
    3
    """
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: M, name: str, amount: Any, dim: int) -> M:
    """Prune `amount`, a number or a fraction, of the channels along `dim` at random.

    Raises ValueError for vectors, IndexError for a dim out of range. Source: torch.nn.utils.prune.random_structured.

    >>> layer = nn.utils.prune.random_structured(nn.Linear(2, 3), "weight", amount=1, dim=1)
    >>> layer.weight_mask.sum(0).sort().values
    tensor([0., 3.])
    """
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(module: M, name: str, amount: Any, n: Any, dim: int, importance_scores: Tensor | None = None) -> M:
    """Prune `amount`, a number or a fraction, of the channels along `dim`: those with the least norms of order n.

    Raises as random_structured does. Source: torch.nn.utils.prune.ln_structured.

    >>> layer = nn.utils.prune.ln_structured(nn.Linear(2, 3), "weight", amount=1, n=2, dim=0)
    >>> int((layer.weight == 0).all(1).sum())
    1
    """
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: dict[tuple[Module, str], Tensor] | None = None,
    **kwargs: Any,
) -> None:
    """Prune several parameters, given as (module, name) pairs, as if they were one.

    Raises TypeError for a method that isn't unstructured. Source: torch.nn.utils.prune.global_unstructured.

    >>> net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    >>> places = [(net[0], "weight"), (net[1], "weight")]
    >>> nn.utils.prune.global_unstructured(places, nn.utils.prune.L1Unstructured, amount=3)
    >>> int(sum((layer.weight == 0).sum() for layer in net))
    3
    """
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    places = list(parameters)
    importance = parameters_to_vector([scores.get((m, name), getattr(m, name)) for m, name in places])
    default = parameters_to_vector([getattr(m, f"{name}_mask", ones_like(getattr(m, name))) for m, name in places])
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            f'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method {pruning_method} of '
            f"type {method.PRUNING_TYPE}"
        )
    method._tensor_name = "temp"
    mask, start = PruningContainer(method).compute_mask(importance.detach(), default), 0
    for module, name in places:
        weight = getattr(module, name)
        custom_from_mask(module, name, mask=mask[start : start + weight.numel()].view_as(weight))
        start += weight.numel()


def custom_from_mask(module: M, name: str, mask: Tensor) -> M:
    """Prune a parameter where mask is 0.

    Raises AssertionError if its shape isn't the parameter's. Source: torch.nn.utils.prune.custom_from_mask.

    >>> layer = nn.utils.prune.custom_from_mask(nn.Linear(2, 1), "weight", torch.tensor([[1, 0]]))
    >>> layer.weight_mask
    tensor([[1., 0.]])
    """
    CustomFromMask.apply(module, name, mask)
    return module


def remove(module: M, name: str) -> M:
    """Make the pruned weight a parameter again. Raises ValueError if it isn't pruned.

    Source: torch.nn.utils.prune.remove.

    >>> layer = nn.utils.prune.l1_unstructured(nn.Linear(2, 3), "weight", amount=0.5)
    >>> list(nn.utils.prune.remove(layer, "weight").state_dict())
    ['bias', 'weight']
    """
    for i, hook in module._forward_pre_hooks.items():
        if _is_pruning_hook(hook, name):
            hook.remove(module)
            del module._forward_pre_hooks[i]
            return module
    raise ValueError(f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed")


def is_pruned(module: Module) -> bool:
    """Whether any parameter of a module or its descendants is pruned. Source: torch.nn.utils.prune.is_pruned.

    >>> nn.utils.prune.is_pruned(nn.utils.prune.identity(nn.Linear(2, 1), "weight"))
    True
    """
    hooks = (hook for m in module.modules() for hook in vars(m).get("_forward_pre_hooks", {}).values())
    return any(isinstance(hook, BasePruningMethod) for hook in hooks)
