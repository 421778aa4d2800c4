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
    capturing = _mode()(model)
    handles = [
        handle
        for path, module in model.named_modules()
        for handle in (
            module.register_forward_pre_hook(lambda *_, path=path: capturing.paths.append(path)),
            module.register_forward_hook(lambda *_: capturing.paths.pop() and None),
        )
    ]
    try:
        with capturing:
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return capturing.finished()


def _mode() -> Any:
    """The class, made when torch is there to inherit from."""
    torch = importlib.import_module("torch")
    overrides = importlib.import_module("torch.overrides")
    names = {name.lower(): name for name in function_names()}

    class Capturing(overrides.TorchFunctionMode):  # type: ignore[misc, name-defined]
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.tape = Tape([], [], [])
            self.paths: list[str] = []
            self.known = {id(p): name for name, p in [*model.named_parameters(), *model.named_buffers()]}
            self.made: dict[int, tuple[int, int]] = {}  # by a Tensor's id
            self.held: list[Any] = []  # so that no id is another's

        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = function(*args, **(kwargs or {}))
            results = list(out) if isinstance(out, (tuple, list)) else [out]
            if getattr(function, "__name__", "__get__") == "__get__" or not all(map(torch.is_tensor, results)):
                return out
            given = [x for x in (*args, *(kwargs or {}).values()) if torch.is_tensor(x)]
            spelled = function.__name__.strip("_").replace("_", "")
            name = CALLED.get(spelled) or names.get(spelled) or function.__name__
            if name == "BatchNorm" and not (kwargs or {}).get("training", args[5] if len(args) > 5 else False):
                name = "FixedBatchNorm"  # by running statistics
            read = [self.input(x) for x in given]
            op = Op(
                len(self.tape), name, "", self.paths[-1] if self.paths else "", {}, read,
                [tuple(x.shape) for x in results], [_dtype(x) for x in results], [], False,
            )  # fmt: skip
            op.values = [x.detach().cpu().numpy().copy() for x in results]
            self.tape.add(op)
            for i, x in enumerate(results):
                self.made[id(x)] = op.number, i
            self.held += results
            return out

        def input(self, x: Any) -> Input:
            if id(x) not in self.made:
                kind: Any = "parameter" if isinstance(x, torch.nn.Parameter) else "constant"
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

    return Capturing


def _dtype(x: Any) -> str:
    return str(x.dtype).removeprefix("torch.")
