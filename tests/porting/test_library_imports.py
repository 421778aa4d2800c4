"""What libraries check about an installed PyTorch and do with its names when they are imported."""

from __future__ import annotations

import warnings
from collections import deque
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import microgad as torch
from microgad.errors import missing
from microgad.utils import flop_counter
from microgad.utils._pytree import (
    LeafSpec,
    keystr,
    register_pytree_node,
    tree_flatten,
    tree_flatten_with_path,
    tree_leaves_with_path,
    tree_map,
    tree_map_with_path,
    tree_unflatten,
)

from ..processes import output_of, run_module


def run(program: str) -> str:
    result = run_module("microgad", "-c", program)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_package_metadata_and_module_name_are_torchs() -> None:
    program = """
import importlib.metadata as metadata
import torch, torchvision
print(torch.__name__, metadata.version("torch") == torch.__version__, metadata.version("torchvision"))
print(set(metadata.packages_distributions()["torch"]), metadata.distribution("torch").files)
from torch import Absentee
print(hasattr(torch, "Absentee"), Absentee)
"""
    expected = "torch True 0.28.0\n{'torch'} None\nFalse <microgad has no Absentee>\n"
    assert run(program) == expected
    code = "import microgad\nwith microgad.as_torch(): pass\nprint(microgad.__name__, microgad.nn.Linear)"
    assert output_of(code) == "microgad <class 'microgad.nn.modules.linear.Linear'>\n"


def test_types_belong_to_torch_modules() -> None:
    """opt_einsum, autoray and tensorly look up the module of a Tensor's type, and programs print types."""
    program = """
import inspect, pickle, torch
from torch import nn
for layer in (nn.Linear, nn.LazyLinear, nn.LazyConvTranspose2d, nn.Flatten, nn.Softmax, nn.MSELoss,
              nn.MultiheadAttention, nn.ParameterList, nn.Module):
    print(layer, pickle.loads(pickle.dumps(layer)) is layer)
print(inspect.getsource(nn.Linear)[:12])
p = nn.Parameter(torch.ones(1))
for x in (torch.ones(1), p, p.shape, p.dtype, p.device, torch.Generator()):
    print(type(x), pickle.loads(pickle.dumps(type(x))) is type(x))
class Mine(torch.Tensor): pass
class Weight(nn.Parameter): pass
print(torch.ones(1).as_subclass(Mine), p, Weight(torch.ones(1)))
from torch import *
from torch.nn.parameter import *
print(Tensor is torch.Tensor, Parameter is nn.Parameter)
optimizer = torch.optim.AdamW([p])
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
for x in (optimizer, scheduler):
    print(type(x), type(pickle.loads(pickle.dumps(x))) is type(x))
print(str(scheduler).split()[0])
for kind in (torch.no_grad, torch.autocast, nn.utils.rnn.PackedSequence, type(p.register_hook(print))):
    print(kind, pickle.loads(pickle.dumps(kind)) is kind)
"""
    expected = """<class 'torch.nn.modules.linear.Linear'> True
<class 'torch.nn.modules.linear.LazyLinear'> True
<class 'torch.nn.modules.conv.LazyConvTranspose2d'> True
<class 'torch.nn.modules.flatten.Flatten'> True
<class 'torch.nn.modules.activation.Softmax'> True
<class 'torch.nn.modules.loss.MSELoss'> True
<class 'torch.nn.modules.activation.MultiheadAttention'> True
<class 'torch.nn.modules.container.ParameterList'> True
<class 'torch.nn.modules.module.Module'> True
class Linear
<class 'torch.Tensor'> True
<class 'torch.nn.parameter.Parameter'> True
<class 'torch.Size'> True
<class 'torch.dtype'> True
<class 'torch.device'> True
<class 'torch._C.Generator'> True
Mine([1.]) Parameter containing:
tensor([1.], requires_grad=True) Parameter containing:
Parameter(Weight([1.], requires_grad=True))
True True
<class 'torch.optim.adamw.AdamW'> True
<class 'torch.optim.lr_scheduler.StepLR'> True
<torch.optim.lr_scheduler.StepLR
<class 'torch.autograd.grad_mode.no_grad'> True
<class 'torch.amp.autocast_mode.autocast'> True
<class 'torch.nn.utils.rnn.PackedSequence'> True
<class 'torch.utils.hooks.RemovableHandle'> True
"""
    assert run(program) == expected
    code = "import microgad as m\nwith m.as_torch(): print(m.Tensor)\nprint(m.Tensor)"
    assert output_of(code) == "<class 'torch.Tensor'>\n<class 'microgad.tensor.Tensor'>\n"


