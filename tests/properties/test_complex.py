"""Parts of complex numbers, between real inputs and real results."""

import microgad as torch
from microgad.ops.complex import Conj, Imag, Real
from microgad.testing.strategies import broadcastable_tensors

from .registry import checks


@checks(Conj, Real, Imag, float32=False)
def test_parts_and_conjugates(draw):
    x, y = draw(broadcastable_tensors(2, requires_grad=True))

    def parts(x, y):
        z = x * (1 + 2j) + y * y * 1j
        w = torch.conj(z) * z * z
        return torch.real(w) + torch.imag(w * 3j) * torch.imag(z)

    return parts, x, y
