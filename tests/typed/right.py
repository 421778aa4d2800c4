"""Correct programs, with the types that a type checker infers.

The test is mypy, with the settings in pyproject.toml, and in .ci/run once more as users run it: with --strict alone,
for the installed package.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, assert_type

import numpy as np

import microgad as torch
import microgad.distributions as D
import microgad.nn.functional as F
from microgad import Tensor, nn, return_types
from microgad.nn.modules.loss import _WeightedLoss
from microgad.nn.utils.rnn import PackedSequence, pack_sequence
from microgad.utils.data import DataLoader, Dataset, TensorDataset
from microgad.utils.tensorboard import SummaryWriter

x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)


def operators_give_tensors() -> None:
    assert_type(x + 1, Tensor)
    assert_type(1 - x, Tensor)
    assert_type(2j * x, Tensor)
    assert_type(x * np.float32(2), Tensor)
    assert_type(x / np.ones(2), Tensor)
    assert_type(x @ x.T, Tensor)
    assert_type(x**2, Tensor)
    assert_type(-x, Tensor)
    assert_type(x == 1, Tensor)
    assert_type((x > 0) & ~(x < 1), Tensor)
    assert_type(x[0, :, None], Tensor)
    y = x.detach()
    y += 1
    y[y > 1] = 0
    assert_type(y, Tensor)


def shapes_are_numbers() -> None:
    assert_type(x.shape[0], int)
    assert_type(x.shape[1:], torch.Size)
    assert_type(x.size(), torch.Size)
    assert_type(x.size(-1), int)
    assert_type(x.stride(0), int)
    n, d = x.shape
    assert_type(n * d, int)
    assert_type(x.view(n, -1).reshape((d, n)).permute(1, 0).expand(2, n, d), Tensor)
    assert_type(x.view(torch.int32).repeat(2, 1).flip(0).flip([0]), Tensor)
    assert_type(x.new_zeros(2, 3).new_ones((2, 3), dtype=torch.float64), Tensor)
    assert_type(x.diagonal().gather(0, x[0].long()).scatter(0, x[0].long(), 1.0), Tensor)
    assert_type(x.split(split_size=1), tuple[Tensor, ...])
    assert_type(torch.split(x, split_size_or_sections=[1, 1]), tuple[Tensor, ...])


def new_tensors(n: int, sizes: list[int], made: Any) -> None:
    assert_type(torch.zeros(2, n), Tensor)
    assert_type(torch.ones((2, n), dtype=torch.int64, device="cpu", requires_grad=False, pin_memory=False), Tensor)
    assert_type(torch.empty(size=x.shape, memory_format=torch.channels_last, layout=torch.strided), Tensor)
    assert_type(torch.rand(*sizes, generator=torch.Generator()), Tensor)
    assert_type(torch.randn(sizes, out=x), Tensor)
    assert_type(torch.zeros(*x.shape[:-1], 1), Tensor)
    assert_type(torch.zeros(made), Tensor)
    assert_type(torch.full((2,), True), Tensor)
    assert_type(torch.full([n], 2j, dtype=torch.complex64), Tensor)
    assert_type(torch.arange(n), Tensor)
    assert_type(torch.arange(end=n), Tensor)
    assert_type(torch.arange(0, 1, step=0.1, dtype=torch.float64), Tensor)
    assert_type(torch.arange(x.sum()), Tensor)
    assert_type(torch.arange(np.float32(2), np.int64(3)), Tensor)
    assert_type(torch.linspace(0, 1, steps=5, out=x), Tensor)
    assert_type(torch.logspace(0, 1, 5, base=2), Tensor)
    assert_type(torch.eye(2, 3, dtype=torch.bool), Tensor)
    assert_type(torch.randint(10, (2,)), Tensor)
    assert_type(torch.randint(0, 10, size=(2,), dtype=torch.int32), Tensor)
    assert_type(torch.randint(high=n, size=[2]), Tensor)
    assert_type(torch.randint_like(x, 2, 5, memory_format=torch.preserve_format), Tensor)
    assert_type(torch.randperm(n, generator=None), Tensor)
    assert_type(torch.normal(x, 1.0), Tensor)
    assert_type(torch.normal(0, 1, size=(2,)), Tensor)
    assert_type(torch.zeros_like(x, memory_format=torch.preserve_format).new_full((2,), 1), Tensor)
    assert_type(torch.empty_strided((2, 3), (1, 2)), Tensor)
    assert_type(torch.scalar_tensor(1, requires_grad=False), Tensor)
    assert_type(torch.tril_indices(2, 3, 1, device="cpu"), Tensor)
    assert_type(torch.hann_window(4, periodic=False, dtype=torch.float64, pin_memory=False), Tensor)
    assert_type(torch.signal.windows.gaussian(4, std=2, device="cpu"), Tensor)
    assert_type(x.new_empty(size=(2, 3), device="cpu"), Tensor)


def in_place() -> None:
    with torch.no_grad():
        assert_type(x.mul_(2).add_(x, alpha=0.5).clamp_(min=0).neg_(), Tensor)
        assert_type(x.lerp_(x, weight=0.5).pow_(exponent=2).sub_(1), Tensor)
        assert_type(x.masked_fill_(x > 0, 0.0).scatter_(1, torch.zeros(2, 1, dtype=torch.int64), 1.0), Tensor)
        assert_type(x.addcmul_(x, x, value=0.1).addcdiv_(x, x, value=0.1).copy_(x).fill_(0).zero_(), Tensor)
    assert_type(x.unsqueeze_(0).squeeze_(0).t_().transpose_(0, 1), Tensor)


def conversions() -> None:
    assert_type(x.float().double().half().long().int().bool(), Tensor)
    assert_type(x.to(torch.float64).to("cpu").to(x), Tensor)
    assert_type(x.type(), str)
    assert_type(x.type("torch.DoubleTensor").type(torch.cuda.FloatTensor).type(torch.float64), Tensor)
    assert_type(x.as_subclass(nn.Parameter), nn.Parameter)
    assert_type(x.tolist(), list[Any])
    assert_type(x.to("cpu", torch.float64, non_blocking=True, copy=True), Tensor)
    assert_type(x.to(device=None, dtype=float, memory_format=torch.channels_last), Tensor)
    assert_type(x.to(np.dtype("float32"), True, copy=True), Tensor)
    assert_type(x.to(other=x).to(x, non_blocking=True), Tensor)
    assert_type(nn.Linear(2, 2).to("cpu", torch.float64).to(x).to(dtype=torch.half, non_blocking=True), nn.Linear)
    assert_type(nn.Parameter(x).to(0), Tensor)


def classes(indices: torch.LongTensor, either: Tensor | list[int]) -> torch.FloatTensor:
    assert_type(torch.Tensor(2, 3), Tensor)
    assert_type(nn.Parameter(x), nn.Parameter)
    assert_type(torch.FloatStorage(2), torch.FloatStorage)
    assert_type(either if torch.is_tensor(either) else x, Tensor)
    return torch.FloatTensor([1.0]) if indices.any() else torch.cuda.FloatTensor(2)


def indices(i: int, mask: Tensor, rows: list[int], which: tuple[int | slice, ...], either: Any) -> None:
    assert_type(x[i, ..., None], Tensor)
    assert_type(x[1:, ::2][mask][rows], Tensor)
    assert_type(x[[0, 1], [True, False]], Tensor)
    assert_type(x[np.arange(2), np.int64(1)], Tensor)
    assert_type(x[range(2)], Tensor)
    assert_type(x[which], Tensor)
    assert_type(x[(0, 1), (1, 0)], Tensor)
    assert_type(x[True, ..., False], Tensor)
    assert_type(x[either], Tensor)
    x[mask], x[0], x[:, 1] = 0, mask, [1.0, 2.0]
    x[..., 0], x[0, 0], x[1:] = np.ones(2), 1j, np.float32(2)


def reductions() -> None:
    assert_type(x.max(), Tensor)
    assert_type(x.max(1), return_types.max)
    assert_type(torch.max(x, dim=1, keepdim=True).indices, Tensor)
    assert_type(torch.max(x, x), Tensor)
    assert_type(x.max(other=x) + torch.min(input=x, other=x), Tensor)
    values, where = x.min(dim=0)
    assert_type(values, Tensor)
    assert_type(where, Tensor)
    assert_type(torch.median(x), Tensor)
    assert_type(x.nonzero(), Tensor)
    assert_type(x.nonzero(as_tuple=True), tuple[Tensor, ...])
    assert_type(torch.where(x > 0, x, 0.0), Tensor)
    assert_type(torch.where(x > 0), tuple[Tensor, ...])
    assert_type(x.unique(), Tensor)
    assert_type(x.unique(return_counts=True), tuple[Tensor, Tensor])
    assert_type(torch.unique(x, return_inverse=True, return_counts=True), tuple[Tensor, Tensor, Tensor])
    assert_type(x.unique(True, True), Any)
    assert_type(x.unique_consecutive(True), tuple[Tensor, Tensor])
    assert_type(x.unique_consecutive(return_counts=True, dim=0), tuple[Tensor, Tensor])
    assert_type(x.unique_consecutive(True, True), tuple[Tensor, Tensor, Tensor])
    assert_type(torch.atleast_1d(x), Tensor)
    assert_type(torch.svd_lowrank(x), tuple[Tensor, Tensor, Tensor])
    assert_type(torch.finfo(x.dtype).eps, float)
    assert_type(torch.lu(x), tuple[Tensor, Tensor])
    assert_type(x.lu(get_infos=True), Any)


def poolings(return_indices: bool) -> None:
    assert_type(F.max_pool2d(x, 2), Tensor)
    assert_type(F.max_pool2d(x, 2, return_indices=False), Tensor)
    assert_type(F.max_pool2d(x, 2, return_indices=True), tuple[Tensor, Tensor])
    assert_type(F.max_pool2d(x, 2, 2, 0, 1, False, True), Any)
    assert_type(F.max_pool2d(x, 2, return_indices=return_indices), Any)
    assert_type(F.adaptive_max_pool2d(x, (2, None)), Tensor)
    assert_type(F.adaptive_max_pool1d(x, 2, True), tuple[Tensor, Tensor])
    assert_type(F.adaptive_max_pool3d(x, 2, return_indices), Any)
    assert_type(F.adaptive_max_pool2d_with_indices(x, 2), tuple[Tensor, Tensor])
    assert_type(F.fractional_max_pool2d(x, 2, 2), Tensor)
    assert_type(F.fractional_max_pool3d(x, 2, output_ratio=0.5, return_indices=True), tuple[Tensor, Tensor])
    assert_type(F.fractional_max_pool2d_with_indices(x, 2, 2), tuple[Tensor, Tensor])
    assert_type(torch.max_pool1d_with_indices(x, 2), tuple[Tensor, Tensor])
    assert_type(torch.adaptive_max_pool1d(x, 2), tuple[Tensor, Tensor])


def gradients(either: Any) -> None:
    (slope,) = torch.autograd.grad(x.sum(), x, create_graph=True)
    assert_type(slope, Tensor)
    assert_type(torch.autograd.grad([x.sum()], [x, x], allow_unused=True), tuple[Tensor, ...])
    assert_type(torch.autograd.grad(x.sum(), {"x": x}), dict[str, Tensor])
    assert_type(torch.autograd.grad(x.sum(), either), Any)
    sequential = nn.Sequential(nn.ReLU(), nn.Tanh())
    assert_type(torch.utils.checkpoint.checkpoint_sequential(sequential, 2, x, use_reentrant=False), Any)
    missing: list[Tensor | None] = list(torch.autograd.grad(x.sum(), nn.Linear(2, 2).parameters(), allow_unused=True))
    assert missing


def names_of_torch() -> None:
    assert_type(torch.swapdims(x, 0, 1), Tensor)
    assert_type(torch.moveaxis(x, 0, 1), Tensor)
    assert_type(torch.ger(x[0], x[1]), Tensor)
    assert_type(torch.unsafe_split(x, 1), tuple[Tensor, ...])
    assert_type(torch.view_copy(x, (4,)), Tensor)
    assert_type(torch.models.resnet18(num_classes=10), torch.models.resnet.ResNet)
    assert_type(torch.models.vgg11(weights=None), torch.models.vgg.VGG)


class Net(nn.Module):
    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(inputs, 8), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(8, classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(self.head(self.body(x.flatten(1))), dim=-1)


class ScaledLinear(nn.Linear):
    def forward(self, input: Tensor, scale: float = 1.0) -> Tensor:
        return scale * super().forward(input)


class MaybeLoss(nn.Module):
    def forward(self, x: Tensor, target: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        return x, None if target is None else F.mse_loss(x, target)


class Unannotated(nn.Module):
    def forward(self, x):  # type: ignore[no-untyped-def]
        return [x]


class OwnLoss(_WeightedLoss):
    def forward(self, x: Tensor) -> Tensor:
        return x if self.weight is None else x * self.weight


class OwnLSTM(nn.LSTM):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class OwnCall(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x

    def __call__(self, x: Tensor, times: int = 1) -> Tensor:
        return super().__call__(x * times)


def calls_of_layers(layer: nn.Linear | nn.Conv2d, activation: nn.Module | None = None) -> Tensor:
    assert_type(nn.Linear(2, 3)(x), Tensor)
    assert_type(nn.modules.linear.LazyLinear(3)(x), Tensor)
    assert_type(nn.modules.conv.LazyConvTranspose2d(3, 2)(x), Tensor)
    assert_type(nn.Conv2d(1, 2, 3).stride, tuple[int, ...])
    assert_type(nn.Embedding(2, 3)(x.long()), Tensor)
    assert_type(nn.MSELoss()(x, x), Tensor)
    assert_type(nn.TripletMarginLoss()(x, x, x), Tensor)
    assert_type(nn.CTCLoss()(x, x, x, x), Tensor)
    assert_type(nn.TransformerEncoderLayer(2, 1)(x), Tensor)
    assert_type(torch.models.resnet18()(x), Tensor)
    assert_type(nn.AdaptiveLogSoftmaxWithLoss(2, 3, [1])(x, x).loss, Tensor)
    assert_type(nn.MaxPool2d(2, return_indices=True)(x), Any)
    assert_type(nn.Sequential(nn.Linear(2, 3))(x), Tensor)
    if activation is not None:
        assert_type(activation(x), Any)
    return layer(x)


def calls_of_recurrent_layers(either: Tensor | PackedSequence) -> None:
    assert_type(nn.LSTM(2, 3)(x), tuple[Tensor, tuple[Tensor, Tensor]])
    assert_type(nn.LSTM(2, 3)(pack_sequence([x]))[0], PackedSequence)
    assert_type(nn.GRU(2, 3)(x, hx=x), tuple[Tensor, Tensor])
    assert_type(nn.RNN(2, 3, 1, "relu")(input=either)[1], Tensor)
    assert_type(OwnLSTM(2, 3, bidirectional=True)(x)[0], Tensor)
    assert_type(nn.LSTMCell(2, 3)(x), tuple[Tensor, Tensor])
    assert_type(nn.GRUCell(2, 3)(x), Tensor)
    out, weights = nn.MultiheadAttention(2, 1)(x, x, x)
    assert_type(out, Tensor)
    weights.sum()
    _, weights = nn.MultiheadAttention(2, 1)(x, x, x, need_weights=False)
    assert weights is None


def calls_of_programs_modules() -> None:
    assert_type(Net(2, 3)(x), Tensor)
    assert_type(ScaledLinear(2, 3)(x, 2.0), Tensor)
    assert_type(OwnCall()(x, 2), Tensor)
    assert_type(Unannotated()(x), Any)
    _, loss = MaybeLoss()(x, x)
    loss.backward()  # as in PyTorch it is Any: programs know when there is a loss


class Squares(Dataset[tuple[Tensor, Tensor]]):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        value = torch.tensor([float(index), 1.0])
        return value, (value * value).sum()


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return 2 * x

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        assert_type(x, Tensor)
        return 2 * grad

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return 2 * tangent

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int], x: Tensor) -> tuple[Tensor, int]:
        return 2 * x, in_dims[0]


def scaled(t: Tensor, by: float) -> Tensor:
    return t * by


def transforms() -> None:
    assert_type(torch.func.vmap(scaled, in_dims=(0, None))(x, by=2.0), Tensor)
    assert_type(torch.func.grad(scaled)(x, 2.0), Any)
    assert_type(torch.func.grad_and_value(scaled)(x, 2.0), tuple[Any, Any])


def distributions() -> None:
    assert_type(D.Categorical(x).logits * D.Bernoulli(x).probs, Tensor)
    assert_type(D.MultivariateNormal(x, x).precision_matrix, Tensor)
    assert_type(D.Independent(D.Normal(x, 1.0), 1).expand((2,)), D.Independent)


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        assert_type(self.w, nn.Parameter)
        return x * self.w


def loaders(batches: DataLoader[tuple[Tensor, Tensor]]) -> int:
    assert_type(DataLoader([1, 2], batch_size=2), DataLoader[int])
    assert_type(DataLoader(x), DataLoader[Tensor])
    assert_type(DataLoader(TensorDataset(x)), DataLoader[tuple[Tensor, ...]])
    return sum(len(inputs) for inputs, target in batches)


def train(epochs: int = 1) -> Iterator[float]:
    net = Net(2, 3)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net.to(device).train()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.9, 0.999))
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    data = TensorDataset(torch.randn(8, 2), torch.randint(0, 3, (8,)))
    for _ in range(epochs):
        for inputs, target in DataLoader(data, batch_size=4, shuffle=True):
            optimizer.zero_grad()
            loss = F.nll_loss(net(inputs.to(device)), target.to(device))
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            assert_type(optimizer.step(loss.clone), Tensor)
            yield loss.item()
        schedule.step()
        rate: float = schedule.get_last_lr()[0]
        print(f"{rate:.3f}")


@torch.no_grad()
def undecorated(a: Tensor, n: int) -> Tensor:
    return a * n


def modules() -> None:
    body = nn.Sequential(nn.Linear(2, 8), nn.ReLU())
    assert_type(body[0], nn.Module)
    assert_type(body[1:], nn.Sequential)
    assert_type(nn.ModuleList([body])[-1], nn.Module)
    assert_type(nn.ModuleDict({"body": body})["body"], nn.Module)
    assert_type(body.state_dict(), dict[str, Any])
    assert_type(undecorated(x, 2), Tensor)
    assert_type(x.numpy(), np.ndarray[Any, Any])


def weights() -> None:
    assert_type(torch.models.ResNet18_Weights.DEFAULT, torch.models.WeightsEnum)
    nn.init.zeros_(nn.Linear(2, 2).bias)
    nn.init.ones_(nn.BatchNorm2d(2).weight)


@torch.compile
def compiled(a: Tensor, n: int) -> Tensor:
    return a * n


def dtypes_and_devices() -> None:
    assert_type(compiled(x, 2), Tensor)
    assert_type(torch.zeros(2, dtype=np.dtype("float32"), device="cpu"), Tensor)
    assert_type(torch.full((2,), 1.0, dtype=float, device=torch.device("cpu")), Tensor)
    assert_type(torch.randn(2, dtype=torch.half, device=None), Tensor)
    assert_type(torch.tensor(1, device=0 if torch.cuda.is_available() else "cpu"), Tensor)


def values_and_names(seed: np.int64, config: dict[str, Any]) -> None:
    torch.manual_seed(seed)
    assert_type(torch.from_numpy(np.ones(2)), Tensor)
    assert_type(torch.Tensor([1, 2]), Tensor)
    assert_type(torch.Tensor(2, 3, device="cpu").sum(), Tensor)
    assert_type(x.masked_fill(x > 0, -np.inf), Tensor)
    assert_type(x.masked_fill(x > 0, x.sum()).norm(p="fro", dim=(0, 1)), Tensor)
    assert_type(torch.norm(x, np.inf), Tensor)
    assert_type(torch.scatter(x, 0, x.long(), x, reduce="add"), Tensor)
    assert_type(x.scatter(1, x.long(), value=2.0), Tensor)
    assert_type(x.contiguous(memory_format=torch.channels_last).clone(memory_format=torch.preserve_format), Tensor)
    assert_type(torch.autograd.grad((x.sum(), torch.autograd.graph.get_gradient_edge(x)), x), tuple[Tensor, ...])
    assert_type(nn.Sequential(OrderedDict(body=nn.Linear(2, 2))), nn.Sequential)
    assert_type(nn.Sequential(*[nn.ReLU() for _ in range(2)]), nn.Sequential)
    assert_type(torch.distributions.Normal(0, x).sample(x.shape), Tensor)
    assert_type(torch.distributions.Beta(np.float32(2), 0.5).rsample(torch.Size([2])), Tensor)
    assert_type(torch.distributions.Categorical(logits=x).sample((2, 3)), Tensor)
    assert_type(torch.Size(n + 1 for n in x.shape), torch.Size)
    assert_type(torch.finfo(), torch.finfo)
    assert_type(torch.finfo(x.dtype), torch.finfo)
    assert_type(torch.iinfo(np.int8), torch.iinfo)
    nn.init.kaiming_uniform_(x, mode="fan_out", nonlinearity=config["nonlinearity"])
    nn.Conv1d(1, 1, 3, padding="same", padding_mode="reflect")
    sgd = torch.optim.SGD([x], lr=0.1)
    torch.optim.lr_scheduler.OneCycleLR(sgd, 0.1, 10, anneal_strategy="linear")
    torch.optim.lr_scheduler.ReduceLROnPlateau(sgd, "max", threshold_mode="abs")
    torch.compile(nn.ReLU(), fullgraph=True, mode="max-autotune", options={"trace.enabled": True})
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True):
        pass
    with SummaryWriter("runs", flush_secs=30) as writer:
        assert_type(writer, SummaryWriter)
        writer.add_scalar("loss", x.sum(), 0)
