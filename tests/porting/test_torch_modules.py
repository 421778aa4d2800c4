"""torch modules without effect in microgad (compile, jit, amp, backends, distributed) warn once and answer queries."""

from __future__ import annotations

import copy
import importlib
import operator
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import microgad as torch
from microgad.errors import notices
from microgad.utils import cache, progress_bar

from ..processes import run_module


@pytest.fixture(autouse=True)
def _forget_warnings():
    notices.heard.clear()
    yield
    notices.heard.clear()


def test_modules_are_imported_by_torch_s_names() -> None:
    for name in ("backends.cudnn", "distributed.device_mesh", "multiprocessing", "overrides"):
        assert importlib.import_module(f"microgad.{name}") is operator.attrgetter(name)(torch)
    for name in ("nothing", "backends.nothing", "version.nothing"):
        with pytest.raises(ModuleNotFoundError, match=rf"'microgad\.{re.escape(name)}'"):
            importlib.import_module(f"microgad.{name}")


def test_compile_and_jit_do_nothing_and_warn_once() -> None:
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
    assert torch.compiler.list_backends() == []
    with torch.compiler.set_stance("force_eager"):
        torch.compiler.cudagraph_mark_step_begin()
    x = torch.ones(2)
    assert torch._dynamo.mark_static_address(x) is torch._dynamo.mark_dynamic(x, 0) is None
    assert torch.compiler.set_stance(stance="eager_on_recompile")(len)(x) == 2
    assert torch.jit.ignore(len) is torch.jit.ignore()(len) is torch.compiler.disable(len) is len
    with pytest.raises(NotImplementedError, match="no TorchScript files"):
        torch.jit.save(net, "file")
    with pytest.raises(RuntimeError, match="microgad doesn't download code"):
        torch.hub.load("a", "b")


@pytest.mark.parametrize("call", [
    lambda: torch.compile(len, fulgraph=True),
    lambda: torch.jit.script(len, foo=2),
    lambda: torch.jit.trace(len, chek_trace=False),
    lambda: torch.compiler.disable(len, reasn=""),
    lambda: torch.amp.custom_fwd(devic_type="cpu"),
    lambda: torch.amp.custom_bwd(devic_type="cpu"),
    lambda: torch.random.fork_rng(devics=[]),
    lambda: torch.profiler.profile(activties=[]),
    lambda: torch.autograd.profiler.profile(foo=1),
    lambda: torch.set_autocast_enabled(1, 2, 3),
    lambda: torch.set_autocast_enabled("cpu"),
    lambda: torch.set_autocast_cache_enabled(),
])  # fmt: skip
def test_misspelled_arguments_raise(call: Any) -> None:
    with pytest.raises(TypeError):
        call()


@pytest.mark.filterwarnings("ignore:torch.compile")
def test_compiled_module_has_torchs_state_dict_names() -> None:
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
    copied._orig_mod = net
    assert copied._orig_mod is net
    assert list(net._modules) == ["0", "1"]
    assert compiled(x).grad_fn.path == "0"


@pytest.mark.host("another process loads it")
@pytest.mark.filterwarnings("ignore:torch.compile")
def test_a_compiled_module_that_was_saved_whole_is_loaded_by_a_process_that_compiles_nothing(tmp_path: Path) -> None:
    torch.save(torch.compile(torch.nn.Sequential(torch.nn.Linear(2, 2))), tmp_path / "net.pt")
    program = (
        "import sys, torch; net = torch.load(sys.argv[1], weights_only=False); "
        "print([*net.state_dict()], net.training, net(torch.ones(1, 2)).grad_fn.path)"
    )
    result = run_module("microgad", "-c", program, str(tmp_path / "net.pt"))
    assert result.stdout == "['_orig_mod.0.weight', '_orig_mod.0.bias'] True 0\n", result.stderr


def test_autocast_and_grad_scaler_keep_float32() -> None:
    net, scaler = torch.nn.Linear(2, 1), torch.amp.GradScaler("cpu")
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with pytest.warns(UserWarning, match="nothing is cast"), torch.autocast("cpu", dtype=torch.float16):
        loss = net(torch.ones(3, 2)).sum()
    assert loss.dtype is torch.float32
    before = net.weight.tolist()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    weight_after = net.weight.tolist()
    assert weight_after != before
    net.weight.grad[0, 0] = float("inf")
    assert scaler.step(optimizer) is None
    assert net.weight.tolist() == weight_after


