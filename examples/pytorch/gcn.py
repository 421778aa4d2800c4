"""A graph convolutional network finds two groups in a random graph."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.parameter import Parameter


class GraphConvolution(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.weight = Parameter(torch.FloatTensor(in_features, out_features))
        self.bias = Parameter(torch.FloatTensor(out_features))
        stdv = 1.0 / math.sqrt(self.weight.size(1))
        self.weight.data.uniform_(-stdv, stdv)
        self.bias.data.uniform_(-stdv, stdv)

    def forward(self, input, adj):
        return torch.mm(adj, torch.mm(input, self.weight)) + self.bias

    def __repr__(self):
        return f"{self.__class__.__name__} {tuple(self.weight.shape)}"


class GCN(nn.Module):
    def __init__(self, nfeat, nhid, nclass, dropout):
        super().__init__()
        self.gc1, self.gc2 = GraphConvolution(nfeat, nhid), GraphConvolution(nhid, nclass)
        self.dropout = dropout

    def forward(self, x, adj):
        x = F.relu(self.gc1(x, adj))
        x = F.dropout(x, self.dropout, training=self.training)
        return F.log_softmax(self.gc2(x, adj), dim=1)


torch.manual_seed(42)
n = 40
labels = (torch.arange(n) >= n // 2).long()
likely = torch.where(labels[:, None] == labels[None], 0.3, 0.05)
edges = torch.triu(torch.bernoulli(likely), 1)
adj = edges + edges.t() + torch.eye(n)
adj = adj / adj.sum(1, keepdim=True)
features = torch.randn(n, 8) + labels[:, None] * 0.5
idx_train, idx_test = torch.randperm(n)[:20], torch.randperm(n)[20:]

model = GCN(8, 16, 2, 0.5)
print(model)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
for epoch in range(6):
    model.train()
    optimizer.zero_grad()
    output = model(features, adj)
    loss = F.nll_loss(output[idx_train], labels[idx_train])
    loss.backward()
    optimizer.step()
    model.eval()
    right = model(features, adj)[idx_test].max(1)[1].eq(labels[idx_test]).double().mean()
    print(f"epoch {epoch}: loss {loss.item():.6f}, test {right.item():.3f}")