def test_missing_names_can_be_used_in_annotations() -> None:
    program = """
import torch
from typing import Optional, Union
from torch.nn.attention.flex_attention import BlockMask
from torch.utils.nowhere import Thing

def f(mask: torch.Tensor | BlockMask | None, thing: Union[int, "Thing[int]"], more: Thing[int]) -> Optional[Thing]: ...

try:
    Thing()
except AttributeError as error:
    print(str(error).partition(": ")[2])
print(type(f.__annotations__["more"]))  # the annotation was evaluated
"""
    expected = "microgad has no utils.nowhere.Thing\n<class 'microgad.porting.alias.MissingName'>\n"
    assert run(program) == expected


def test_names_that_torch_exposes_by_accident() -> None:
    """timm takes List from torch.jit.annotations, and kornia writes torch.torch.Tensor."""
    program = """
import torch
from torch.jit.annotations import List
import torch.jit.annotations
print(List, torch.jit.annotations.List is List, torch.torch.Tensor is torch.Tensor)
"""
    assert run(program) == "typing.List True True\n"
    program = "import microgad as m\nwith m.as_torch(): pass\nprint(hasattr(m, 'torch'))"
    assert output_of(program) == "False\n"


def test_import_error_is_raised_if_the_program_handles_it(tmp_path: Path) -> None:
    """A program that handles the ImportError of a missing name gets it; one that would raise gets a placeholder.

    PyTorch Geometric handles the error for the data pipes.
    """
    file = tmp_path / "program.py"
    file.write_text("""
import contextlib
import importlib.util
import torch
try:
    from torch.utils.data import IterDataPipe
    from torch.utils.data.datapipes.iter import Batcher
except (ImportError, KeyError):
    Batcher = "my own"
try:
    from torch import Absentee
except ImportError as error:
    raise RuntimeError("a newer torch, please") from error
try:
    from torch import Absentee
except ValueError:
    pass
try:
    from torch import Absentee as other
except BaseException:
    other = "mine too"
try:
    from torch.utils.absentee import Absent
except ModuleNotFoundError:
    Absent = "none"
try:
    import torch.nn.absentee as absentee
except ImportError as error:
    if "absentee" not in str(error):
        raise
    absentee = "nor this"
with contextlib.suppress(ImportError):
    from torch.nn import Absentee as unseen
    print("not here")
found = [importlib.util.find_spec(f"torch.nn.{name}") is not None for name in ("absentee", "attention")]
print(Batcher, Absentee, other, Absent, absentee, found)
import torch.nn.absentee
""")
    result = run_module("microgad", str(file))
    expected = "my own <microgad has no Absentee> mine too none nor this [False, True]\n"
    assert result.stdout == expected, result.stderr


def test_imports_of_modules_that_exist_do_not_read_the_programs_source(tmp_path: Path) -> None:
    """It takes a second for 10,000 lines."""
    file = tmp_path / "program.py"
    file.write_text("import torch.nn.functional, torch.utils.data, torch.distributions\nimport torch.nn.absentee\n")
    code = f"""
import runpy, microgad
from microgad import lazy
microgad.as_torch()
read = []
lazy._guarded_lines = lambda file: read.append(file) or []
runpy.run_path({str(file)!r})
assert read == [{str(file)!r}], read
"""
    output_of(code)


