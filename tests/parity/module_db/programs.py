"""A layer built and called in one library, and the programs that both libraries run."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from torch.testing._internal.common_modules import FunctionInput, ModuleInput
from torch.testing._internal.opinfo.core import SampleInput

import microgad
from tests.parity.op_db.programs import SEED
from tests.parity.op_db.swap import Copies, Swapped

PLAIN = (int, float, str, bool, tuple, list, type(None))
STREAM_BYTES = 5019  # bytes of a generator's state without the cached normal number, whose last bits may differ


@dataclass
class Sample:
    """A layer's class and the arguments of its constructor and forward."""

    cls: Any
    constructor: FunctionInput
    arguments: SampleInput | None  # of forward, all in args and kwargs: its input is None
    dtype: Any
    training: bool = True
    described: str = ""
    factory: dict[str, Any] = field(default_factory=dict)  # dtype and device for the constructor

    @classmethod
    def of(cls, module: Any, inputs: ModuleInput, dtype: Any, training: bool) -> Sample:
        args = inputs.forward_input
        arguments = None if args is None else SampleInput(None, args=tuple(args.args), kwargs=dict(args.kwargs))
        return cls(module, inputs.constructor_input, arguments, dtype, training, inputs.desc)

    @functools.cached_property
    def settings(self) -> list[str]:
        """The names of the settings that torch's layer has as attributes."""
        module = Built(self, Copies()).module
        names = [name for name, value in vars(module).items() if not name.startswith("_") and isinstance(value, PLAIN)]
        return sorted({*names, *getattr(module, "__constants__", ())})

    def noncontiguous(self) -> Sample:
        """The same with noncontiguous arguments of forward."""
        return replace(self, arguments=self.arguments and self.arguments.noncontiguous())

    def summary(self) -> str:
        args = [*map(repr, self.constructor.args), *(f"{k}={v!r}" for k, v in self.constructor.kwargs.items())]
        inputs = self.arguments.summary().partition("args=")[2] if self.arguments else ""
        mode = "" if self.training else ", eval"
        return f"{self.cls.__name__}({', '.join(args)}){self.described and ' ' + self.described}{mode}; {inputs}"


class Built:
    """A layer of one library, made when it is first needed, and the arguments of its forward."""

    def __init__(self, sample: Sample, copies: Copies, seed: int = SEED) -> None:
        self.sample, self.copies, self.lib, self.seed = sample, copies, copies.lib, seed
        given = sample.arguments
        self.args, self.kwargs = copies((given.args, given.kwargs)) if given else ((), {})
        self.inputs = list(copies.tensors)
        # a leaf that requires grad can't be written to
        if sample.constructor.kwargs.get("inplace") and copies.requires_grad:
            self.args = tuple(x.clone() if isinstance(x, self.lib.Tensor) else x for x in self.args)

    @functools.cached_property
    def module(self) -> Any:
        sample = self.sample
        args, kwargs = self.copies((tuple(sample.constructor.args), {**sample.constructor.kwargs, **sample.factory}))
        self.lib.default_generator.manual_seed(self.seed)
        module = getattr(self.lib.nn, sample.cls.__name__)(*args, **kwargs)
        return module.to(self.copies(sample.dtype)).train(sample.training)

    @property
    def tensors(self) -> list[Any]:
        return [*self.inputs, *self.module.parameters()]

    def process(self, result: Any) -> Any:
        return result

    def __call__(self, f: Callable[..., Any]) -> Any:
        module = self.module
        self.lib.default_generator.manual_seed(SEED)
        return f(module, *self.args, **self.kwargs)


class FromTorchState(Built):
    """A layer whose initial values microgad takes from torch, because normal numbers differ in their last bits."""

    @functools.cached_property
    def module(self) -> Any:
        made = super().module
        if isinstance(self.copies, Swapped):
            theirs = Built(self.sample, Copies(), self.seed).module.state_dict()
            made.load_state_dict({name: microgad.from_numpy(t.numpy().copy()) for name, t in theirs.items()})
        return made


def called(module: Any, *args: Any, **kwargs: Any) -> Any:
    return module(*args, **kwargs)


def state(f: Any, call: Built) -> Any:
    """The names, parameters, buffers, submodules and state of a layer before its first call."""
    module = call.module
    stream = call.lib.get_rng_state()[:STREAM_BYTES]
    found = {} if lazy(module) else dict(module.state_dict())
    return {
        "names": list(module.state_dict()),
        "parameters": [(name, p.requires_grad) for name, p in module.named_parameters()],
        "buffers": [name for name, _ in module.named_buffers()],
        "modules": [(name, type(m).__name__, m.training) for name, m in module.named_modules()],
        "random stream": stream,
        "state": found,
    }


def printed(f: Any, call: Built) -> Any:
    return repr(call.module)


def attributes(f: Any, call: Built) -> Any:
    """The layer's settings, by their names in torch."""
    return {name: comparable(getattr(call.module, name)) for name in call.sample.settings}


def comparable(value: Any) -> Any:
    return value if isinstance(value, PLAIN) else type(value).__name__


def run(f: Any, call: Built) -> Any:
    """The result, and the arguments, state and random stream after the call."""
    result = call(f)
    stream = call.lib.get_rng_state()[:STREAM_BYTES]
    return {"result": result, "argument": call.tensors, "state": dict(call.module.state_dict()), "random": stream}


def copied(f: Any, call: Built) -> Any:
    """The results of copies, and that changes to the copies leave the original unchanged."""
    first = call.module
    if lazy(first):
        call(f)  # torch can't copy uninitialized parameters
    results = []
    for made in (copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        call.module = made
        results.append({"result": call(f), "state": dict(made.state_dict()), "repr": repr(made)})
        with call.lib.no_grad():
            for p in made.parameters():
                p.add_(1)
    call.module = first
    return {"copies": results, "result": call(f), "state": dict(first.state_dict())}


def lazy(module: Any) -> bool:
    """Whether a module has uninitialized parameters or buffers."""
    return any("Uninitialized" in type(t).__name__ for t in [*module.parameters(), *module.buffers()])


def arguments(cls: Any) -> list[tuple[str, str, Any]]:
    """The names, kinds and defaults of a constructor's parameters."""
    taken = inspect.signature(cls.__init__).parameters.values()
    return [(p.name, p.kind.name, comparable(p.default)) for p in taken if p.name not in ("args", "kwargs")]
