"""Planted faults for test_why_no_grad.py: each loses a gradient in the line with the comment `# here`."""

from __future__ import annotations

import numpy as np

import microgad as torch
from microgad import nn

from .faulty_lines import faults_of, planted


class Net(nn.Module):
    """A model whose forward method is a given faulty function."""

    def __init__(self, forward):
        super().__init__()
        self.stem, self.conv = nn.Linear(4, 16), nn.Conv2d(1, 3, 3)
        self.norm, self.drop = nn.LayerNorm(16), nn.Dropout(0.5)
        self.head, self.other = nn.Linear(16, 3), nn.Linear(16, 3)
        self.embed, self.rnn = nn.Embedding(10, 16), nn.LSTM(16, 16, batch_first=True)
        self.scale = nn.Parameter(torch.ones(16))
        self.faulty = forward

    def forward(self, x):
        return self.faulty(self, x)


def detach(net, x):
    h = net.stem(x).relu()
    return net.head(h.detach())  # here Detach detached stem.weight


def data(net, x):
    h = net.stem(x)
    h = net.norm(h.data)  # here Detach detached stem.bias
    return net.head(h)


def no_grad(net, x):
    with torch.no_grad():
        h = net.stem(x)  # here Linear no_grad stem.weight
    return net.head(h.tanh())


def inference_mode(net, x):
    with torch.inference_mode():
        h = net.norm(x @ torch.ones(4, 16))  # here LayerNorm no_grad norm.weight
    return net.head(h.clone())


def set_grad_enabled(net, x):
    h = net.stem(x)
    with torch.set_grad_enabled(False):
        h = h * net.scale  # here Mul no_grad scale
    return net.head(h)


def requires_grad_after_no_grad(net, x):
    with torch.no_grad():
        h = net.stem(x)  # here Linear no_grad stem.weight
        h = h.relu()
    return net.head(h.requires_grad_())


def embedding_without_grad(net, x):
    tokens = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        vectors = net.embed(tokens)  # here Embedding no_grad embed.weight
    return net.head(vectors.mean(1))


def frozen_recurrence(net, x):
    h, _ = net.rnn(net.stem(x)[:, None])
    h = h.clone().detach()  # here Detach detached rnn.weight_ih_l0
    return net.head(h[:, -1])


def long_cast(net, x):
    h = net.stem(x)
    return net.head(h.long().float())  # here Cast integer stem.weight


def to_int32(net, x):
    h = net.stem(x) * 10
    h = h.to(torch.int32)  # here Cast integer stem.bias
    return net.head(h / 10)


def bytes_of_an_image(net, x):
    image = net.conv(x.reshape(-1, 1, 4, 4))
    quantized = (image * 255).to(torch.uint8)  # here Cast integer conv.weight
    return quantized.float() / 255


def comparison(net, x):
    h = net.stem(x)
    gate = h > 0  # here Greater comparison stem.weight
    return net.head(gate.float())


def hard_gate(net, x):
    gate = net.scale >= 0.5  # here GreaterEqual comparison scale
    return net.head(net.stem(x) * gate)


def accuracy(net, x):
    scores = net.head(net.stem(x))
    best = scores.argmax(1)  # here Argmax integer head.weight
    return (best - 1).float()


def where_decides(net, x):
    h = net.stem(x)
    return net.other(torch.where(h < 0, 0.0, 1.0))  # here Less comparison stem.weight


def equality(net, x):
    scores = net.head(net.stem(x))
    right = scores == scores.amax(1, keepdim=True)  # here Equal comparison head.bias
    return right.float()


def boolean(net, x):
    h = net.stem(x).bool()  # here Cast integer stem.weight
    return net.head(h.float())


def isnan(net, x):
    h = torch.isnan(net.stem(x))  # here IsNaN comparison stem.weight
    return net.head(h.float())


def numpy_round_trip(net, x):
    h = net.stem(x).detach().numpy()  # here Detach left stem.weight
    return net.head(torch.from_numpy(np.maximum(h, 0)))