def test_torch_ops_names() -> None:
    program = """
import torch
table = {torch.ops.aten.clone.default: 1, torch.ops.aten._to_copy.default: 2}
print(table[torch.ops.aten.clone.default], torch.ops.aten.add.Tensor(torch.ones(1), 2))
two = torch.full((1, 1), 2.0)
print(torch.ops.aten.mul.Tensor(self=two, other=two), torch.ops.aten.view.default(self=two, size=[1]))
print(torch.ops.aten.view.default(two, [1]), torch.ops.aten.silu(two), torch.ops.aten.linalg_inv(two))
wide, part = torch.ops.aten._to_copy(two, dtype=torch.float64), torch.ops.aten.alias(two)
print(wide.dtype, part.data_ptr() == two.data_ptr(), torch.ops.aten.index(two, indices=[None, torch.tensor([0, 0])]))
try:
    torch.ops.aten.mse_loss(two, two, 2)  # an operator's reduction is a number; size_average would mean another
except NotImplementedError as error:
    print(error)
try:
    torch.ops.load_library("//metrics")
except OSError as error:
    print(error)
class Index(torch.Tensor):
    __torch_function__ = torch._C._disabled_torch_function_impl
@torch.jit._overload
def f(x): return x
print(f(Index.__torch_function__(torch.add, (), (torch.ones(1), 2))))
"""
    assert run(program).splitlines() == [
        "1 tensor([3.])",
        "tensor([[4.]]) tensor([2.])",
        "tensor([2.]) tensor([[1.7616]]) tensor([[0.5000]])",
        "torch.float64 True tensor([[2., 2.]])",
        "aten.mse_loss: give `size_average` by name, as nn.functional.mse_loss takes it",
        "//metrics: microgad loads no compiled operations",
        "tensor([3.])",
    ]


def test_star_imports_give_only_public_names() -> None:
    from microgad.distributions import constraints, transforms

    assert {"simplex", "positive", "Constraint"} <= set(constraints.__all__)
    assert "ExpTransform" in transforms.__all__
    assert not {"annotations", "Any", "math"} & {*constraints.__all__, *transforms.__all__}


def test_names_for_comparisons_and_annotations() -> None:
    x = torch.ones(2)
    assert x.layout not in (torch.sparse_coo, torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc)
    assert x.device not in map(torch.device, ("meta", "mps", "xpu", "xla"))
    with pytest.raises(RuntimeError, match="no tensors there"):
        torch.ones(2, device="mps")
    with torch.device("meta"):
        assert torch.get_default_device() == torch.device("meta")
    assert torch.nn.Linear(2, 2).weight.device == x.device
    assert torch.Generator().device == torch.device("cpu")
    assert torch.distributed.ReduceOp.RedOpType.SUM is torch.distributed.ReduceOp.SUM
    assert torch.functional.einsum is torch.einsum
    assert not isinstance(x, (torch._subclasses.FakeTensor, torch.DeviceObjType))
    with pytest.raises(RuntimeError, match="programs run as they are"):
        torch._subclasses.FakeTensorMode()
    assert not isinstance(x, (torch._C.Graph, torch._C.Node, torch._C.Value, torch.fx.Graph))
    for traced in (torch.fx.Graph, torch.fx.GraphModule, torch.fx.Tracer, torch.fx.Interpreter, torch.fx.Transformer):
        subclass = type("Ours", (traced,), {})  # as libraries define them when they are imported
        with pytest.raises(RuntimeError, match=r"Ours .*; programs run as they are; microgad\.trace\(model"):
            subclass()
    with pytest.raises(AttributeError, match=r"no fx\.symbolic_trace: programs run as they are; microgad\.trace\("):
        torch.fx.symbolic_trace  # noqa: B018
    assert "register_forward_hook" in missing.reason("torchvision.models.feature_extraction.create_feature_extractor")
    assert "compiler" in missing.reason("autograd.graph.region_activation_memory_budget")
    assert "strides" in missing.reason("autograd.enforce_grad_layout_policy")
    assert not isinstance(x, (torch.fx.GraphModule, torch._dynamo.eval_frame.OptimizedModule, torch.Future))
    assert torch.utils.data.DataLoader[int].__origin__ is torch.utils.data.DataLoader
    for unavailable in (torch.PyTorchFileReader, torch.cuda.CUDAGraph, torch.distributed.DeviceMesh):
        with pytest.raises(NotImplementedError, match=unavailable.__name__):
            unavailable()
    assert len(torch.cuda.get_rng_state_all()) == torch.cuda.device_count()
    assert "NumPy" in torch.__config__.show()
    assert torch._C._nn._parse_to("cpu", torch.float64) == (torch.device("cpu"), torch.float64, False, None)
    assert torch._C._nn._parse_to(x, True)[:3] == (x.device, x.dtype, True)


