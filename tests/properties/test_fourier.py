"""Fourier transforms of real inputs, and the real and imaginary parts of their results."""

from hypothesis import strategies as st

import microgad as torch
from microgad.ops.elementwise import view_as_real
from microgad.ops.fourier import Fft, Ifft, Irfft, RealFft, Rfft
from microgad.testing.strategies import shapes, tensors

from .registry import checks

norms = st.sampled_from([None, "forward", "backward", "ortho"])


def example(draw, *names, real=False):
    name, norm = draw(st.sampled_from(names)), draw(norms)
    x = draw(tensors(shapes(min_dims=1), requires_grad=True))
    if name.endswith("n"):
        dims = draw(st.lists(st.integers(0, x.ndim - 1), min_size=1, max_size=x.ndim, unique=True))
        sizes = draw(st.none() | st.just([draw(st.integers(1, 5)) for _ in dims]))
    else:
        dims, sizes = draw(st.sampled_from(range(-x.ndim, x.ndim))), draw(st.none() | st.integers(1, 5))
        if sizes is None and x.shape[dims] == 1:
            sizes = draw(st.integers(1, 3))  # irfft of one element has an empty result
    if sizes is None and name == "irfftn":
        sizes = [draw(st.integers(1, 5)) for _ in dims]

    def transform(x):
        y = getattr(torch.fft, name)(x if real else x * (1 - 0.5j), sizes, dims, norm)
        return view_as_real(y) if y.is_complex() else y

    return transform, x


@checks(Fft, Ifft)
def test_complex_transforms(draw):
    return example(draw, "fft", "fftn", "ifft", "ifftn")


@checks(Rfft)
def test_rfft_of_real_numbers(draw):
    return example(draw, "rfft", "rfftn", real=True)


@checks(RealFft)
def test_fft_of_real_numbers(draw):
    return example(draw, "fft", "fftn", real=True)


@checks(Irfft, Ifft)
def test_irfft_to_real_numbers(draw):
    return example(draw, "irfft", "irfftn")