def item(net, x):
    size = net.scale.norm()  # here VectorNorm left scale
    factor = torch.tensor(size.item())
    return net.head(net.stem(x) * factor)


def tolist(net, x):
    h = net.stem(x)  # here Linear left stem.weight
    return net.head(torch.tensor(h.tolist()))


def python_number(net, x):
    largest = net.scale.exp().max()  # here Max left scale
    return net.head(net.stem(x) * torch.full((16,), float(largest)))


def unused_result(net, x):
    h = net.stem(x)
    net.other(h)  # here Linear unused other.weight
    return net.head(h)


def forgotten_residual(net, x):
    h = net.stem(x)
    net.drop(h * net.scale)  # here Dropout unused scale
    return net.head(h)


def detached_in_place(net, x):
    h = net.stem(x)  # here Linear taken off stem.weight
    h.detach_()
    return net.head(h)


def an_index(net, x):
    scores = net.head(net.stem(x))
    best = scores.argmax(1)  # here Argmax integer head.weight
    return net.other.weight[best]


def a_mask(net, x):
    mask = net.scale > 2  # here Greater comparison scale
    return net.head(net.stem(x).masked_fill(mask, 0.0))


def a_new_parameter(net, x):
    h = net.scale.exp()  # here Exp left scale
    return net.head(net.stem(x) * nn.Parameter(torch.tensor(h.tolist())))


def made_a_leaf(net, x):
    h = net.stem(x).exp()  # here Exp taken off stem.weight
    return net.head(h.detach_().requires_grad_())


def rounding(net, x):
    h = net.stem(x)
    return net.head(h.round())  # here Round flat stem.weight


def sign(net, x):
    return net.head(torch.sign(net.stem(x) * net.scale))  # here Sign flat scale


def floor(net, x):
    h = torch.floor(net.stem(x) * 4) / 4  # here Floor flat stem.bias
    return net.head(h)


def floor_division(net, x):
    return net.head(net.stem(x).div(0.5, rounding_mode="floor"))  # here FloorDiv flat stem.weight


def truncated_division(net, x):
    h = torch.div(net.stem(x), 0.5, rounding_mode="trunc")  # here TruncDiv flat stem.weight
    return net.head(h)


def zeroed(net, x):
    h = net.stem(x) * 1
    h.zero_()  # here SetItem flat stem.weight
    return net.head(h)


def overwritten(net, x):
    h = net.stem(x) * 1
    h[:] = x.repeat(1, 4)  # here SetItem flat stem.weight
    return net.head(h)


def copied_over(net, x):
    h = net.stem(x) * 1
    h.copy_(torch.ones(len(x), 16))  # here SetItem flat stem.weight
    return net.head(h)


def dead_relu(net, x):
    h = net.stem(x) - 1000.0
    return net.head(h.relu())  # here Relu zeros stem.weight


def times_zero(net, x):
    h = net.stem(x)
    h = h * 0.0  # here Mul zeros stem.bias
    return net.head(h)


def saturated(net, x):
    h = (net.stem(x) + 1000).sigmoid()  # here Sigmoid zeros stem.weight
    return net.head(h)


def clamped(net, x):
    h = net.stem(x) + 50
    h = h.clamp(-1, 1)  # here Clamp zeros stem.weight
    return net.head(h)


class Forgetful(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return None


def backward_of_none(net, x):
    h = Forgetful.apply(net.stem(x))  # here Forgetful nothing stem.weight
    return net.head(h)


FAULTS = faults_of(globals())


def facts_of(case):
    """The line number of a fault, the operation and reason in its comment, and the parameter that has no gradient."""
    line, (op, *reason, parameter) = planted(case)
    return line, op, " ".join(reason), parameter


def recorded(case, stats=True):
    torch.manual_seed(0)
    net = Net(case)
    x = torch.rand(4, 4)
    if case is bytes_of_an_image:
        x = torch.rand(4, 16)
    with torch.record(source=True, stats=stats, params=net) as tape:
        loss = net(x).square().sum()
        if loss.requires_grad:
            loss.backward()
    return net, loss, tape
