"""The annotations of modules' attributes, for programs that read them."""

from __future__ import annotations

_PLAIN = {kind.__name__: kind for kind in (bool, int, float, str)}


def keep_plain_annotations(cls: type) -> None:
    """Leave those annotations of a class that are Python's own types, as in PyTorch, as the types themselves.

    Others are strings with names that a caller of `typing.get_type_hints` on a module, such as fastai, doesn't have.
    """
    if own := vars(cls).get("__annotations__"):
        cls.__annotations__ = {name: _PLAIN[said] for name, said in own.items() if said in _PLAIN}
