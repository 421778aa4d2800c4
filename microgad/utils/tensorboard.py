"""Write logs for TensorBoard with the package tensorboardX (the extra `board`). Source: torch.utils.tensorboard."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

from ..errors import MicrogadError
from ..errors.notices import once
from ..lazy import define_getattr as _define_getattr
from ..pytree import tree_map
from ..tensor import Tensor


class BoardError(MicrogadError, ImportError):
    """SummaryWriter needs tensorboardX, which isn't installed."""


def _plain(x: Any) -> Any:
    """Convert Tensors to arrays, also inside lists, tuples and dicts."""
    return tree_map(lambda leaf: leaf.detach().cpu().numpy() if isinstance(leaf, Tensor) else leaf, x)


def _of_arrays(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def called(self: Any, *args: Any, **options: Any) -> Any:
        return method(self, *map(_plain, args), **_plain(options))

    return called


class _TorchMethods:
    """What torch's SummaryWriter has and tensorboardX's lacks, or names otherwise."""

    def add_graph(self, *args: Any, **options: Any) -> None:
        once("SummaryWriter.add_graph: left out; microgad.graph draws what was recorded")

    def add_hparams(
        self, hparam_dict: Any, metric_dict: Any, hparam_domain_discrete: Any = None, run_name: Any = None,
        global_step: Any = None,
    ) -> None:  # fmt: skip
        super().add_hparams(hparam_dict, metric_dict, run_name, global_step)  # type: ignore[misc]

    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: Any = None, walltime: Any = None, new_style: bool = False,
        double_precision: bool = False,
    ) -> None:  # fmt: skip
        if isinstance(scalar_value, (list, tuple)):  # tensorboardX takes the number in one
            raise NotImplementedError(f"Got {type(scalar_value)}, but numpy array or torch tensor are expected.")
        value = float(scalar_value) if isinstance(scalar_value, str) else scalar_value
        super().add_scalar(tag, value, global_step, walltime)  # type: ignore[misc]

    def add_scalars(
        self, main_tag: str, tag_scalar_dict: dict[str, Any], global_step: Any = None, walltime: Any = None
    ) -> None:
        writer = self._get_file_writer()  # type: ignore[attr-defined]
        for tag in tag_scalar_dict:  # a run each, in the folder that PyTorch gives it; tensorboardX nests folders
            folder = f"{writer.get_logdir()}/{main_tag.replace('/', '_')}_{tag}"
            key = os.path.join(writer.get_logdir(), main_tag, tag)
            if key not in self.all_writers:  # type: ignore[attr-defined]
                options = {}
                if self._write_to_disk:  # type: ignore[attr-defined]
                    options = {
                        name: getattr(self, f"_{name}") for name in ("max_queue", "flush_secs", "filename_suffix")
                    }
                self.all_writers[key] = type(writer)(logdir=folder, **options)  # type: ignore[attr-defined]
        super().add_scalars(main_tag, tag_scalar_dict, global_step, walltime)  # type: ignore[misc]

    def get_logdir(self) -> str:
        return self.logdir  # type: ignore[attr-defined]

    log_dir = property(get_logdir)


@functools.cache
def _writer() -> Any:
    try:
        base = importlib.import_module("tensorboardX").SummaryWriter
    except ModuleNotFoundError as error:
        raise BoardError("SummaryWriter needs the package tensorboardX: pip install 'microgad[board]'") from error
    body = {name: _of_arrays(getattr(base, name)) for name in dir(base) if name.startswith("add_")}
    return type("SummaryWriter", (_TorchMethods, type("", (base,), body)), {"__module__": __name__})


class _Later(type):
    """The metaclass of SummaryWriter, for which tensorboardX's class stands in once it is used or subclassed."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> Any:
        if bases:
            return type(name, tuple(_writer() if type(base) is cls else base for base in bases), body)
        return super().__new__(cls, name, bases, body)

    def __call__(cls, *args: Any, **options: Any) -> Any:
        return _writer()(*args, **options)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_writer(), name)

    def __dir__(cls) -> Iterable[str]:
        try:
            return dir(_writer())
        except BoardError:
            return super().__dir__()

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, _writer())

    def __subclasscheck__(cls, x: type) -> bool:
        return x is cls or issubclass(x, _writer())


class SummaryWriter(metaclass=_Later):
    """tensorboardX's SummaryWriter, with add_… methods that take Tensors. add_graph only warns that it does nothing.

    Raises ImportError if tensorboardX isn't installed. Source: torch.utils.tensorboard.SummaryWriter.

    >>> torch.utils.tensorboard.SummaryWriter.__name__
    'SummaryWriter'
    """

    if TYPE_CHECKING:  # tensorboardX's class, which has no types either

        def __init__(
            self, log_dir: str | os.PathLike[str] | None = None, comment: str = "", purge_step: int | None = None,
            max_queue: int = 10, flush_secs: float = 120, filename_suffix: str = "", **options: Any,
        ) -> None: ...  # fmt: skip

        def __enter__(self) -> Self: ...

        def __exit__(self, *error: object) -> None: ...

        def __getattr__(self, name: str) -> Any: ...


_define_getattr(globals())
