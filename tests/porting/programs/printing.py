"""How Tensors print, with various print options."""

import torch

print(
    torch.tensor([1e-5, 1.0, 1000.0]),
    torch.tensor([1.0, 2.5e6]),
    torch.tensor([0.1, float("inf"), float("nan")]),
    torch.tensor([1e20]),
    torch.tensor([[1e-10]]),
    torch.tensor(-0.0),
    torch.tensor([True]),
    torch.tensor([1 + 2j, 1e-6j]),
    torch.zeros(2, 0),
    torch.ones(1200).sum(),
    torch.arange(1001),
    torch.rand(2, 3, requires_grad=True).shape,
    torch.full((3, 3), 1 / 3, dtype=torch.float64),
    torch.tensor([1.5], dtype=torch.float16),
    torch.empty(0, dtype=torch.int32),
    torch.tensor([[[1.0]]]),
    torch.tensor([123456789.0, 0.5]),
    torch.tensor([1e8, 1.0]).double(),
    torch.eye(3).bool(),
    torch.tensor(3).float().requires_grad_(),
    torch.nn.Parameter(torch.tensor([1.0])),
    torch.arange(10000.0).view(100, 100),
    torch.tensor([255], dtype=torch.uint8),
    [torch.ones(2), {"a": torch.zeros(1)}],
    (torch.tensor(1),),
    torch.tensor([0.00001234, 5]),
    torch.tensor([99999.0, 100000.0]),
    torch.tensor([1.0, float("nan")]),
    torch.tensor([float("-inf")]),
    torch.linspace(-1e-3, 1e-3, 3),
    sep="\n",
)
torch.set_printoptions(sci_mode=True)
print(torch.tensor([1.0, 20.0]))
torch.set_printoptions(sci_mode=False, precision=8)
print(torch.tensor([1e-7, 20.0]), torch.tensor(1 / 3))
torch.set_printoptions(profile="short")
print(torch.rand(2).shape, torch.tensor([1 / 3]), torch.arange(50))
torch.set_printoptions(profile="default", linewidth=40)
print(torch.arange(20.0))
torch.set_printoptions(linewidth=80, edgeitems=1, threshold=5)
print(torch.ones(3, 3, 3))
torch.set_printoptions(profile="default")
print(
    f"{torch.tensor(3.14159):.2f} {torch.tensor([1.5])} {torch.tensor(7)!r:>12} {torch.tensor(True)!s}",
    f"{torch.tensor(2.0).item()!r} {torch.float32} {torch.Size([1])} {torch.device('cpu')}",
    f"{torch.ones(1)}",
    f"{torch.tensor(12345.678):.3e}",
    f"{torch.tensor(1.0).item():>8.2f}|",
)
