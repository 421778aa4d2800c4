"""A Tape of a PyTorch model's operations, to be compared with microgad's. Torch is needed here alone.

Where it is installed, `capture(model, *inputs).to_json("theirs.json")`; anywhere else
`mine.diff(Tape.from_json("theirs.json"), rtol=1e-5, settings=False)`.
"""

from __future__ import annotations

import importlib
from typing import Any

from .formulas import function_names
from .tape import Input, Op, Result, Source, Tape

# What PyTorch's functions are called in microgad, where that isn't the same but for capitals and underscores.
CALLED = {
    "flatten": "Reshape", "view": "Reshape", "truediv": "Div", "rtruediv": "Mul", "radd": "Add", "rmul": "Mul",
    "iadd": "Add", "imul": "Mul", "t": "Permute", "transpose": "Permute", "mseloss": "SquaredError",
}  # fmt: skip


def capture(model: Any, *inputs: Any) -> Tape:
    """The Tape of `model(*inputs)`, both PyTorch's: each call of its functions, with values and the modules' paths.

    A function that is one call is one operation: `torch.nn.functional.linear` is a "Linear". Raises ImportError without
    torch.
    """
    torch, overrides = (importlib.import_module(name) for name in ("torch", "torch.overrides"))
    seen = _Seen(torch, model)

    class Capturing(overrides.TorchFunctionMode):  # type: ignore[misc, name-defined]
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = function(*args, **(kwargs or {}))
            seen.note(function, args, kwargs or {}, out)
            return out

    handles = [
        handle
        for path, module in model.named_modules()
        for handle in (
            module.register_forward_pre_hook(lambda *_, path=path: seen.paths.append(path)),
            module.register_forward_hook(lambda *_: seen.paths.pop() and None),
        )
    ]
    try:
        with Capturing():
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return seen.finished()


class _Seen:
    """What a model has called so far, as a Tape."""

    def __init__(self, torch: Any, model: Any) -> None:
        self.torch = torch
        self.tape = Tape([], [], [])
        self.names = {name.lower(): name for name in function_names()}
        self.paths: list[str] = []  # of the modules that are at work
        self.known = {id(p): name for name, p in [*model.named_parameters(), *model.named_buffers()]}
        self.made: dict[int, tuple[int, int]] = {}  # by a Tensor's id
        self.held: list[Any] = []  # so that no id is another's

    def note(self, function: Any, args: Any, kwargs: dict[str, Any], out: Any) -> None:
        """A call of one of PyTorch's functions."""
        results = list(out) if isinstance(out, (tuple, list)) else [out]
        if getattr(function, "__name__", "__get__") == "__get__" or not all(map(self.torch.is_tensor, results)):
            return
        read = [self.input(x) for x in (*args, *kwargs.values()) if self.torch.is_tensor(x)]
        spelled = function.__name__.strip("_").replace("_", "")
        name = CALLED.get(spelled) or self.names.get(spelled) or function.__name__
        if name == "BatchNorm" and not kwargs.get("training", args[5] if len(args) > 5 else False):
            name = "FixedBatchNorm"  # by running statistics
        op = Op(
            len(self.tape), name, "", self.paths[-1] if self.paths else "", {}, read,
            [tuple(x.shape) for x in results], [_dtype(x) for x in results], [], False,
        )  # fmt: skip
        op.values = [x.detach().cpu().numpy().copy() for x in results]
        self.tape.add(op)
        for i, x in enumerate(results):
            self.made[id(x)] = op.number, i
        self.held += results

    def input(self, x: Any) -> Input:
        if id(x) not in self.made:
            kind: Any = "parameter" if isinstance(x, self.torch.nn.Parameter) else "constant"
            number = -1 - len(self.tape.sources)
            source = Source(number, kind, self.known.get(id(x), ""), tuple(x.shape), _dtype(x))
            source.array = x.detach().cpu().numpy().copy()
            self.tape.add(source)
            self.made[id(x)] = number, 0
            self.held.append(x)
        return Input("", *self.made[id(x)], tuple(x.shape), _dtype(x))

    def finished(self) -> Tape:
        read = {(x.source, x.index) for op in self.tape for x in op.inputs}
        for op in self.tape:
            for i, (shape, dtype) in enumerate(zip(op.shapes, op.dtypes, strict=True)):
                if (op.number, i) not in read:
                    self.tape.results.append(Result(op.number, i, "", shape, dtype))
        return self.tape


def _dtype(x: Any) -> str:
    return str(x.dtype).removeprefix("torch.")