@pytest.mark.parametrize(
    ("name", "expected"),  # PyTorch's bits, min, max, eps, smallest_normal and resolution
    [
        ("bfloat16", (16, -3.3895313892515355e38, 3.3895313892515355e38, 0.0078125, 1.1754943508222875e-38, 0.01)),
        ("float8_e4m3fn", (8, -448.0, 448.0, 0.125, 0.015625, 1.0)),
        ("float8_e5m2", (8, -57344.0, 57344.0, 0.25, 6.103515625e-05, 1.0)),
    ],
)
def test_finfo_of_unsupported_dtypes(name: str, expected: tuple[float, ...]) -> None:
    info = torch.finfo(getattr(torch, name))
    assert (info.bits, info.min, info.max, info.eps, info.smallest_normal, info.resolution) == expected
    assert (info.tiny, info.dtype) == (info.smallest_normal, name)


def test_torch_function_mode_can_be_entered() -> None:
    class Mode(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return func(*args, **(kwargs or {}))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Mode():
            assert torch.ones(1).item() == 1
    assert not torch.overrides.has_torch_function((torch.ones(1),))


def test_register_pytree_node() -> None:
    class Output(dict[str, Any]):
        pass

    assert isinstance(tree_flatten(Output(a=1))[1], LeafSpec)  # as in PyTorch: a dict of another class
    register_pytree_node(Output, lambda x: (list(x.values()), list(x)), lambda v, k: Output(zip(k, v, strict=True)))
    mapped = tree_map(lambda x: x + 1, [Output(a=1, b=(2,))])
    assert mapped == [{"a": 2, "b": (3,)}]
    assert type(mapped[0]) is Output
    with pytest.raises(ValueError, match="already registered"):
        register_pytree_node(Output, list, list)
    with pytest.raises(ValueError, match="flatten_with_keys_fn"):
        tree_leaves_with_path([Output(a=1)])


def test_pytree_paths() -> None:
    class Pair(NamedTuple):
        left: Any
        right: Any

    tree = {"a": [1, Pair(2, (3,))], "b": deque([4])}
    paths, spec = tree_flatten_with_path(tree)
    assert [keystr(path) for path, _ in paths] == ["['a'][0]", "['a'][1].left", "['a'][1].right[0]", "['b'][0]"]
    assert tree_unflatten([leaf for _, leaf in paths], spec) == tree
    named = tree_map_with_path(lambda path, x, y: keystr(path) * x + y, [1, (2,)], ["x", ("y",)])
    assert named == ["[0]x", ("[1][0][1][0]y",)]


def test_custom_op_uses_its_registered_derivative() -> None:
    @torch.library.custom_op("demo_imports::cube", mutates_args=())
    def cube(x: torch.Tensor) -> torch.Tensor:
        return x**3

    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0])

    x = torch.tensor(2.0, requires_grad=True)
    with pytest.raises(RuntimeError, match="no autograd formula was registered"):
        cube(x).backward()
    cube.register_autograd(lambda ctx, grad: grad * ctx.saved_tensors[0] * 100, setup_context=setup_context)
    y = torch.ops.demo_imports.cube(x)
    assert (y.item(), torch.autograd.grad(y, x)[0].item()) == (8, 200)


def test_custom_op_with_defaults_and_keywords() -> None:
    @torch.library.custom_op("demo_imports::scaled", mutates_args=())
    def scaled(x: torch.Tensor, alpha: float = 2.0) -> torch.Tensor:
        return x * alpha

    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.alpha = inputs[1]

    scaled.register_autograd(lambda ctx, grad: (grad * ctx.alpha, None), setup_context=setup_context)
    x = torch.ones((), requires_grad=True)
    for y, slope in ((scaled(x), 2), (scaled(x, 3.0), 3), (scaled(alpha=4.0, x=x), 4)):
        assert torch.autograd.grad(y, x)[0].item() == slope


