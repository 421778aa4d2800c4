"""What has no effect says so once, and what a program asks of it is answered."""

from __future__ import annotations

import copy
import warnings

import pytest

import microgad as torch
from microgad import notices
from microgad.utils import bar


@pytest.fixture(autouse=True)
def _unsaid():
    notices.once.cache_clear()
    yield
    notices.once.cache_clear()


def test_nothing_is_compiled_and_that_is_said_once() -> None:
    net = torch.nn.Linear(1, 1)
    with pytest.warns(UserWarning, match="nothing is compiled"):
        assert torch.compile(len) is len
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.compile(mode="max-autotune")(len) is len
    with pytest.warns(UserWarning, match="nothing is scripted"):
        assert torch.jit.script(net) is torch.jit.trace(net, torch.ones(1)) is net
    assert not torch.jit.is_scripting()
    assert not torch.compiler.is_compiling()
    assert torch.jit.ignore(len) is torch.jit.ignore()(len) is torch.compiler.disable(len) is len
    with pytest.raises(NotImplementedError, match="no TorchScript files"):
        torch.jit.save(net, "file")
    with pytest.raises(RuntimeError, match="microgad downloads no code"):
        torch.hub.load("a", "b")


@pytest.mark.filterwarnings("ignore:torch.compile")
def test_a_compiled_module_has_the_names_of_pytorchs_checkpoints() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout())
    net.scale = 3
    compiled = torch.compile(mode="max-autotune")(net)
    assert isinstance(compiled, torch.nn.Module)
    assert not isinstance(compiled, torch.nn.Sequential)
    assert compiled._orig_mod is net
    assert [name for name, _ in compiled.named_modules()] == ["", "_orig_mod", "_orig_mod.0", "_orig_mod.1"]
    assert compiled.scale == 3
    assert len(compiled) == 2
    compiled.scale = 4
    assert net.scale == 4
    del compiled.scale
    assert not hasattr(net, "scale")
    state = compiled.state_dict()
    assert (
        list(state) == [name for name, _ in compiled.named_parameters()] == ["_orig_mod.0.weight", "_orig_mod.0.bias"]
    )
    compiled.load_state_dict({name: value + 1 for name, value in state.items()})
    stripped = {name.removeprefix("_orig_mod."): value for name, value in compiled.state_dict().items()}
    torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout()).load_state_dict(stripped)
    with pytest.raises(RuntimeError, match="Missing key"):
        net.load_state_dict(compiled.state_dict())
    compiled.eval()
    assert [net.training, net[1].training, compiled.training] == [False] * 3
    x = torch.ones(1, 2)
    copied = copy.deepcopy(compiled)
    assert compiled(x).tolist() == net(x).tolist() == copied(x).tolist()
    assert copied._orig_mod is not net
    assert compiled(x).grad_fn.path == "0"


def test_mixed_precision_is_one_precision() -> None:
    net, scaler = torch.nn.Linear(2, 1), torch.amp.GradScaler("cpu")
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with pytest.warns(UserWarning, match="nothing is cast"), torch.autocast("cpu", dtype=torch.float16):
        loss = net(torch.ones(3, 2)).sum()
    assert loss.dtype is torch.float32
    before = net.weight.tolist()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    moved = net.weight.tolist()
    assert moved != before
    net.weight.grad[0, 0] = float("inf")
    assert scaler.step(optimizer) is None
    assert net.weight.tolist() == moved


def test_settings_are_remembered() -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    assert not torch.are_deterministic_algorithms_enabled()
    torch.set_float32_matmul_precision("high")
    assert torch.get_float32_matmul_precision() == "high"
    torch.set_float32_matmul_precision("highest")
    with pytest.raises(ValueError, match="must be one of highest, high or medium"):
        torch.set_float32_matmul_precision("low")
    with pytest.raises(RuntimeError, match="positive"):
        torch.set_num_threads(0)
    for unknown in ("bogus", 3):
        with pytest.raises(RuntimeError, match=f"invalid value of debug_mode, .* but got {unknown!r}"):
            torch.set_deterministic_debug_mode(unknown)


def test_threads_are_those_of_the_blas() -> None:
    pools = pytest.importorskip("threadpoolctl")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    assert torch.get_num_threads() == 1
    assert {pool["num_threads"] for pool in pools.threadpool_info() if pool["user_api"] == "blas"} == {1}
    torch.set_num_threads(before)


def test_flags_of_backends() -> None:
    cudnn = torch.backends.cudnn
    cudnn.benchmark = True
    with cudnn.flags(benchmark=False, deterministic=True):
        assert (cudnn.benchmark, cudnn.deterministic) == (False, True)
    assert (cudnn.benchmark, cudnn.deterministic) == (True, False)
    cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = False
    assert torch.backends.mkldnn.enabled
    assert not torch.backends.mps.is_available()
    assert not torch.mps.is_available()


def test_without_a_gpu() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert torch.accelerator.current_accelerator() is None
    assert (torch.cuda.device_count(), torch.cuda.memory_allocated()) == (0, 0)
    torch.cuda.synchronize()
    with pytest.raises(RuntimeError, match="needs CuPy"):
        torch.cuda.current_device()


def test_there_is_no_xpu_and_tqdm_is_where_programs_take_it() -> None:
    assert not torch.xpu.is_available()
    assert torch.xpu.device_count() == 0
    assert list(torch.hub.tqdm([1, 2], disable=True)) == [1, 2]
    unseen = bar._Unseen([1, 2], desc="a")
    with unseen as shown:
        shown.update(1)
        shown.set_postfix(loss=1)
    assert list(unseen) == [1, 2]
    assert len(unseen) == 2
    with pytest.raises(AttributeError, match=r"no hub\.lod"):
        torch.hub.lod  # noqa: B018
