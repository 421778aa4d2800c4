"""The calls of a model's layers, with shapes, parameters and multiply-adds as torchinfo counts them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...errors import GraphError
from ...nn.modules.module import Module
from ...tensor import Tensor


class LayerInfo:
    """One call of a layer, or a container whose layers are called but not itself. Source: torchinfo.LayerInfo."""

    def __init__(self, module: Module, name: str, depth: int, parent: LayerInfo | None = None) -> None:
        self.module, self.var_name, self.depth, self.parent_info = module, name, depth, parent
        self.class_name = type(module).__name__
        self.is_leaf_layer = not any(True for _ in module.children())
        self.is_recursive = False
        self.depth_index = 0
        self.children: list[LayerInfo] = []  # all layers inside, at any depth
        self._leftovers: dict[str, int] = {}
        self.input_size: list[int] = []
        self.output_size: list[int] = []
        self.output_bytes = self.macs = 0

    @property
    def parameters(self) -> dict[str, Any]:
        """The layer's parameters and those of all layers inside, without uninitialized ones."""
        known = self.module.named_parameters()
        return {name: p for name, p in known if not type(p).__name__.startswith("Uninitialized")}

    @property
    def num_params(self) -> int:
        """The number of elements of its parameters."""
        return sum(p.numel() for p in self.parameters.values())

    @property
    def trainable_params(self) -> int:
        """The number of elements of its parameters that require grad."""
        return sum(p.numel() for p in self.parameters.values() if p.requires_grad)

    @property
    def param_bytes(self) -> int:
        """The bytes of its parameters."""
        return sum(p.numel() * p.element_size() for p in self.parameters.values())

    @property
    def trainable(self) -> str:
        """ "True", "False" or "Partial", or "--" if the layer has no parameters."""
        if not self.num_params:
            return "--"
        return {0: "False", self.num_params: "True"}.get(self.trainable_params, "Partial")

    @property
    def kernel_size(self) -> Any:
        """The layer's kernel_size, as a list if it has several numbers."""
        size = getattr(self.module, "kernel_size", None)
        return list(size) if isinstance(size, Iterable) else size

    def leftover(self, count: str) -> int:
        """Return one of its counts without those of the listed layers inside."""
        if count not in self._leftovers:  # each level asks for it again
            inside = (x.num(count) for x in self.children if not x.is_recursive)
            self._leftovers[count] = int(getattr(self, count) - sum(inside))
        return self._leftovers[count]

    def num(self, count: str) -> int:
        """Return one of its counts, for a sum over all layers."""
        return int(getattr(self, count)) if self.is_leaf_layer else self.leftover(count)

    def record_call(self, inputs: Any, output: Any, batch_dim: int | None) -> None:
        """After its forward, note the sizes, and count multiply-adds from the parameters, as torchinfo does."""
        self.input_size, _ = _size(inputs, batch_dim)
        self.output_size, width = _size(output, batch_dim)
        self.output_bytes = width * math.prod(self.output_size)
        for name, p in self.parameters.items():
            if name not in ("weight", "bias"):
                self.macs += math.prod(self.output_size[:2]) * p.numel() if "weight" in name or "bias" in name else 0
            elif "Conv" in self.class_name:
                self.macs += p.numel() * math.prod(self.output_size[:1] + self.output_size[2:])
            elif self.output_size:
                self.macs += self.output_size[0] * p.numel()

    def title(self, rows: set[str]) -> str:
        """Return the text of the first column, such as "Conv2d (0): 2-1"."""
        words = self.class_name + (f" ({self.var_name})" if "var_names" in rows and self.var_name else "")
        return words + (f": {self.depth}-{self.depth_index}" if "depth" in rows and self.depth else "")

    def cells(self, deepest: bool, total: int) -> dict[str, str]:
        """Return the other columns. If it is `deepest`, layers inside aren't shown but included in its counts."""
        own = self.num_params if deepest or self.is_leaf_layer else self.leftover("num_params")
        inside = sum(x.macs for x in self.children if x.is_leaf_layer)
        macs = self.macs if self.is_leaf_layer else inside if deepest and self.macs else 0
        params = "--"
        if self.num_params and self.is_recursive:
            params = "(recursive)"
        elif own > 0:
            whole = deepest or self.is_leaf_layer
            params = f"({own:,})" if whole and not self.trainable_params else f"{own:,}"
        if self.is_recursive and total:
            percent = "(recursive)"
        elif own and total:
            percent = f"{own / total:>7.2%}"
        else:
            percent = "     --"
        return {
            "kernel_size": str(self.kernel_size or "--"), "input_size": str(self.input_size or "--"),
            "output_size": str(self.output_size or "--"), "num_params": params, "params_percent": percent,
            "mult_adds": f"{macs:,}" if macs else "--", "trainable": self.trainable,
        }  # fmt: skip


