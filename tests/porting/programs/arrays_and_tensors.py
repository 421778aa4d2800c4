"""NumPy's functions and operators on Tensors and arrays: the kinds, dtypes and values of their results."""

import warnings

import numpy as np
import torch

warnings.simplefilter("ignore")
t, i, u, b = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0, 1, 0]), torch.arange(3).byte(), torch.tensor([True, False])


def show(*results: object) -> None:
    """Print the type, the dtype and the values of each result."""
    for x in results:
        print(type(x).__name__, getattr(x, "dtype", ""), torch.as_tensor(x).double().mul(1e4).round().tolist())


# Functions of integers and of scalars of other dtypes
show(np.sqrt(i), np.exp(torch.tensor(1)), 1 / np.sqrt(torch.tensor(64)), np.reciprocal(i + 2), np.hypot(i, i))
show(np.add(t, np.int64(2)), np.add(t, np.float64(0.1)), np.add(i, 0.5), np.multiply(u, np.array(300)), np.sqrt(u))
show(*np.divmod(t, i + 2), *np.modf(t), np.positive(t), np.float_power(t, np.ones(3)), np.spacing(t))
show(np.isnan(t), np.greater(t, 1.5), np.logical_not(b), np.signbit(t[0]))  # PyTorch makes them bytes

# Operators
show(t * np.arange(3), t + np.array(2.0), i - np.ones(3, np.float32), t / np.array([1, 2, 4]), i // np.array([2, 2, 2]))
show(t ** np.array([1, 2, 3]), t % np.array([2, 2, 2]), u + np.array(300), i << np.array([1, 2, 3]), t @ np.arange(3))
show(t.half() * np.float32(2), np.float64(2) * t, t * np.int64(2), np.True_ * i, t == np.arange(3))
show(b & np.array([1, 1], np.uint8), t.mul(2) * np.ones((2, 3), np.float32))
assigned, rows = [t, t, t, i, i, b], torch.ones(2, 3)
assigned[0] += np.ones(3)
assigned[1] *= np.array([1, 2, 3])
assigned[2] -= np.float64(2)  # a number, unlike an array, is subtracted in place
assigned[3] /= np.ones((2, 3), np.float32)
assigned[4] //= np.array(2)
assigned[5] |= np.array([1, 2])
rows[0] += np.arange(3.0)
show(*assigned, t, i, b, rows)

# Methods and keywords of ufuncs
a = np.zeros(3)
show(np.add(a, t, out=a), np.add(t, 1, out=a), np.subtract(t, t, where=i.numpy() > 0, out=a), a)
np.add.at(a, i, t)
np.maximum.at(a, i.numpy(), 2 * t)
show(a, a.sum(where=t > 1), np.sum(a, where=t > 1), np.add(t, t, dtype=np.float64))
show(np.add.reduce(t), np.add.accumulate(i), np.add.reduceat(t, [0, 2]), np.minimum.reduce([t, t]))
show(np.multiply.outer(t, t), np.less.outer(t, i), np.matmul(t[None], t[:, None], axes=[(0, 1)] * 3))

# Without gradients being recorded, Tensors that require grad are like others
p = torch.ones(3, requires_grad=True)
with torch.no_grad():
    np.add.at(a, i, p)
    show(a, np.sin(p), p * np.arange(3), np.convolve(p, t))
    q = p
    q += np.ones(3)
    show(p, q)
