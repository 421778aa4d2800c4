"""CUDA devices: availability without CuPy or a driver, and on which device results and gradients are.

The tests with the fixture `cuda` run on the stand-in for CuPy in tests/strictarray.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import backend, errors, nn
from microgad.ops.indexing import index_kernels

from .processes import run
from .strictarray import ndarray

F = nn.functional


def fake_cupy(device_count: Callable[[], int]) -> SimpleNamespace:
    """A module cupy whose runtime counts devices by `device_count`."""
    runtime = SimpleNamespace(getDeviceCount=device_count)
    return SimpleNamespace(cuda=SimpleNamespace(runtime=runtime), ndarray=SimpleNamespace)


def no_driver() -> int:
    raise RuntimeError("cudaErrorInsufficientDriver")


def test_without_cupy_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert not torch.cuda.is_available()
    assert torch.cuda.device_count() == 0
    assert not torch.cuda.is_bf16_supported()
    assert not torch.cuda.is_tf32_supported()


def test_without_cupy_an_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    for call in (lambda: torch.zeros(2, device="cuda"), lambda: torch.zeros(2, device="cpu").cuda()):
        with pytest.raises(RuntimeError, match=r"needs CuPy: pip install 'microgad\[cuda\]'"):
            call()


def test_a_folder_named_cupy_is_not_taken_for_cupy(tmp_path: Path) -> None:
    """Python imports it as a namespace package, which has no attributes."""
    (tmp_path / "cupy").mkdir()
    program = """
import cupy
import microgad as torch
x = torch.ones(2, requires_grad=True)
(x * 2).sum().backward()
torch.empty_cache()
print(x.grad.tolist(), torch.cuda.is_available())
try:
    x.cuda()
except RuntimeError as error:
    print(error)
