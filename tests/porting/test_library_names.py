"""Names and attributes of PyTorch that libraries and copied code look up, found by running these."""

from __future__ import annotations

import itertools
import multiprocessing
import typing
from typing import Any

import pytest

import microgad as torch
from microgad import nn
from microgad.utils import _contextlib
from microgad.utils.data.dataloader import _DatasetKind, _SingleProcessDataLoaderIter
from microgad.utils.data.multiprocess import _MultiProcessingDataLoaderIter

from ..processes import output_of, run_module


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("nn", "init functional utils parameter modules Linear"),
        ("nn.utils", "rnn parametrize stateless clip_grad_norm_"),
        ("nn.modules", "Linear Module"),
        ("autograd", "gradcheck gradgradcheck detect_anomaly grad Function grad_mode variable"),
        ("porting.torch_modules.multiprocessing", "Process Pool Queue Lock cpu_count spawn"),
        ("porting.torch_modules.types", "Number Device"),
    ],
)
def test_star_import_gives_what_programs_take_from_it(module: str, expected: str) -> None:
    names: dict[str, Any] = {}
    exec(f"from microgad.{module} import *", names)
    assert {*expected.split()} <= {*names}


@pytest.mark.parametrize(
    ("module", "own"),
    [
        ("nn", "stateless extras deprecation"), ("nn.utils", "init clip_grad prune fusion"),
        ("nn.modules", "init functional utils parameter"), ("utils.data.dataloader", "_MultiProcessingDataLoaderIter"),
    ],
)  # fmt: skip
def test_star_import_overwrites_no_names_that_pytorchs_does_not(module: str, own: str) -> None:
    names = dict.fromkeys(own.split(), "own")
    exec(f"from microgad.{module} import *", names)
    assert {names[name] for name in own.split()} == {"own"}


def test_annotations_of_modules_can_be_read_anywhere() -> None:
    """As fastai reads those of losses."""
    for loss in (nn.MSELoss(), nn.CrossEntropyLoss(), nn.Sequential()):
        assert {*typing.get_type_hints(loss, globalns={}, localns={}).values()} <= {bool, int, str}
    assert typing.get_type_hints(nn.MSELoss(), globalns={}, localns={}) == {"reduction": str}


class Stream:
    """What fastai hands to the iterators: no DataLoader, and no IterableDataset, though it says that it is one."""

    _IterableDataset_len_called, _auto_collation, drop_last, in_order = None, False, False, True
    generator, prefetch_factor, _dataset_kind = None, 2, _DatasetKind.Iterable
    timeout, persistent_workers, pin_memory, pin_memory_device, worker_init_fn = 0, False, False, "", None
    _index_sampler = property(lambda self: itertools.count())

    def __init__(self, num_workers: int) -> None:
        self.dataset, self.num_workers = self, num_workers
        self.multiprocessing_context = multiprocessing.get_context("fork") if num_workers else None

    def collate_fn(self, sample: Any) -> Any:
        return sample

    def __iter__(self) -> Any:
        return iter([1.0, 0.0])


def test_the_iterators_of_data_loaders_take_the_kind_of_dataset_from_the_loader() -> None:
    assert list(_SingleProcessDataLoaderIter(Stream(0))) == [1.0, 0.0]
    assert list(_MultiProcessingDataLoaderIter(Stream(1))) == [1.0, 0.0]


def test_names_that_tensordict_uses() -> None:
    class entered(_contextlib._DecoratorContextManager):
        depth = 0

        def __enter__(self) -> None:
            entered.depth += 1

        def __exit__(self, *_: object) -> None:
            entered.depth -= 1

    assert entered()(lambda: entered.depth)() == 1
    assert entered.depth == 0
    assert nn.modules.module._global_parameter_registration_hooks == {}
    assert not torch._C._is_torch_function_mode_enabled()
    with torch.overrides.TorchFunctionMode():
        assert torch._C._is_torch_function_mode_enabled()
    assert isinstance(torch.ones(1).untyped_storage(), torch.StorageBase)
    seen = []
    torch.func.vmap(lambda x: seen.append(torch._C._functorch.is_batchedtensor(x)) or x)(torch.ones(2))
    assert (seen, torch._C._functorch.is_batchedtensor(torch.ones(2))) == ([True], False)


def test_names_of_functorch_can_be_imported() -> None:
    """As tensordict does, also those that only transforms of its own would call."""
    program = "from torch._C._functorch import _add_batch_dim, is_batchedtensor; import torch; "
    program += "print(is_batchedtensor(torch.ones(2)))"
    found = run_module("microgad", "-c", program)
    assert found.stdout == "False\n", found.stderr


def test_reductions_have_names_and_numbers() -> None:
    from microgad.nn import _reduction as _Reduction

    assert [_Reduction.get_enum(name) for name in ("none", "mean", "sum")] == [0, 1, 2]
    assert _Reduction.legacy_get_enum(None, None, emit_warning=False) == 1
    assert _Reduction.legacy_get_string(False, None, emit_warning=False) == "sum"
    with pytest.raises(ValueError, match="is not a valid value"):
        _Reduction.get_enum("avg")


