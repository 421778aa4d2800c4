"""Record a PyTorch model's operations on a Tape, to compare them with microgad's. Only this module needs torch.

`capture(model, *inputs).to_json("theirs.json")` runs where torch is installed, and
`mine.diff(Tape.from_json("theirs.json"), rtol=1e-5, settings=False)` anywhere else.
"""

from __future__ import annotations

import importlib
from typing import Any

from .formulas import function_names
from .tape import Input, Op, Result, Source, Tape

# PyTorch's function -> microgad's operation, if the names differ in more than capitals and underscores.
OPERATION_NAMES = {
    "flatten": "Reshape", "view": "Reshape", "truediv": "Div", "rtruediv": "Mul", "radd": "Add", "rmul": "Mul",
    "iadd": "Add", "imul": "Mul", "t": "Permute", "transpose": "Permute", "mseloss": "SquaredError",
}  # fmt: skip


def capture(model: Any, *inputs: Any) -> Tape:
    """Return the Tape of `model(*inputs)` for a PyTorch model, with the results' values and the modules' paths.

    Each call of a PyTorch function is one operation: `torch.nn.functional.linear` is a "Linear". Raises ImportError
    without torch.
    """
    torch, overrides = (importlib.import_module(name) for name in ("torch", "torch.overrides"))
    recorder = _TorchRecorder(torch, model)

    class Capturing(overrides.TorchFunctionMode):  # type: ignore[misc, name-defined]
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = function(*args, **(kwargs or {}))
            recorder.add(function, args, kwargs or {}, out)
            return out

    handles = [
        handle
        for path, module in model.named_modules()
        for handle in (
            module.register_forward_pre_hook(lambda *_, path=path: recorder.paths.append(path)),
            module.register_forward_hook(lambda *_: recorder.paths.pop() and None),
        )
    ]
    try:
        with Capturing():
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return recorder.finished()


class _TorchRecorder:
    """Builds the Tape from the calls of PyTorch functions."""

    def __init__(self, torch: Any, model: Any) -> None:
        self.torch = torch
        self.tape = Tape([], [], [])
        self.names = {name.lower(): name for name in function_names()}
        self.paths: list[str] = []  # of the modules that are running
        self.known = {id(p): name for name, p in [*model.named_parameters(), *model.named_buffers()]}
        self.tape.names += self.known.values()
        self.made: dict[int, tuple[int, int]] = {}  # id of a Tensor -> number of its Op or Source, and which result
        self.held: list[Any] = []  # keeps Tensors alive, so that their ids stay valid

    def add(self, function: Any, args: Any, kwargs: dict[str, Any], out: Any) -> None:
        """Add a call of a PyTorch function to the tape, if its results are Tensors."""
        results = list(out) if isinstance(out, (tuple, list)) else [out]
        if getattr(function, "__name__", "__get__") == "__get__" or not all(map(self.torch.is_tensor, results)):
            return
        read = [self.input(x) for x in (*args, *kwargs.values()) if self.torch.is_tensor(x)]
        spelled = function.__name__.strip("_").replace("_", "")
        name = OPERATION_NAMES.get(spelled) or self.names.get(spelled) or function.__name__
        if name == "BatchNorm" and not kwargs.get("training", args[5] if len(args) > 5 else False):
            name = "FixedBatchNorm"  # it uses the running statistics
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