"""
    done = run("-c", program, folder=tmp_path)
    assert done.stdout.startswith("[2.0, 2.0] False\ncuda: device 'cuda' needs CuPy"), done.stderr


def test_is_gpu_is_false_for_numpy_arrays_and_for_other_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", ModuleType("cupy"))
    assert not any(map(backend.is_gpu, (np.ones(2), np.float64(1), 1.0, None)))


@pytest.mark.parametrize("count", [0, 2])
def test_device_count_is_that_of_cupy(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(lambda: count))
    assert torch.cuda.device_count() == count
    assert torch.cuda.is_available() == (count > 0)


def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(no_driver))
    assert not torch.cuda.is_available()


@pytest.mark.usefixtures("cuda")
def test_tensors_move_to_the_gpu_and_their_gradients_come_back() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    moved = (x.cuda(), x.to("cuda"), x.to("cuda:0"), x.to(torch.device("cuda", 0)), x.to(0), x.to(torch.ones(1).cuda()))
    for y in moved:
        assert (str(y.device), y.is_cuda, type(y.array)) == ("cuda:0", True, ndarray)
        assert y.to("cuda") is y.cuda() is y
        (g,) = torch.autograd.grad((y * y).sum(), x)
        assert (str(g.device), g.tolist()) == ("cpu", [2.0, 4.0])
    z = moved[0].cpu()
    assert (str(z.device), z.tolist()) == ("cpu", [1.0, 2.0])
    assert x.cpu() is x
    assert moved[0].to("cuda", torch.float64).dtype == torch.float64


@pytest.mark.usefixtures("cuda")
def test_creation_functions_and_operations_give_tensors_on_the_gpu() -> None:
    on_gpu = torch.ones(2, device="cuda")
    created = [
        torch.zeros(2, device="cuda"), torch.tensor([1.0], device="cuda"), torch.arange(3, device="cuda"),
        torch.randn(2, device="cuda"), torch.eye(2, device="cuda"), torch.linspace(0, 1, 3, device="cuda"),
        torch.randperm(3, device="cuda"), torch.full((2,), 1.0, device="cuda"), torch.as_tensor([1], device="cuda"),
        torch.zeros_like(on_gpu), torch.rand_like(on_gpu), on_gpu.new_zeros(2), on_gpu.new_tensor([1.0]), on_gpu[0],
        on_gpu.clone(), on_gpu.sum(), on_gpu > 0, nn.Linear(2, 2, device="cuda").weight, nn.Linear(2, 2).cuda().bias,
        torch.zeros_like(torch.ones(2), device="cuda"),
    ]  # fmt: skip
    assert [str(x.device) for x in created] == ["cuda:0"] * len(created)
    assert str(torch.zeros_like(on_gpu, device="cpu").device) == "cpu"


@pytest.mark.parametrize("name", ["cuda:", "cuda:²", "cuda:-1", "cuda:01", "cuda:x"])
def test_a_device_name_has_a_number_after_its_colon(name: str) -> None:
    with pytest.raises(RuntimeError, match="invalid device"):
        torch.device(name)


@pytest.mark.usefixtures("cuda")
def test_creation_functions_use_the_default_device() -> None:
    makers = [
        lambda: torch.zeros(2), lambda: torch.tensor(1.0), lambda: torch.arange(3), lambda: torch.randn(2),
        lambda: torch.eye(2), lambda: torch.randint(3, (2,)), lambda: torch.randperm(3), lambda: torch.full((2,), 1),
        lambda: torch.linspace(0, 1, 3), lambda: torch.as_tensor(np.ones(2)), lambda: nn.Linear(2, 2).weight,
        lambda: torch.hann_window(4), lambda: torch.tril_indices(2, 2), lambda: torch.empty_strided((2,), (1,)),
    ]  # fmt: skip
    torch.set_default_device("cuda")
    try:
        assert torch.get_default_device() == torch.device("cuda", 0)
        assert [str(make().device) for make in makers] == ["cuda:0"] * len(makers)
        with torch.device("cpu"):
            assert {str(make().device) for make in makers} == {"cpu"}
        assert str(torch.zeros(1, device="cpu").device) == "cpu"
        on_the_cpu = torch.ones(2, device="cpu")
        stay = (torch.from_numpy(np.ones(2)), torch.zeros_like(on_the_cpu), on_the_cpu + 1, on_the_cpu.new_zeros(2))
        assert {str(x.device) for x in stay} == {"cpu"}
    finally:
        torch.set_default_device(None)
    assert {str(make().device) for make in makers} == {"cpu"}


def test_each_thread_has_its_own_default_device() -> None:
    """Two blocks in two threads; the block that begins first ends first."""
    entered, left = threading.Event(), threading.Event()

    def work() -> None:
        with torch.device("cpu"):
            entered.set()
            left.wait(10)

    thread = threading.Thread(target=work)
    before = torch.get_default_device()
    with torch.device("cuda", 1):
        thread.start()
        assert entered.wait(10)
        assert torch.get_default_device() == torch.device("cuda", 1)
    left.set()
    thread.join()
    assert torch.get_default_device() == before


def test_tensors_are_no_arrays_for_cupy() -> None:
    """CuPy would compute `array + tensor` itself, as in a derivative under create_graph, and lose the graph."""
    assert not hasattr(torch.Tensor, "__cuda_array_interface__")


ON_TWO_DEVICES: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y, lambda x, y: x @ y.T, lambda x, y: torch.cat([x, y]), lambda x, y: torch.where(x > 0, x, y),
    lambda x, y: F.linear(x, y), lambda x, y: F.cross_entropy(x, torch.tensor([0, 1])), lambda x, y: x == y,
    lambda x, y: F.embedding(torch.tensor([0]), x), lambda x, y: torch.gather(x, 1, torch.tensor([[0], [1]])),
    lambda x, y: x.masked_fill(y > 0, 1.0), lambda x, y: torch.take(x, torch.tensor([0])), lambda x, y: x.add_(y),
    lambda x, y: torch.add(x, x, out=torch.empty(2, 3)), lambda x, y: nn.BatchNorm1d(3)(x),
    lambda x, y: torch.einsum("ij,ij->", x, y), lambda x, y: x.lerp(y, 0.5),
]  # fmt: skip


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize("call", ON_TWO_DEVICES)
def test_arguments_on_two_devices_raise_pytorch_s_error(call: Callable[[Any, Any], Any]) -> None:
    message = "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"
    with pytest.raises(RuntimeError, match=message) as caught:
        call(torch.ones(2, 3, device="cuda"), torch.ones(2, 3))
    assert isinstance(caught.value, errors.DeviceError)


@pytest.mark.usefixtures("cuda")
def test_the_error_about_two_devices_names_both_arguments() -> None:
    with pytest.raises(
        RuntimeError, match=r"found at least two devices, cpu and cuda:0! \(a \(2,\) on cpu, b \(2,\) on "
    ):
        torch.ones(2) * torch.ones(2, device="cuda")


@pytest.mark.usefixtures("cuda")
def test_a_cpu_tensor_without_dimensions_may_meet_a_gpu_tensor() -> None:
    """As in PyTorch. Its gradient is on the CPU."""
    x, w = torch.ones(2, device="cuda", requires_grad=True), torch.tensor(3.0, requires_grad=True)
    y = x * w
    y.sum().backward()
    assert x.grad is not None
    assert w.grad is not None
    assert (str(y.device), str(w.grad.device), w.grad.item(), x.grad.tolist()) == ("cuda:0", "cpu", 2.0, [3.0, 3.0])
    z = torch.ones(2, device="cuda")
    assert z.mul_(torch.tensor(2.0)).tolist() == [2.0, 2.0]
    with pytest.raises(RuntimeError, match="same device"):
        torch.tensor(2.0).mul_(z[0])


@pytest.mark.usefixtures("cuda")
def test_writes_copy_from_the_other_device() -> None:
    x, y = torch.zeros(2, 2, device="cuda"), torch.tensor([1.0, 2.0])
    x[0] = y
    x[1].copy_(y)
    assert x.tolist() == [[1.0, 2.0], [1.0, 2.0]]
    assert torch.zeros(2).copy_(x[0]).tolist() == [1.0, 2.0]


@pytest.mark.usefixtures("cuda")
def test_cpu_indices_may_index_gpu_tensors_but_not_the_reverse() -> None:
    x, at = torch.tensor([1.0, 2.0], device="cuda"), torch.tensor([1])
    assert x[at].tolist() == [2.0]
    with pytest.raises(RuntimeError, match=r"indices should be either on cpu or on the same device .*\(cpu\)"):
        torch.ones(2)[at.cuda()]


@pytest.mark.usefixtures("cuda")
def test_conversion_of_a_gpu_tensor_to_numpy_raises() -> None:
    x = torch.ones(2, device="cuda")
    for read in (lambda: x.numpy(), lambda: np.asarray(x)):
        with pytest.raises(TypeError, match=r"can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu\(\)"):
            read()
    assert x.cpu().numpy().tolist() == x.tolist() == [1.0, 1.0]


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.minimum])
@pytest.mark.parametrize("dtype", ["float64", "float16", "complex64", "int64", "int8", "uint8", "bool"])
def test_at_accumulates_at_repeated_indices(ufunc: Any, dtype: str) -> None:
    """Also for ufuncs whose `at` CuPy lacks, and for dtypes on which CUDA has no atomic operations."""
    if dtype == "complex64" and ufunc in (np.maximum, np.minimum):
        return  # complex numbers have no order
    rng = np.random.default_rng(0)
    for index in (rng.integers(0, 3, 9), (slice(None), rng.integers(0, 4, 6)), rng.integers(0, 3, (2, 3))):
        x = rng.integers(1, 4, (3, 4)).astype(dtype)  # small integers have the same sum in any order
        values = rng.integers(1, 4, x[index].shape).astype(dtype)
        if dtype == "complex64":
            x, values = x * (1 + 1j), values * (1 - 1j)
        expected, found = x.copy(), backend.to_device(x, "cuda")
        ufunc.at(expected, index, values)
        gpu_index = index if isinstance(index, tuple) else (index,)
        gpu_index = tuple(i if isinstance(i, slice) else backend.like(i, found) for i in gpu_index)
        index_kernels.at(ufunc, found, gpu_index, backend.like(values, found))
        np.testing.assert_array_equal(backend.to_numpy(found), expected)


@pytest.mark.usefixtures("cuda")
def test_complex_gradients_accumulate_at_repeated_indices() -> None:
    """CUDA has no atomic addition of complex numbers."""
    at = torch.tensor([0, 2, 0])
    calls: list[Callable[[Any], Any]] = [
        lambda x: F.embedding(at.to(x.device), x), lambda x: x[at.to(x.device)],
        lambda x: x.gather(0, at.to(x.device)[:, None]), lambda x: x.as_strided((3, 2), (1, 1)),
        lambda x: torch.zeros(3, 2, dtype=x.dtype, device=x.device).index_add(0, at.to(x.device), x),
    ]  # fmt: skip
    x = torch.tensor([[1 + 2j, 3 - 1j], [0j, 2j], [1 - 1j, 5 + 0j]], requires_grad=True)
    for call in calls:
        found = [torch.autograd.grad((call(y) ** 2).abs().sum(), x)[0].tolist() for y in (x, x.cuda())]
        assert found[1] == found[0]


@pytest.mark.usefixtures("cuda")
def test_logical_functions_take_complex_numbers() -> None:
    """CuPy's don't."""
    x, y = torch.tensor([0j, 1j, 2 + 0j]).cuda(), torch.tensor([0j, 0j, 1 + 1j]).cuda()
    found = [torch.logical_and(x, y), x.logical_or(y), x.logical_xor(y), torch.logical_not(x)]
    no, yes = False, True
    assert [z.tolist() for z in found] == [[no, no, yes], [no, yes, yes], [no, yes, no], [yes, no, no]]
    assert x.logical_and_(y).tolist() == [0, 0, 1]


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rounded_quotients_and_remainders_are_those_of_the_cpu(dtype: Any) -> None:
    """CuPy rounds a quotient before it takes its floor."""
    values = [0.0, -0.0, 1.0, -1.0, 0.1, 0.3, 3.0, -7.5, 1e-8, 1e6, float("inf"), -float("inf"), float("nan")]
    a = torch.tensor(values, dtype=dtype)[:, None]
    for b in (a.T, 0.1, 0.0, float("inf"), a[2:3].expand(1, 500)):
        on_gpu = b.cuda() if isinstance(b, torch.Tensor) else b
        for f in (torch.floor_divide, torch.remainder, lambda a, b: torch.div(a, b, rounding_mode="floor")):
            np.testing.assert_array_equal(f(a.cuda(), on_gpu).cpu(), f(a, b))
            np.testing.assert_array_equal(np.signbit(f(a.cuda(), on_gpu).cpu()), np.signbit(f(a, b)))
    assert (1.0 // a.cuda()).tolist()[4] == [9.0]
    many = torch.tensor([0.1] * 6000 + [1e290], dtype=torch.float64)
    assert torch.equal((1.0 // many.cuda()).cpu(), 1.0 // many)


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("how", ["amax", "amin"])
def test_scattered_maxima_are_exact_and_keep_nan(how: str, dtype: Any) -> None:
    """CuPy's maximum.at and minimum.at round float64 to float32, and NaN loses against any number."""
    inf, nan, index = float("inf"), float("nan"), torch.tensor([0, 0, 1, 1, 2, 2, 3])
    values = torch.tensor([1 / 3, -1 / 3, nan, inf, -0.1, -inf, 5.0], dtype=dtype)
    x = torch.tensor([0.1, -inf, -0.2, nan, 0.7], dtype=dtype)
    for include in (True, False):
        found = x.cuda().scatter_reduce(0, index.cuda(), values.cuda(), how, include_self=include)
        np.testing.assert_array_equal(found.cpu(), x.scatter_reduce(0, index, values, how, include_self=include))