def test_deterministic_and_precision_settings() -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    assert not torch.are_deterministic_algorithms_enabled()
    torch.set_float32_matmul_precision("high")
    assert torch.get_float32_matmul_precision() == "high"
    torch.set_float32_matmul_precision("highest")
    with pytest.warns(UserWarning, match="low is not one of 'highest', 'high', or 'medium'"):
        torch.set_float32_matmul_precision("low")
    with pytest.raises(RuntimeError, match="expects a str, but got int"):
        torch.set_float32_matmul_precision(3)
    assert torch.get_float32_matmul_precision() == "highest"
    with pytest.raises(RuntimeError, match="positive"):
        torch.set_num_threads(0)
    for unknown in ("bogus", 3):
        with pytest.raises(RuntimeError, match=f"invalid value of debug_mode, .* but got {unknown!r}"):
            torch.set_deterministic_debug_mode(unknown)


def test_deterministic_algorithms_fill_uninitialized_memory() -> None:
    """Expected values: PyTorch 2.13."""
    t, settings = torch.arange(2.0), torch.utils.deterministic
    torch.use_deterministic_algorithms(True)
    try:
        strided = torch.empty_strided((2,), (3,))
        for made in (torch.empty(2), torch.empty_like(t), t.new_empty(2), strided, torch.Tensor(2)):
            assert made.shape == (2,)
            assert made.isnan().all()
        assert torch.empty_permuted((2, 3), (1, 0), dtype=torch.complex64).isnan().all()
        assert torch.empty(1, dtype=torch.int32).item() == 2**31 - 1
        assert torch.empty(1, dtype=torch.bool).item() is True
        assert t.clone().resize_(3).isnan().tolist() == [False, False, True]
        assert torch.empty(2, device="meta").shape == torch.empty_like(t, device="meta").shape == (2,)
        assert settings.fill_uninitialized_memory is True
        settings.fill_uninitialized_memory = False
        assert settings.fill_uninitialized_memory is False
        with pytest.raises(RuntimeError, match="expected a bool, but got int"):
            settings.fill_uninitialized_memory = 1
    finally:
        settings.fill_uninitialized_memory = True
        torch.use_deterministic_algorithms(False)


def test_set_num_threads_sets_the_blas_threads() -> None:
    pools = pytest.importorskip("threadpoolctl")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    assert torch.get_num_threads() == 1
    assert {pool["num_threads"] for pool in pools.threadpool_info() if pool["user_api"] == "blas"} == {1}
    torch.set_num_threads(before)


def test_backend_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    cudnn = torch.backends.cudnn
    cudnn.benchmark = True
    with cudnn.flags(benchmark=False, deterministic=True):
        assert (cudnn.benchmark, cudnn.deterministic) == (False, True)
    assert (cudnn.benchmark, cudnn.deterministic) == (True, False)
    cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = False
    mha = torch.backends.mha
    assert mha.get_fastpath_enabled() is True
    mha.set_fastpath_enabled(False)
    assert mha.get_fastpath_enabled() is False
    mha.set_fastpath_enabled(True)
    with torch.backends.mkldnn.flags(enabled=False):
        assert not torch.backends.mkldnn.enabled
    assert torch.backends.mkldnn.enabled
    assert torch.backends.flags_frozen() is False
    monkeypatch.setattr(torch.backends, "_frozen", False)  # is undone at the end
    torch.backends.disable_global_flags()
    assert torch.backends.flags_frozen() is True
    with torch.backends.__allow_nonbracketed_mutation():
        assert torch.backends.flags_frozen() is False
    assert torch.backends.flags_frozen() is True
    assert not torch.backends.mps.is_available()
    assert not torch.mps.is_available()


def test_cuda_without_a_gpu() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert torch.accelerator.current_accelerator() is None
    assert (torch.cuda.device_count(), torch.cuda.memory_allocated()) == (0, 0)
    assert (torch.accelerator.max_memory_allocated(), torch.accelerator.memory_reserved()) == (0, 0)
    torch.cuda.synchronize()
    torch.accelerator.reset_peak_memory_stats()
    with torch.accelerator.device_index(-1):
        for module in (torch.cuda, torch.accelerator):
            with pytest.raises(RuntimeError, match="needs CuPy"):
                module.current_stream()
    with pytest.raises(RuntimeError, match="needs CuPy"):
        torch.cuda.current_device()