def test_names_that_copies_of_pytorchs_functions_import() -> None:
    program = """
import torch
from torch._jit_internal import BroadcastingList2, boolean_dispatch
from torch.distributions.exp_family import ExponentialFamily
from torch.optim.optimizer import StateDict
from torch.optim.adamw import adamw
from torch._functorch.eager_transforms import jacrev
from torch._functorch.functional_call import functional_call
from torch._functorch.vmap import vmap
from torch import _VF

def pooled(x, size: BroadcastingList2[int], indices: bool = False): return "pooled"
def with_indices(x, size: BroadcastingList2[int], indices: bool = False): return "with indices"
pool = boolean_dispatch("indices", 2, False, with_indices, pooled, __name__, "pool")
print(pool.__name__, pool(1, 2), pool(1, 2, True), pool(1, 2, indices=True), StateDict.__name__)
print(ExponentialFamily is torch.distributions.ExponentialFamily)
print(jacrev is torch.func.jacrev, functional_call is torch.func.functional_call, vmap is torch.vmap)
print(adamw.__name__, _VF.relu(torch.tensor([-1.0])))
"""
    result = run_module("microgad", "-c", program)
    assert result.stdout == "pool pooled with indices with indices dict\nTrue\nTrue True True\nadamw tensor([0.])\n", (
        result.stderr
    )


@pytest.mark.parametrize(
    "path",
    [
        "_functorch.vmap", "_ops.OpOverload", "_subclasses.fake_tensor.FakeTensor", "_tensor._rebuild_from_type_v2",
        "distributions.exp_family.ExponentialFamily", "optim._functional.adam",
        "utils._contextlib._DecoratorContextManager", "utils._foreach_utils._has_foreach_support",
    ],
)  # fmt: skip
def test_modules_that_import_torch_brings_are_attributes(path: str) -> None:
    program = f"import torch; print(callable(torch.{path}))"
    result = run_module("microgad", "-c", program)
    assert result.stdout == "True\n", result.stderr


def test_modules_of_torch_cuda() -> None:
    """spaCy's thinc asks cuda.amp.common, torchattacks seeds cuda.random."""
    program = """
import torch
torch.cuda.random.manual_seed(0), torch.manual_seed(0)
print(torch.cuda.amp.common.amp_definitely_not_available() is not torch.cuda.is_available())
print(torch.cuda.memory.memory_allocated(), torch.cuda.amp.grad_scaler.GradScaler.__name__)
import torch.cuda.random as random, torch.cuda.memory as memory, torch.cuda.amp.autocast_mode as autocast_mode
print(random.initial_seed(), callable(memory.empty_cache), autocast_mode.autocast is torch.cuda.amp.autocast)
"""
    found = run_module("microgad", "-c", program)
    assert found.stdout == "True\n0 GradScaler\n0 True True\n", found.stderr


def test_settings_and_errors_of_the_compiler() -> None:
    """gpt-fast imports the settings as modules, heavyball's optimizers lift a limit in each step."""
    program = """
import torch, torch._dynamo.config, torch._inductor.config
from torch._dynamo.exc import TorchDynamoException
from torch._dynamo.utils import counters
torch._inductor.config.triton.unique_kernel_names = torch._dynamo.config.verbose = True
with torch._dynamo.utils.disable_cache_limit(), torch._dynamo.config.patch(recompile_limit=3):
    torch._dynamo.graph_break()
print(torch._dynamo.config.patch("verbose", False)(abs)(-2), counters["stats"]["calls_captured"])
print(issubclass(TorchDynamoException, RuntimeError), torch._dynamo.exc.Unsupported.__name__ != "")
model = torch._dynamo.optimize("inductor", dynamic=True)(torch.nn.ReLU())
region = torch.compiler.nested_compile_region(max_reuse_entries=1)(abs)
print(torch._dynamo.list_backends(), model._orig_mod, region(-3))
"""
    found = run_module("microgad", "-c", program)
    assert found.stdout == "2 0\nTrue True\n[] ReLU() 3\n", found.stderr


def test_classes_of_data_are_of_pytorchs_modules() -> None:
    """keras looks for "torch.utils.data" in __module__ to know a DataLoader or a Dataset."""
    program = """
import inspect, pickle
import microgad.utils.data.sampler as before
from microgad import as_torch
with as_torch():
    import torch
    from torch.utils.data import Dataset, DataLoader
    data = torch.utils.data.TensorDataset(torch.ones(1))
    print(Dataset.__module__, DataLoader.__module__, before.Sampler.__module__)
    print(type(pickle.loads(pickle.dumps(data))) is type(data), inspect.getsource(DataLoader)[:16])
print({kind.__module__.partition(".")[0] for kind in (Dataset, DataLoader, before.Sampler)})
"""
    names = "torch.utils.data.dataset torch.utils.data.dataloader torch.utils.data.sampler"
    assert output_of(program) == f"{names}\nTrue class DataLoader\n{{'microgad'}}\n"


def test_devices_are_made_by_name() -> None:
    """torch_ppr calls torch.device(device=...)."""
    assert torch.device(device="cuda:1") == torch.device(type="cuda", index=1) != torch.device(device="cpu")
    assert torch.device(device=torch.device("cpu")) == torch.device("cpu")


def test_a_subclass_may_override_requires_grad_by_setting_the_attribute() -> None:
    """fastai's TensorBase does."""

    class Chained(torch.Tensor):
        def requires_grad_(self, requires_grad: bool = True) -> Any:
            self.requires_grad = requires_grad
            return self

    assert torch.ones(2).as_subclass(Chained).requires_grad_().requires_grad