def collect_layers(model: Module, call: Callable[[], Any] | None, batch_dim: int | None) -> list[LayerInfo]:
    """Return the layers in the order of their calls, if there is a `call` of the model, else of their registration."""
    places: dict[int, LayerInfo] = {}  # id of a module -> the last place where it is registered
    order: list[LayerInfo] = []
    stack = [LayerInfo(model, type(model).__name__, 0)]
    while stack:
        layer = stack.pop()
        places[id(layer.module)] = layer
        order.append(layer)
        inside = reversed([(name, x) for name, x in layer.module._modules.items() if x is not None])
        stack += [LayerInfo(x, name, layer.depth + 1, layer) for name, x in inside]
    order = _marked(order) if call is None else _with_containers(_marked(_called_layers(call, batch_dim, places)))
    counts: dict[int, int] = {}
    around: list[LayerInfo] = []
    for layer in order:
        layer.depth_index = counts[layer.depth] = counts.get(layer.depth, 0) + 1
        layer.children = []
        around = [above for above in around if above.depth < layer.depth]
        for above in around:
            above.children.append(layer)
        around.append(layer)
    return order


def _called_layers(call: Callable[[], Any], batch_dim: int | None, places: dict[int, LayerInfo]) -> list[LayerInfo]:
    """Make a call of the model, and return the calls of layers in their order. `places` are by the modules' ids."""
    called: list[LayerInfo] = []
    running: list[LayerInfo] = []

    def before(module: Module, inputs: Any) -> None:
        place = places[id(module)]
        running.append(LayerInfo(module, place.var_name, place.depth, place.parent_info))
        called.append(running[-1])

    def after(module: Module, inputs: Any, output: Any) -> None:
        running.pop().record_call(inputs, output, batch_dim)

    handles: list[Any] = []
    for place in places.values():
        handles += [place.module.register_forward_pre_hook(before), place.module.register_forward_hook(after)]
    try:
        call()
    except Exception as error:
        done = [layer.title({"depth"}) for layer in called if layer not in running]
        raise GraphError(f"summary: the model failed, after {', '.join(done) or 'no layer'}: {error}") from error
    finally:
        for handle in handles:
            handle.remove()
    return called


def _marked(layers: list[LayerInfo]) -> list[LayerInfo]:
    """Mark the layers whose module was listed before as recursive."""
    seen: set[int] = set()
    for layer in layers:
        layer.is_recursive = id(layer.module) in seen
        seen.add(id(layer.module))
    return layers


def _with_containers(called: list[LayerInfo]) -> list[LayerInfo]:
    """Insert containers that aren't called themselves, such as ModuleList, before their layers.

    As in torchinfo, a container that is shown several times is one object, which isn't counted.
    """
    rows: list[LayerInfo] = []
    seen = {id(layer.module) for layer in called}
    open_: dict[int, Module] = {}
    for layer in called:
        around, above = [layer], layer.parent_info
        while above is not None and above.depth:
            around.append(above)
            above = above.parent_info
        for row in reversed(around):
            if row is not layer:
                if open_.get(row.depth) is row.module:
                    continue
                row.is_recursive = id(row.module) in seen
                seen.add(id(row.module))
            rows.append(row)
            open_ = {d: m for d, m in open_.items() if d < row.depth} | {row.depth: row.module}
    return rows


def _size(x: Any, batch_dim: int | None) -> tuple[list[int], int]:
    """Return the shape of the first Tensor in a value (the last one of a dict), and the bytes of one element."""
    while not hasattr(x, "shape"):
        if isinstance(x, Mapping):
            x = list(x.values())[-1:]
        elif hasattr(x, "data"):
            x = x.data
        elif isinstance(x, (list, tuple)) and x:
            x = x[0]
        else:
            return [], 0
    shape = list(x.shape)
    if batch_dim is not None and batch_dim < len(shape):
        shape[batch_dim] = 1
    return shape, x.element_size() if isinstance(x, Tensor) else x.itemsize
