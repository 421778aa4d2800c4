"""torch.utils.module_tracker: know which modules are running, in forward and in backward passes."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from ..autograd.graph import register_multi_grad_hook
from ..autograd.variable import Variable
from ..engine import backward_pass
from ..engine.hooks import RemovableHandle
from ..lazy import define_getattr as _define_getattr
from ..nn.modules.module import Module, register_module_forward_hook, register_module_forward_pre_hook
from ..tensor import Tensor
from ._pytree import tree_flatten


class ModuleTracker:
    """Keeps in `parents`, during a block, the names of modules that are being called or whose derivatives are computed.

    "Global" is always among them. A top-level module has its class's name, and modules inside of it names such as
    "Net.features.0". In a backward pass a module is running from the gradient of its output until all gradients of its
    inputs are there or, if no input requires grad, until the pass ends. Source: torch.utils.module_tracker.

    >>> from microgad.utils.module_tracker import ModuleTracker
    >>> class Net(nn.Sequential):
    ...     def forward(self, x):
    ...         print(sorted(tracker.parents), tracker.is_bw)
    ...         return super().forward(x)
    >>> with ModuleTracker() as tracker:
    ...     _ = nn.Sequential(Net(nn.ReLU()))(torch.ones(2))
    ['Global', 'Sequential', 'Sequential.0'] False
    """

    def __init__(self) -> None:
        self.parents = {"Global"}
        self._names: WeakKeyDictionary[Module, str] = WeakKeyDictionary()
        self._handles: list[RemovableHandle] = []
        self._resets = False  # whether `parents` will be reset when the current backward pass ends

    @property
    def is_bw(self) -> bool:
        """Whether a backward pass is running."""
        return backward_pass.current_pass() is not None

    def __enter__(self) -> ModuleTracker:
        self._handles += register_module_forward_pre_hook(self._before), register_module_forward_hook(self._after)
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _name(self, module: Module) -> str:
        if module not in self._names:
            whole = type(module).__name__
            for path, inner in module.named_modules():
                self._names[inner] = f"{whole}.{path}" if path else whole
        return self._names[module]

    def _before(self, module: Module, args: Any) -> None:
        name = self._name(module)
        self.parents.add(name)
        self._when_derived(args, lambda grads: self.parents.discard(name))

    def _after(self, module: Module, args: Any, output: Any) -> None:
        name = self._name(module)
        self.parents.discard(name)
        self._when_derived(output, lambda grads: self._begin(name))

    def _when_derived(self, values: Any, hook: Any) -> None:
        """Call `hook` when the gradients of all Tensors among the values are known."""
        wanting = [x for x in tree_flatten(values)[0] if isinstance(x, Tensor) and x.requires_grad]
        if wanting:
            self._handles.append(register_multi_grad_hook(wanting, hook))

    def _begin(self, name: str) -> None:
        if not self._resets:
            Variable._execution_engine.queue_callback(self._reset)
            self._resets = True
        self.parents.add(name)

    def _reset(self) -> None:
        self.parents, self._resets = {"Global"}, False


_define_getattr(globals())