def test_xpu_and_hub_tqdm(capsys: pytest.CaptureFixture[str]) -> None:
    assert not torch.xpu.is_available()
    assert torch.xpu.device_count() == 0
    assert list(torch.hub.tqdm([1, 2], disable=True)) == [1, 2]
    bar = progress_bar._NoBar([1, 2], desc="a")
    with bar as entered:
        entered.update(1)
        entered.set_postfix(loss=1)
        entered.write("a message")
    progress_bar._NoBar.write("another", file=sys.stderr, end="")
    assert list(bar) == [1, 2]
    assert capsys.readouterr() == ("a message\n", "another")
    assert len(bar) == 2
    with pytest.raises(AttributeError, match=r"no hub\.lod"):
        torch.hub.lod  # noqa: B018


def test_hub_directory_and_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cache, "_chosen", [])
    weights = torch.models.ResNet18_Weights.DEFAULT
    for name, value, folder in (
        ("XDG_CACHE_HOME", "/a", "/a/torch/hub"), ("TORCH_HOME", "~/b", "~/b/hub"), ("TORCH_HOME", "", "hub")
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
        assert torch.hub.get_dir() == os.path.expanduser(folder)
        with pytest.raises(NotImplementedError, match=re.escape(os.path.expanduser(f"{folder}/checkpoints, or"))):
            weights.get_state_dict()
    torch.hub.set_dir(tmp_path)
    assert torch.hub.get_dir() == str(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    torch.save({"w": 1}, tmp_path / "checkpoints" / weights.value.file)
    assert weights.get_state_dict() == {"w": 1}
    (tmp_path / "w-12ab.pth").write_bytes((tmp_path / "checkpoints" / weights.value.file).read_bytes())
    url = (tmp_path / "w-12ab.pth").as_uri()
    with pytest.raises(RuntimeError, match=r'invalid hash value \(expected "12ab", got "[0-9a-f]{64}"\)'):
        torch.hub.load_state_dict_from_url(url, check_hash=True)
    assert torch.hub.load_state_dict_from_url(url, file_name="own.pth") == {"w": 1}
    (tmp_path / "w-12ab.pth").unlink()
    assert torch.hub.load_state_dict_from_url("https://a.b/own.pth") == {"w": 1}, "it is in the cache"
    with pytest.raises(RuntimeError, match="microgad doesn't download code"):
        torch.hub.load_state_dict_from_url("https://a.b/other.pth")


def test_hub_loads_models_of_local_folders(tmp_path: Path) -> None:
    (tmp_path / "parts_of_hub.py").write_text("def make(n): return n + 1")
    (tmp_path / "hubconf.py").write_text("from parts_of_hub import make\ndependencies = ['numpy']\nversion = 3")
    assert torch.hub.load(tmp_path, "make", n=4, source="local", trust_repo=True) == 5
    assert str(tmp_path) not in sys.path
    with pytest.raises(RuntimeError, match="Cannot find callable version in hubconf"):
        torch.hub.load(str(tmp_path), "version", source="local")
    with pytest.raises(ValueError, match="source is 'file'"):
        torch.hub.load(str(tmp_path), "make", source="file")
    (tmp_path / "hubconf.py").write_text("dependencies = ['a_missing_package']")
    with pytest.raises(RuntimeError, match="Missing dependencies: a_missing_package"):
        torch.hub.load(str(tmp_path), "make", source="local")


def test_positional_arguments_have_torchs_order() -> None:
    x, net = torch.ones(2, 2), torch.nn.Linear(1, 1)
    assert torch.sparse.sum(x, 0, torch.float64).dtype == torch.float64
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert torch.jit.freeze(torch.jit.script(net, None), ["training"], False) is net
        assert torch.jit.trace(net, torch.ones(1), None, False) is net
    torch.xpu.synchronize(0)
    before = torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark
    with torch.backends.cudnn.flags(True, True, fp32_precision="ieee"):
        assert (torch.backends.cudnn.benchmark, torch.backends.cudnn.fp32_precision) == (True, "ieee")
    assert (torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark) == before
    torch.backends.cudnn.conv.fp32_precision = torch.backends.cudnn.conv.fp32_precision
    torch.distributed.init_process_group("gloo", world_size=1, rank=0)
    try:
        torch.distributed.barrier(timeout=1.0)
        torch.distributed.gather(x, [x], group_dst=0)
        torch.distributed.scatter(x, [x], group_src=0)
    finally:
        torch.distributed.destroy_process_group()


def test_collectives_of_a_group_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    distributed, x = torch.distributed, torch.arange(4.0)
    for call in (distributed.get_process_group_ranks, distributed.monitored_barrier):
        with pytest.raises(ValueError, match="has not been initialized"):
            call()
    with pytest.raises(RuntimeError, match="LOCAL_RANK is not in the environment"):
        distributed.get_node_local_rank()
    monkeypatch.setenv("LOCAL_RANK", "0")
    distributed.init_process_group("gloo", world_size=1, rank=0)
    try:
        assert (distributed.get_node_local_rank(1), distributed.get_process_group_ranks()) == (0, [0])
        world = distributed.GroupMember.WORLD
        assert distributed.get_global_rank(world, 0) == distributed.get_group_rank(world, 0) == 0
        for collect in (
            lambda out: distributed.reduce_scatter(out, [x]),
            lambda out: distributed.all_to_all([out], [x]),
            lambda out: distributed.all_to_all_single(out, x),
        ):
            out = torch.zeros(4)
            collect(out)
            assert torch.equal(out, x)
        objects: list[object] = [None, None]
        distributed.gather_object("a", objects, dst=0)
        assert objects == ["a", None]
        distributed.scatter_object_list(objects, ["b"], src=0)
        assert objects == ["b", None]
        for incomplete in (lambda: distributed.gather_object("a"), lambda: distributed.scatter_object_list(objects)):
            with pytest.raises(ValueError, match="must"):
                incomplete()
        distributed.monitored_barrier()
    finally:
        distributed.destroy_process_group()


def test_a_decorated_main_function_of_torchrun_runs() -> None:
    program = (
        "from torch.distributed.elastic.multiprocessing.errors import record\n"
        "@record\ndef main(): print('done')\n"
        "main()"
    )
    result = run_module("microgad", "-c", program)
    assert result.stdout == "done\n", result.stderr


def test_future_can_only_be_completed_once() -> None:
    for end in ("set_result", "set_exception"):
        future: torch.futures.Future[object] = torch.futures.Future()
        getattr(future, end)(ValueError())
        for again in ("set_result", "set_exception"):
            with pytest.raises(RuntimeError, match="already marked complete"):
                getattr(future, again)(ValueError())
    with pytest.raises(AssertionError, match="is a str, not an Exception"):
        torch.futures.Future().set_exception("no")


def test_names_of_distributed_tensors_and_meshes() -> None:
    program = (
        "import torch\n"
        "from torch.distributed.device_mesh import DeviceMesh\n"
        "print(DeviceMesh is torch.distributed.DeviceMesh)"
    )
    result = run_module("microgad", "-c", program)
    assert result.stdout == "True\n", result.stderr
    distributed = torch.distributed
    assert not isinstance(torch.nn.Linear(1, 1), (distributed.fsdp.FSDPModule, distributed.tensor.DTensor))
    with pytest.raises(NotImplementedError, match="in one process"):
        distributed.device_mesh.init_device_mesh("cpu", (1,))
    for unavailable in (distributed.fsdp.FullyShardedDataParallel, distributed.tensor.DTensor):
        with pytest.raises(NotImplementedError, match=unavailable.__name__):
            unavailable(torch.nn.Linear(1, 1))


def test_calls_that_pytorch_runs_in_the_background_run_at_once() -> None:
    calls = [torch.jit.fork(torch.sub, torch.tensor(i), other=1) for i in range(3)]
    with torch.jit.optimized_execution(False):
        assert [torch.jit.wait(call).item() for call in calls] == [-1, 0, 1]


def test_the_deprecated_cpu_amp_is_enabled_and_warns() -> None:
    with pytest.warns(
        FutureWarning, match=r"`torch.cpu.amp.GradScaler\(args...\)` is deprecated. Please use `torch.amp"
    ):
        scaler = torch.cpu.amp.GradScaler(8.0)
    assert (scaler.is_enabled(), scaler.get_scale()) == (True, 8.0)
    with pytest.warns(FutureWarning, match=r"torch.cpu.amp.autocast"), torch.cpu.amp.autocast(False):
        assert not torch.is_autocast_enabled("cpu")


def test_autocast_refuses_an_unknown_device_type() -> None:
    with pytest.raises(
        RuntimeError, match=r"^Expected one of cpu, cuda, .* device type at start of device string: foo"
    ):
        torch.autocast("foo")
    torch.autocast("cuda:0", enabled=False)


def test_private_names_that_libraries_use() -> None:
    from microgad.nn.modules.linear import NonDynamicallyQuantizableLinear

    assert type(torch.nn.MultiheadAttention(2, 1).out_proj) is NonDynamicallyQuantizableLinear
    assert torch.legacy_contiguous_format is torch.contiguous_format
    assert torch.serialization.DEFAULT_PROTOCOL == 2
    assert torch.distributions.kl._KL_REGISTRY[torch.distributions.Normal, torch.distributions.Normal]
    assert torch.cuda.get_arch_list() == []
    assert not torch.backends.mps.is_macos_or_newer(14, 0)


def test_default_restore_location(tmp_path: Path) -> None:
    torch.save(torch.ones(2), tmp_path / "saved.pt")
    restore = torch.serialization.default_restore_location
    assert torch.load(tmp_path / "saved.pt", lambda s, _: restore(s, "cpu")).device.type == "cpu"
    for place in ("nowhere", "mps"):
        with pytest.raises(RuntimeError):
            torch.load(tmp_path / "saved.pt", lambda s, _, place=place: restore(s, place))
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError):
            torch.load(tmp_path / "saved.pt", lambda s, location: restore(s, "cuda:1"))


def test_a_storage_is_restored_to_a_place() -> None:
    restore = torch.serialization.default_restore_location
    storage = torch.ones(2).untyped_storage()
    assert restore(storage, storage.device) is storage
    assert restore(storage, "cpu").device.type == "cpu"
    for place in ("nowhere", "mps", *(["cuda", "cuda:1"] if not torch.cuda.is_available() else [])):
        with pytest.raises(RuntimeError):
            restore(storage, place)


def test_softmax_backward_data_in_a_custom_softmax() -> None:
    class XSoftmax(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, mask: Any, dim: int) -> Any:
            ctx.dim = dim
            out = torch.softmax(x.masked_fill(~mask, -torch.inf), dim)
            ctx.save_for_backward(out)
            return out

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            (out,) = ctx.saved_tensors
            return torch._softmax_backward_data(grad, out, ctx.dim, out.dtype), None, None

    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    assert torch.autograd.gradcheck(lambda x: XSoftmax.apply(x, mask, 1), (x,))
    assert torch.autograd.gradgradcheck(lambda x: XSoftmax.apply(x, mask, 1), (x,))
    out = torch.log_softmax(x, 1)
    grad = torch.randn(2, 3, dtype=torch.float64)
    expected = torch.autograd.grad(out, x, grad)[0]
    torch.testing.assert_close(torch._log_softmax_backward_data(grad, out.detach(), 1, out.dtype), expected)


def test_compressed_indices_are_on_the_device_of_the_rows(device: Any) -> None:
    rows, columns = torch.tensor([0, 0, 2], device=device), torch.tensor([1, 3, 0], device=device)
    starts = torch._convert_indices_from_coo_to_csr(rows, 3)
    assert starts.device == rows.device
    assert starts.tolist() == [0, 2, 2, 3]
    assert torch._convert_indices_from_csr_to_coo(starts, columns).tolist() == [[0, 0, 2], [1, 3, 0]]


@pytest.mark.parametrize(
    ("features", "name"),
    [
        ("SSE, SSE2, FMA3, AVX2, AVX512F, AVX512_SKX", "AVX512"),
        ("X86_V2, X86_V3, X86_V4, AVX512_ICL", "AVX512"),
        ("SSE, SSE2, FMA3, AVX2", "AVX2"),
        ("X86_V2, X86_V3", "AVX2"),
        ("X86_V2", "DEFAULT"),
        ("NEON, ASIMD", "DEFAULT"),
    ],
)
def test_cpu_capability_by_the_names_of_old_and_new_numpy(features, name, monkeypatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "environment", lambda: {"CPU features": features})
    assert torch.backends.cpu.get_cpu_capability() == name