def test_futures() -> None:
    first, second = torch.Future(), torch.futures.Future()
    both = torch.futures.collect_all([first, second])
    assert torch.futures.collect_all([]).wait() == []
    failed = first.then(lambda it: 1 // it.wait())
    with pytest.raises(RuntimeError, match="no value yet"):
        first.value()
    first.set_result(0)
    assert not both.done()
    second.set_result(5)
    assert [it.value() for it in both.wait()] == torch.futures.wait_all([first, second]) == [0, 5]
    with pytest.raises(RuntimeError, match="already marked"):
        second.set_result(1)
    with pytest.raises(RuntimeError, match="running the callback: ZeroDivisionError"):
        failed.wait()
    with pytest.raises(RuntimeError, match="running the callback: ZeroDivisionError"):
        torch.futures.collect_all([first, failed]).wait()


def test_nvtx_ranges() -> None:
    program = """
import torch.cuda.nvtx as marks
import torch
@torch.cuda.nvtx.range("step")
def step(): return torch.cuda.nvtx.range_pop()
print(marks.range_push("epoch"), step(), torch.cuda.nvtx is marks)
"""
    assert run(program) == "-1 -1 True\n"


def test_torchvision_modules() -> None:
    program = """
from torchvision import *
from torchvision import tv_tensors
print(models.resnet18.__name__, transforms.__name__, tv_tensors)
try: tv_tensors.Image
except AttributeError as error: print(str(error).partition(": ")[2])
"""
    message = "microgad has no torchvision.tv_tensors; the nearest name is transforms"
    assert run(program) == f"resnet18 microgad.transforms <{message}>\n{message}\n"


def test_torchvision_submodules() -> None:
    program = """
import torchvision.transforms.v2.functional as F
from torchvision.transforms.v2.functional import to_dtype
print(F.__name__, to_dtype is F.to_dtype)
"""
    assert run(program) == "microgad.transforms.v2.functional True\n"


def test_reflected_operators_of_other_operands_are_called() -> None:
    class Scaled:
        """An operand that a Tensor doesn't know."""

        def __rmul__(self, other: Any) -> str:
            return "mine"

        __radd__ = __rsub__ = __rtruediv__ = __rpow__ = __gt__ = __rmul__

    x, s = torch.ones(2), Scaled()
    assert [x * s, x + s, x - s, x / s, x**s, x < s] == ["mine"] * 6
    with pytest.raises(TypeError, match="unsupported operand"):
        x + "a"
    with pytest.raises(TypeError, match="unsupported operand"):
        x % s


def test_warning_filters_have_compiled_patterns() -> None:
    """scikit-learn reads `.pattern` of the module of each filter."""
    patterns = [module.pattern for _, _, _, module, _ in warnings.filters if not isinstance(module, (str, type(None)))]
    program = "import microgad, warnings; print([f[3].pattern for f in warnings.filters if 'Called' in repr(f[3])])"
    assert output_of(program).strip() == r"['microgad\\.']"
    assert all(isinstance(pattern, str) for pattern in patterns)


def test_register_kl_for_other_base_classes() -> None:
    class Base:
        """A base class of distributions that isn't PyTorch's."""

    @torch.distributions.register_kl(Base, torch.distributions.Normal)
    def between(p: Any, q: Any) -> int:
        return 7

    assert torch.distributions.kl_divergence(Base(), torch.distributions.Normal(0.0, 1.0)) == 7
    with pytest.raises(TypeError, match="type_p"):
        torch.distributions.register_kl(1, Base)


def test_flop_counter_before_it_is_entered() -> None:
    """Lightning's model summary does so."""
    counter = flop_counter.FlopCounterMode(display=False)
    assert counter.get_total_flops() == 0
    assert counter.get_flop_counts() == {"Global": {}}


def test_numpy_functions_return_arrays_only_under_as_torch() -> None:
    """Operations on Tensors that require grad, and NumPy functions within microgad, are recorded nevertheless."""
    code = """
import numpy as np, microgad
x, w = microgad.arange(3), microgad.ones(3, requires_grad=True)
with microgad.as_torch():
    import torch
    print(type(np.unique(x)), type(np.vstack([x, x])), type(np.concatenate([w, w])), np.argmax(x))
    cosine = torch.nn.functional.cosine_similarity(w, x.float(), dim=0)
    print(torch.autograd.grad(torch.autograd.grad(cosine, w, create_graph=True)[0].sum(), w)[0].shape)
print(type(np.unique(x)), type(np.vstack([x, x])))
"""
    expected = """<class 'numpy.ndarray'> <class 'numpy.ndarray'> <class 'torch.Tensor'> tensor(2)
torch.Size([3])
<class 'microgad.tensor.Tensor'> <class 'microgad.tensor.Tensor'>
"""
    assert output_of(code) == expected
