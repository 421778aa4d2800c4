"""flex_attention and its masks against PyTorch's: values, blocks and error classes.

PyTorch has no gradients of flex_attention on the CPU.
"""

from __future__ import annotations

import importlib
from typing import Any

import pytest

import microgad

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")


def flex_attention_module(lib: Any) -> Any:
    return importlib.import_module(f"{lib.__name__}.nn.attention.flex_attention")


def tensors(lib: Any, *shapes: tuple[int, ...]) -> list[Any]:
    lib.manual_seed(0)
    return [lib.randn(*shape) for shape in shapes]


def assert_close(found: Any, expected: Any) -> None:
    assert type(found).__name__ == type(expected).__name__
    if isinstance(expected, tuple):
        for a, b in zip(found, expected, strict=True):
            assert_close(a, b)
    elif isinstance(expected, torch.Tensor):
        torch.testing.assert_close(torch.from_numpy(found.numpy()), expected)
    else:
        assert found == expected


def check_both(call: Any) -> Any:
    found, expected = ((call(flex_attention_module(lib), lib)) for lib in (microgad, torch))
    assert_close(found, expected)
    return found


SIZES = (2, 4, 3, 4), (2, 4, 5, 4), (2, 4, 5, 6)


@pytest.mark.parametrize(
    "call",
    [
        lambda f, t: f.flex_attention(*tensors(t, *SIZES)),
        lambda f, t: f.flex_attention(*tensors(t, *SIZES), lambda s, b, h, i, j: s + (j - i) * (h + 1) / 8, scale=0.3),
        lambda f, t: f.flex_attention(
            *tensors(t, *SIZES), lambda s, b, h, i, j: t.where(i > 0, s.tanh(), -t.inf), return_lse=True
        ),
        lambda f, t: f.flex_attention(
            *tensors(t, *SIZES), return_aux=f.AuxRequest(lse=True),
            block_mask=f.create_block_mask(lambda b, h, i, j: (i >= j) & (b + h > 0), 2, 4, 3, 5, device="cpu"),
        ),
        lambda f, t: f.flex_attention(*tensors(t, (2, 4, 3, 4), (2, 2, 5, 4), (2, 2, 5, 6)), enable_gqa=True),
        lambda f, t: f.flex_attention(*[x.half() for x in tensors(t, *SIZES)], return_lse=True),
        lambda f, t: (
            lambda bias: f.flex_attention(*tensors(t, *SIZES), lambda s, b, h, i, j: s * bias[h, i] + bias[b, j])
        )(tensors(t, (4, 5))[0]),
        lambda f, t: f.flex_attention(
            *tensors(t, (2, 4, 3, 4), (1, 4, 5, 4), (1, 4, 5, 6)),
            block_mask=f.create_block_mask(lambda b, h, i, j: j <= b, 2, None, 3, 5, device="cpu"),
        ),
    ],
)  # fmt: skip
def test_flex_attention_values(call):
    check_both(call)


@pytest.mark.parametrize(
    "call",
    [
        lambda f, t: f.flex_attention(*tensors(t, (2, 4, 3, 4), (2, 2, 5, 4), (2, 2, 5, 6))),
        lambda f, t: f.flex_attention(*tensors(t, (2, 4, 3, 4), (1, 4, 5, 4), (1, 4, 5, 6))),
        lambda f, t: f.flex_attention(*tensors(t, (2, 4, 3, 4), (2, 4, 5, 3), (2, 4, 5, 6))),
        lambda f, t: f.flex_attention(*tensors(t, (3, 4), (5, 4), (5, 6))),
        lambda f, t: f.flex_attention(*tensors(t, *SIZES), return_lse=True, return_aux=f.AuxRequest(lse=True)),
        lambda f, t: f.flex_attention(
            *tensors(t, *SIZES), block_mask=f.create_block_mask(lambda b, h, i, j: i >= j, None, None, 4, 5, "cpu")
        ),
        lambda f, t: f.create_mask(lambda b: b, 1, 1, 2, 2),
        lambda f, t: f.create_block_mask(1, 1, 1, 2, 2),
        lambda f, t: f.and_masks(1),
        lambda f, t: f.create_block_mask(lambda b, h, i, j: i >= j, None, None, 4, 4, "cpu")[0].mask_mod(0, 0, 0, 0),
    ],
)
def test_errors_have_torchs_class(call):
    with pytest.raises(Exception) as expected:  # noqa: PT011
        call(flex_attention_module(torch), torch)
    with pytest.raises(expected.type):
        call(flex_attention_module(microgad), microgad)


@pytest.mark.parametrize(
    "arguments",
    [(None, None, 5, 5, "cpu", 2), (2, 3, 300, 200, "cpu"), (1, 2, 7, 9, "cpu", (2, 4)), (None, 2, 64, 64, "cpu", 2)],
)
def test_block_mask_properties(arguments):
    def properties(f: Any, t: Any) -> Any:
        def mask_mod(b: Any, h: Any, i: Any, j: Any) -> Any:
            return (i + h >= j) & (j >= b)

        mask = f.create_block_mask(mask_mod, *arguments)
        sliced = mask[:, :, 1]
        last = mask[-1, 0]
        names = [f"{kind}_num_blocks" for kind in ("kv", "full_kv", "q", "full_q")] + ["shape", "seq_lengths"]
        found = []
        for m in (mask, sliced, last):
            drawn = m.to_string(), m.to_string(3, limit=1), str(m)
            found.append(
                (*(getattr(m, name) for name in names), *drawn, m.numel(), m.to_dense(), round(m.sparsity(), 6))
            )
        indices = mask.kv_indices, mask.full_kv_indices, mask.q_indices, sliced.kv_indices
        return tuple(found), indices, f.create_mask(mask_mod, *arguments[:5])

    check_both(properties)


def test_and_masks_and_or_masks():
    def masks(f: Any, t: Any) -> Any:
        def causal(b: Any, h: Any, i: Any, j: Any) -> Any:
            return i >= j

        def near(b: Any, h: Any, i: Any, j: Any) -> Any:
            return (i - j).abs() <= h

        found = [f.and_masks(causal, near), f.or_masks(causal, near), f.and_masks(), f.or_masks(), f.noop_mask]
        return tuple(f.create_mask(mask, None, 3, 4, 5, "cpu") for mask in found)

    check_both(masks)
