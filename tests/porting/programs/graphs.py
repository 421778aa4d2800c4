"""Graph attention and GraphSAGE by scatter and index_add."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(14)
edge_index = torch.tensor([[0, 1, 1, 2, 3, 4, 4, 0, 5], [1, 0, 2, 1, 4, 3, 0, 4, 2]])
N = 6
x = torch.randn(N, 4)
y = torch.tensor([0, 0, 0, 1, 1, 0])


def degree(i, n):
    return torch.zeros(n, dtype=torch.float).scatter_add_(0, i, torch.ones_like(i, dtype=torch.float))


def softmax(src, idx, n):
    mx = torch.full((n, src.size(1)), float("-inf")).scatter_reduce(0, idx[:, None].expand_as(src), src, "amax")
    e = (src - mx[idx]).exp()
    return e / (torch.zeros(n, src.size(1)).index_add(0, idx, e)[idx] + 1e-16)


class GAT(nn.Module):
    def __init__(s, i, o, h):
        super().__init__()
        s.h, s.o = h, o
        s.lin = nn.Linear(i, h * o, bias=False)
        s.a_s, s.a_d = nn.Parameter(torch.empty(1, h, o)), nn.Parameter(torch.empty(1, h, o))
        s.bias = nn.Parameter(torch.zeros(h * o))
        s.reset_parameters()

    def reset_parameters(s):
        nn.init.xavier_uniform_(s.lin.weight)
        nn.init.xavier_uniform_(s.a_s)
        nn.init.xavier_uniform_(s.a_d)

    def forward(s, x, ei):
        r, c = ei
        h = s.lin(x).view(-1, s.h, s.o)
        al = F.leaky_relu((h * s.a_s).sum(-1)[r] + (h * s.a_d).sum(-1)[c], 0.2)
        al = softmax(al, c, x.size(0))
        out = torch.zeros_like(h).index_add_(0, c, h[r] * al.unsqueeze(-1))
        return out.flatten(1) + s.bias

    def extra_repr(s):
        return f"heads={s.h}, out={s.o}"


class SAGE(nn.Module):
    def __init__(s, i, o, aggr):
        super().__init__()
        s.l, s.r, s.aggr = nn.Linear(i, o), nn.LazyLinear(o, bias=False), aggr

    def forward(s, x, ei):
        r, c = ei
        agg = x.new_zeros(x.shape).scatter_reduce_(
            0, c[:, None].expand(-1, x.size(1)), x[r], reduce=s.aggr, include_self=False
        )
        return s.l(agg) + s.r(x)


class Net(nn.Module):
    def __init__(s):
        super().__init__()
        s.g, s.s1, s.s2, s.s3, s.n = (
            GAT(4, 4, 2),
            SAGE(8, 8, "mean"),
            SAGE(8, 8, "amax"),
            SAGE(8, 2, "sum"),
            nn.LayerNorm(8),
        )

    def forward(s, x, ei):
        x = F.elu(s.g(x, ei))
        x = s.n(F.dropout(F.relu(s.s1(x, ei)), 0.3, s.training)) + x
        x = torch.relu(s.s2(x, ei))
        return s.s3(x, ei)


net = Net()
print(net)
net(x, edge_index)
print(net.s1, degree(edge_index[1], N))
opt = torch.optim.Adam(net.parameters(), lr=0.02, weight_decay=5e-4)
mask = torch.tensor([1, 0, 1, 1, 0, 1]).bool()
for _i in range(6):
    opt.zero_grad()
    o = net(x, edge_index)
    l = F.cross_entropy(o[mask], y[mask])
    l.backward()
    opt.step()
    print(f"{l.item():.6f}", (o.argmax(-1)[~mask] == y[~mask]).sum())
A = torch.zeros(N, N).index_put_((edge_index[0], edge_index[1]), torch.tensor(1.0))
A.fill_diagonal_(1)
d = A.sum(1)
An = torch.diag(d**-0.5) @ A @ torch.diag(d.pow(-0.5))
pr = torch.full((N,), 1 / N)
for _ in range(20):
    pr = 0.15 / N + 0.85 * (A / A.sum(1, keepdim=True)).T @ pr
print(
    An[0],
    pr,
    A.nonzero().t().shape,
    torch.argwhere(A)[:3],
    torch.block_diag(A[:2, :2], torch.ones(1, 2)),
    A.nonzero(as_tuple=True)[0][:4],
    torch.triu_indices(3, 3, 1),
    torch.tril_indices(3, 3),
)
batch = torch.tensor([0, 0, 0, 1, 1, 1])
pool = torch.zeros(2, 4).index_reduce_(0, batch, x, "amax", include_self=False)
print(
    pool,
    torch.segment_reduce(x, "mean", lengths=torch.tensor([3, 3])),
    torch.zeros(2, 4).index_copy(0, torch.tensor([1]), x[:1])[1],
    torch.scatter(torch.zeros(2, 3), 1, torch.tensor([[0], [2]]), 5.0),
    x.index_select(0, batch)[:2].take_along_dim(torch.tensor([[0], [1]]), 1),
    torch.gather(x, 1, torch.zeros(6, 1, dtype=torch.int64)).T,
)
try:
    torch.zeros(2).scatter_(0, torch.tensor([5]), 1.0)
except RuntimeError:
    print("RuntimeError")
try:
    torch.zeros(2)[torch.tensor([3])]
except IndexError:
    print("IndexError")
