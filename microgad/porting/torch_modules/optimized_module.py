"""OptimizedModule, the wrapper that `torch.compile` puts around a module, with the names of PyTorch's checkpoints."""

from __future__ import annotations

from typing import Any

from ...nn import Module


class OptimizedModule(Module):
    """Wrapper of the module `_orig_mod`. Calls and attributes go to that module; names get the prefix "_orig_mod.".

    Source: torch._dynamo.eval_frame.OptimizedModule.

    >>> compiled = OptimizedModule(nn.Linear(1, 1))
    >>> list(compiled.state_dict()), compiled.in_features
    (['_orig_mod.weight', '_orig_mod.bias'], 1)
    """

    def __init__(self, mod: Module) -> None:
        super().__init__()
        del vars(self)["training"]
        self._modules["_orig_mod"] = mod  # keeps the module's path, which drawings show

    @property
    def training(self) -> bool:
        """Whether the module is in training mode."""
        return self._orig_mod.training

    @training.setter
    def training(self, mode: bool) -> None:
        self._orig_mod.training = mode

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self._orig_mod(*args, **kwargs)

    def __len__(self) -> int:
        return len(self._orig_mod)

    def __getattr__(self, name: str) -> Any:
        if "_modules" not in vars(self):  # of an object that is being copied or loaded
            raise AttributeError(name)
        mod = self._modules["_orig_mod"]
        return mod if name == "_orig_mod" else getattr(mod, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_orig_mod":
            self._modules[name] = value
        elif hasattr(type(self), name):
            super().__setattr__(name, value)
        else:
            setattr(self._orig_mod, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._orig_mod, name)
