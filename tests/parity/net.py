"""The network that the programs about nn.Module use, and the names of named parameters, buffers or modules."""


def net(t, nn):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(2, 3)
            self.inner = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
            self.register_buffer("count", t.zeros(1))
            self.register_buffer("hidden", t.ones(2), persistent=False)
            self.scale = nn.Parameter(t.ones(3))
            self.register_parameter("nothing", None)
            self.tied = self.fc

        def forward(self, x, *, twice=False):
            x = self.inner(self.fc(x)) * self.scale
            return x * 2 if twice else x

    return Net()


def names(named):
    return [name for name, _ in named]
