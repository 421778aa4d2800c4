"""What programs and Python read off a layer's class, as it is in PyTorch: annotations, and the name of `__init__`."""

from __future__ import annotations

from types import FunctionType

_PLAIN = {kind.__name__: kind for kind in (bool, int, float, str)}


def keep_plain_annotations(cls: type) -> None:
    """Leave those annotations of a class that are Python's own types, as in PyTorch, as the types themselves.

    Others are strings with names that a caller of `typing.get_type_hints` on a module, such as fastai, doesn't have.
    """
    if own := vars(cls).get("__annotations__"):
        cls.__annotations__ = {name: _PLAIN[said] for name, said in own.items() if said in _PLAIN}


def name_init(cls: type) -> None:
    """Give a public class that inherits `__init__` from a private one a copy of it that is named after the class.

    Python then names the class in its errors about arguments, as in PyTorch, which has an `__init__` for each class.
    """
    init = cls.__init__  # type: ignore[misc]
    if "__init__" in vars(cls) or cls.__name__.startswith("_") or not init.__qualname__.startswith("_"):
        return
    own = FunctionType(init.__code__, init.__globals__, "__init__", init.__defaults__, init.__closure__)
    own.__kwdefaults__, own.__annotations__, own.__doc__ = init.__kwdefaults__, init.__annotations__, init.__doc__
    own.__qualname__ = f"{cls.__qualname__}.__init__"
    cls.__init__ = own  # type: ignore[misc]