@pytest.mark.usefixtures("cuda")
def test_fmod_of_large_integers_is_exact() -> None:
    """CuPy computes it in float64."""
    a, b = torch.tensor([2**53 + 1, -(2**53) - 1, 2**62 + 1, -7]), torch.tensor([2, 2, -3, 4])
    assert torch.fmod(a.cuda(), b.cuda()).tolist() == torch.fmod(a, b).tolist() == [1, -1, 2, -3]
    assert a.cuda().fmod_(b.cuda()).tolist() == a.clone().fmod_(b).tolist() == [1, -1, 2, -3]
    assert torch.div(a.cuda(), b.cuda(), rounding_mode="trunc").tolist() == [2**52, -(2**52), -((2**62 + 1) // 3), -1]


@pytest.mark.usefixtures("cuda")
def test_singular_matrices_raise_or_are_reported_in_info() -> None:
    """CuPy's linear algebra raises no error unless cupyx.errstate asks for it."""
    singular = torch.ones(3, 2, 2).cuda()
    for call in (torch.linalg.inv, torch.linalg.cholesky, lambda x: torch.linalg.solve(x, x), torch.inverse):
        with pytest.raises(torch.linalg.LinAlgError):
            call(singular - 2)
    assert torch.linalg.inv_ex(singular).info.tolist() == [2, 2, 2]
    assert torch.linalg.cholesky_ex(singular - 2).info.tolist() == [1, 1, 1]
    triangle = torch.linalg.solve_triangular(torch.zeros(1, 1).cuda(), torch.ones(1, 1).cuda(), upper=True)
    assert triangle.tolist() == [[float("inf")]]


@pytest.mark.usefixtures("cuda")
def test_decompositions_that_do_not_converge_raise() -> None:
    """CuPy's only do if cupyx.errstate asks for it, and its eig takes NaN."""
    x = torch.full((2, 3, 3), torch.nan)
    for call in (torch.linalg.eigh, torch.linalg.eigvalsh, torch.linalg.svd, torch.linalg.svdvals):
        with pytest.raises(torch.linalg.LinAlgError, match="The algorithm failed to converge because the input matrix"):
            call(x.cuda())
    for call in (torch.linalg.eig, torch.linalg.eigvals):
        with pytest.raises(RuntimeError, match="input tensor should not contain infs or NaNs"):
            call(x.cuda())


@pytest.mark.usefixtures("cuda")
def test_errors_of_cupy_are_in_pytorch_s_words() -> None:
    x = torch.ones(3).cuda()
    with pytest.raises(RuntimeError, match=r"output with shape \[3\] doesn't match the broadcast shape \[2, 3\]"):
        x.mul_(torch.ones(2, 3).cuda())
    with pytest.raises(IndexError, match="index 5 is out of bounds for dimension 0 with size 3"):
        x[5]


@pytest.mark.usefixtures("cuda")
def test_equations_without_right_hand_sides_have_empty_solutions() -> None:
    """CuPy divides by their number."""
    a, b = torch.eye(3).expand(2, 3, 3).cuda(), torch.ones(3, 0).cuda()
    assert torch.linalg.solve(a, b.expand(2, 3, 0)).shape == (2, 3, 0)
    assert torch.linalg.solve_triangular(a, b, upper=True).shape == (2, 3, 0)


@pytest.mark.usefixtures("cuda")
def test_solve_broadcasts_batch_dimensions() -> None:
    """CuPy's solve doesn't broadcast."""
    a, b = torch.randn(2, 1, 3, 3, dtype=torch.float64), torch.randn(4, 3, 2, dtype=torch.float64)
    solved = torch.linalg.solve(a.cuda(), b.cuda()), torch.linalg.solve_triangular(a.cuda(), b.cuda(), upper=True)
    torch.testing.assert_close(solved[0].cpu(), torch.linalg.solve(a, b))
    torch.testing.assert_close(solved[1].cpu(), torch.linalg.solve_triangular(a, b, upper=True))


MAKERS: list[Callable[..., Any]] = [
    lambda **out: torch.zeros(3, **out), lambda **out: torch.full((3,), 2.0, **out), lambda **out: torch.eye(3, **out),
    lambda **out: torch.arange(3.0, **out), lambda **out: torch.linspace(0, 1, 3, **out),
    lambda **out: torch.logspace(0, 1, 3, **out), lambda **out: torch.rand(3, **out),
    lambda **out: torch.normal(0, 1, (3,), **out), lambda **out: torch.randint(3, (3,), **out),
    lambda **out: torch.randperm(3, **out), lambda **out: torch.fft.fftfreq(3, **out),
    lambda **out: torch.fft.rfftfreq(3, **out),
]  # fmt: skip


@pytest.mark.parametrize("seed", [lambda: torch.cuda.manual_seed(1), torch.cuda.seed_all])
def test_seeding_without_a_gpu_keeps_the_state_of_the_cpu_generator(
    seed: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("microgad.backend.gpu_count", lambda: 0)
    before = torch.get_rng_state()
    seed()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize("make", MAKERS)
def test_out_determines_the_device_of_a_created_tensor(make: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    expected = make()
    for out in (torch.empty_like(expected, device="cuda"), torch.empty(0, dtype=expected.dtype, device="cuda")):
        torch.manual_seed(0)
        assert make(out=out) is out
        assert str(out.device) == "cuda:0"
        assert out.tolist() == expected.tolist()


@pytest.mark.usefixtures("cuda")
def test_an_out_that_overlaps_an_input_raises() -> None:
    x, at = torch.arange(6.0).cuda(), torch.tensor([0, 1, 2]).cuda()
    for out in (x[1:4], x[:3], x[::2]):
        with pytest.raises(RuntimeError, match="some elements of the input tensor and the written-to tensor"):
            torch.gather(x, 0, at, out=out)
    assert torch.take(x[3:], at, out=x[:3]).tolist() == x[3:].tolist() == [3, 4, 5]


@pytest.mark.usefixtures("cuda")
def test_integers_to_negative_powers_truncate_as_on_the_cpu() -> None:
    x, p = torch.tensor([2, 1, -1, 3]), torch.tensor([-1, -2, -3, 2])
    assert (x.cuda() ** p.cuda()).tolist() == (x**p).tolist() == [0, 1, -1, 9]


@pytest.mark.usefixtures("cuda")
def test_scans_of_one_element_return_new_memory() -> None:
    x = torch.ones(2, 1).cuda()
    for y in (x.cumprod(1), x.cumsum(1), x.logcumsumexp(1), x.cummax(1)[0], x.cummin(1).values):
        y.add_(1)
    assert x.tolist() == [[1.0], [1.0]]


def test_gradient_checks_run_on_the_gpu(cuda: None) -> None:
    x = torch.randn(3, 4, dtype=torch.float64).cuda().requires_grad_()
    y = torch.randn(4, 2, dtype=torch.float64).cuda().requires_grad_()
    for order, full in ((1, True), (2, True), (1, False)):
        torch.testing.check_grads(torch.matmul, [x, y], order=order, full=full)
        torch.testing.check_grads(torch.relu, [x], order=order, full=full)
    torch.testing.check_grads(torch.sin, [x], modes=("rev", "fwd"))
    assert torch.autograd.gradcheck(torch.matmul, (x, y))
    assert torch.autograd.gradgradcheck(torch.matmul, (x, y))
    with pytest.raises(torch.testing.GradcheckError, match="wrong in 12 of 144 entries"):
        torch.testing.check_grads(lambda x: x * x.detach(), [x])


def test_equal_raises_for_tensors_on_two_devices(cuda: None) -> None:
    x = torch.ones(2)
    assert torch.equal(x.cuda(), x.cuda())
    with pytest.raises(RuntimeError, match=r"Cannot compare two tensors on different devices\. Got: cuda:0 and cpu"):
        torch.equal(x.cuda(), x)
