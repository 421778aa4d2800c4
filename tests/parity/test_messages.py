"""Messages of the most common errors contain PyTorch's, with the operation's name and arguments around it."""

import re

import numpy as np
import pytest

import microgad

torch = pytest.importorskip("torch")

CALLS = """
T.ones(3) + T.ones(2); T.ones(3, 4) * T.ones(2, 3, 5); T.where(T.ones(3, 4) > 0, T.ones(3, 1), T.ones(2))
T.ones(2).add_(T.ones(3, 2)); T.lerp(T.ones(3, 4), T.ones(3, 4), T.ones(2)); T.complex(T.ones(3, 4), T.ones(2))
T.ones(3, 4).masked_fill(T.ones(2) > 0, 1); T.masked_select(T.ones(3, 4), T.ones(2) > 0); T.dist(T.ones(3), T.ones(2))
T.ones(2, 3, 4, 1) @ T.ones(5, 3, 1, 1); T.ones(2, 3) @ T.ones(2, 3); F.linear(T.ones(2, 5, 4), T.ones(2, 3))
T.bmm(T.ones(2, 3), T.ones(2, 3)); T.cat([T.ones(2, 3), T.ones(3, 2)]); T.cat([T.ones(2, 3), T.ones(2, 4)])
T.broadcast_tensors(T.ones(3, 4), T.ones(2)); F.cosine_similarity(T.ones(3, 4), T.ones(3, 2))
T.ones(3, 4)[5]; T.ones(3)[0, 0]; T.ones(3, 4)[[0, 1], [0, 1, 2]]
T.ones(3, 4).gather(1, T.tensor([[5]])); T.ones(3, 4).index_fill(1, T.tensor([5]), 1)
T.ones(3, 4).index_put((T.tensor([0]), T.tensor([5])), T.tensor(1.0)); T.ones(3, 4).scatter(1, T.tensor([[4]]), 1.0)
T.ones(3, 4).__setitem__((T.tensor([0, 1]),), T.ones(3)); T.ones(2, 3).T.view(6); bool(T.ones(2)); bool(T.ones(0))
T.ones(3).chunk(0); T.ones(2, 2, 2).t(); T.tensor(1.0).tensor_split(2); T.ones(3).tensor_split(T.tensor(1.5))
T.ones(3).tensor_split(T.tensor(1).int()); T.ones(3).tensor_split(T.tensor([[1]])); T.ones(3).split(-1)
T.tensor(1.0).split(1); T.ones(3).split([4, -1]); T.ones(3).split([1, 1]); T.tensor(1.0).hsplit(2); T.ones(3).vsplit(2)
T.ones(3, 3).dsplit(2); T.ones(3, 3).hsplit(2); T.tensor(1.0).narrow(0, 0, 1); T.ones(3).narrow(0, 1, 5)
T.ones(3).narrow(0, 1, -1); T.tensor(1.0).select(0, 0); T.ones(3).select(0, 5); T.tensor(1.0)[0]; T.tensor(1.0)[0, 0]
T.view_as_complex(T.tensor(1.0)); T.view_as_complex(T.ones(3)); T.view_as_complex(T.ones(2, 2).T)
T.view_as_complex(T.ones(9).as_strided((2, 2), (1, 1))); T.ones(3, 0).view(-1, 0); T.ones(3).view(-2, 1)
T.tensor(1).view(T.int8); T.ones(3).view(T.complex64); T.ones(4, 4).T.view(T.int8); T.ones(6)[1:5].view(T.float64)
T.ones(3).expand(-1, 3); T.ones(3, 2).permute(0, 0); T.ones(3, 2).flatten(1, 0); T.ones(3, 2).unfold(1, 1, 0)
T.ones(3, 2).unfold(1, -1, 1); T.ones(3, 2).movedim((0, 0), (0, 1)); T.ones(3, 2).movedim((0, 1), (0, 0))
T.ones(3).as_strided((2,), (-1,)); T.ones(3)["0":1]; T.ones(3)[0.5:]
T.arange(4).__setitem__(T.arange(4) > 1, T.arange(3)); T.ones(3).clamp(); T.diff(T.tensor(1.0))
T.nonzero(T.ones(2), as_tuple=True, out=T.ones(2).long()); T.diff(T.ones(2), prepend=T.ones(2, 2))
T.ones(2, 2).rot90(1, (0, 0))
T.tensor(np.array([None])); T.from_numpy(np.array(["a"])); T.tensor(np.array([1], ">i4")); T.tensor([None])
T.tensor({1}); T.tensor([[1, 2], 3]); T.tensor(2**63)
T.gradient(T.ones(3, 3), spacing=[1.0]); T.gradient(T.ones(3, 3), spacing=[1.0], dim=(0, 1))
T.unique(T.ones(0, 3), dim=1); T.unique_consecutive(T.ones(3, 0), dim=0)
T.trapezoid(T.ones(2), T.ones(3)); T.heaviside(T.ones(2), T.ones(2).int()); T.heaviside(T.ones(2) * 1j, T.ones(2) * 1j)
T.ones(2).int() ** -1; T.ones(2).bool() - T.ones(2).bool(); T.ones(2).bool() - True; 1 - T.ones(2).bool()
-T.ones(2).bool()
T.ones(2).float_power_(2); T.ones(2).double().float_power_(2j); T.float_power(T.ones(2), 2, out=T.ones(2))
T.ones(()).pow_(T.ones(3)); T.ones(2).lerp_(T.ones(3, 2), 0.5); T.ones(()).addcmul_(T.ones(3), T.ones(3))
T.ones(()).clamp_(T.ones(3)); T.ones(()).masked_fill_(T.ones(3) > 0, 1)
T.ones(2).int().add_(1.5); T.ones(2).bool().add_(1); T.ones(2).mul_(1j); T.exp(T.ones(2), out=T.ones(2).int())
T.ones(2).int().addcmul_(T.ones(2), T.ones(2)); T.ones(2).int().pow_(0.5)
T.meshgrid(); T.meshgrid(T.ones(1), T.ones(1).long(), indexing="ij"); T.hann_window(-1)
T.meshgrid(T.ones(1), T.ones(1, device="meta"), indexing="ij"); T.ones(1).normal_(0, -1); T.normal(0, -1.0, (2,))
T.ones(1).exponential_(-1); T.ones(1).geometric_(2); T.ones(1).log_normal_(0, -1); T.ones(1).cauchy_(0, -1)
T.ones(1).uniform_(1, 0); T.ones(1).random_(5, 4); T.randint(5, 5, (2,))
T.hstack(T.ones(2)); T.cat(T.ones(2)); T.stack([]); T.cat([]); T.block_diag(T.ones(1, 1, 1)); T.empty_strided((1,), ())
T.complex(T.ones(2), T.ones(2).double()); T.frombuffer([1], dtype=T.int32)
T.frombuffer(b"", dtype=T.int32); T.frombuffer(b"abcd", dtype=T.int32, offset=4); T.masked_select(T.ones(1), T.ones(1))
T.hstack(T.ones(2)); T.complex(T.ones(2).long(), T.ones(2).long()); T.masked_select(T.ones(1), T.ones(1))
T.linalg.norm(T.ones(3), "fro"); T.linalg.norm(T.eye(3), "nuc", 0); T.linalg.matrix_norm(T.eye(3), dim=(1, -1))
T.linalg.cross(T.eye(3), T.eye(3), dim=2)
T.bmm(T.ones(2, 3, 3), T.ones(3, 3, 3)); T.bmm(T.ones(2, 3, 3), T.ones(2, 2, 3))
T.histc(T.ones(2), 3, min=1, max=T.inf); T.searchsorted(T.ones(2, 3), T.ones(2, 2, 3))
T.linalg.tensorsolve(T.eye(3), T.ones(2)); T.einsum("i....", T.eye(3)); T.einsum("i.i", T.eye(3))
T.linalg.multi_dot([T.tensor(1.0), T.ones(2)]); T.linalg.multi_dot([T.ones(2), T.ones(2, 2, 2)])
T._foreach_add([], 1); T._foreach_add([T.ones(2)], [T.ones(2)] * 2); T._foreach_pow([T.ones(2)], [1, 2])
T._foreach_addcmul([T.ones(2)], [T.ones(2)], [T.ones(2)], T.tensor(2.0))
T.linalg.inv(T.zeros(2, 2)); T.linalg.inv(T.tensor([[[1.0, 0], [0, 1]], [[1, 2], [2, 4]]])); T.inverse(T.zeros(1, 1))
T.linalg.solve(T.zeros(2, 2), T.ones(2)); T.linalg.solve(T.zeros(2, 2, 2), T.ones(2, 2, 1))
F.conv2d(T.ones(1, 2, 5, 5), T.ones(2, 3, 3, 3)); F.conv2d(T.ones(1, 2, 5, 5), T.ones(2, 3, 3, 3), groups=2)
F.conv_transpose1d(T.ones(1, 2, 5), T.ones(3, 1, 3)); F.cross_entropy(T.ones(4, 3), T.tensor([0, 1]))
F.nll_loss(T.ones(4, 3), T.tensor([0, 1])); F.one_hot(T.tensor([5]), 3); F.one_hot(T.tensor([-1]))
F.pixel_shuffle(T.ones(1, 3, 2, 2), 2); T.tensor([[1, 2], [3]])
T.tensor([[[1, 2]], [[1]]]); "a" in T.ones(2); None in T.ones(2)
T.ones(2).size(1); T.ones(2).size(-2); T.tensor(1.0).size(0); T.ones(2, device="meta").size(dim=1)
T.ones(2).stride(1); T.tensor(1.0).stride(-1)
F.binary_cross_entropy(T.ones(4, 3), T.ones(4)); F.binary_cross_entropy_with_logits(T.ones(4, 3), T.ones(4))
F.nll_loss(T.ones(4, 3), T.tensor([[0], [1], [2], [0]])); F.cross_entropy(T.ones(4, 3), T.ones(4, 2))
F.cross_entropy(T.ones(1, 3, 5), T.tensor([[0, 1]])); F.cross_entropy(T.ones(2, 3, 5, 5), T.ones(2, 1, 5, 5).long())
F.nll_loss(T.ones(2, 3, 5, 5), T.ones(2, 5, 6).long()); F.cross_entropy(T.ones(3), T.tensor([0, 1]))
F.nll_loss(T.ones(3), T.tensor([0, 1])); F.cross_entropy(T.ones(2, 3), T.ones(2))
F.nll_loss(T.ones(1, 3), T.ones(1).int()); F.cross_entropy(T.ones(1, 3), T.tensor([0]), T.ones(2))
F.nll_loss(T.ones(1, 3), T.tensor([0]), T.ones(2)); F.multi_margin_loss(T.ones(4, 3), T.tensor([0, 1]))
F.multi_margin_loss(T.ones(1, 3), T.tensor([0]), weight=T.ones(2))
F.multilabel_margin_loss(T.ones(4, 3), T.tensor([0, 1]))
T.scatter_add(T.ones(3), 0, T.tensor([0]), 1.0); T.ones(3).put_(T.tensor([0]), 1.0)
T.ones(3).masked_scatter_([True], T.ones(3)); T.ones(3).scatter_add_(0, T.tensor([0]), 1.0)
T.ones(3).index_add_(0, [0], T.ones(1)); T.ones(3).index_put_((T.tensor([0]),), 1.0)
(T.ones(3, 2).requires_grad_() * 2).backward(T.ones(2, 2))
F.unfold(T.ones(1, 2, 2, 2, 2), 2); F.unfold(T.ones(1, 0, 3, 3), 2)
F.affine_grid(T.ones(1, 2, 3).int(), T.Size([1, 1, 2, 2]), False); F.affine_grid(T.ones(1, 2, 3), T.Size([1, 2]), False)
F.linear(T.tensor(1.0), T.ones(1, 1))
F.pad(T.ones(3, 0, 7), (1, 1), "replicate"); F.pad(T.ones(0, 7), (1, 1), "reflect")
F.multi_margin_loss(T.ones(1, 0), T.tensor([1])); F.multilabel_margin_loss(T.ones(0), T.tensor([1, 1]))
F.affine_grid(T.ones(1, 3, 4), T.Size([1, 1, 2, 2]), False)
F.affine_grid(T.ones(1, 2, 3), T.Size([1, 1, 0, 2]), False)
T.nn.Unflatten(1, 2); T.nn.Unflatten(1, [2, 3.0]); T.ones(2, 6).unflatten(1, [5, -1])
T.nn.InstanceNorm1d(3, affine=True)(T.ones(1, 4, 2))
F.conv1d(T.ones(1, 3, 4), T.ones(2, 3, 9)); F.conv2d(T.ones(1, 3, 4, 4), T.ones(2, 3, 3, 3), stride=0)
F.conv2d(T.ones(1, 3, 4, 4), T.ones(2, 3, 3, 3), padding=-1); F.conv2d(T.ones(1, 3, 1, 4, 4), T.ones(2, 3, 3, 3))
F.conv2d(T.ones(1, 3, 4, 4), T.ones(2, 3, 3, 3), padding="x"); F.conv1d(T.ones(1, 3, 4), T.ones(2, 3, 3), T.ones(3))
F.conv2d(T.ones(1, 3, 4, 4), T.ones(2, 3, 3, 3), padding="same", stride=2)
F.conv1d(T.ones(1, 4, 4), T.ones(5, 2, 3), groups=2)
F.max_pool2d(T.ones(1, 0, 5, 5), 2); F.avg_pool2d(T.ones(1, 1, 3, 3), 2, padding=2)
F.avg_pool2d(T.ones(1, 1, 3, 3), 2, divisor_override=0); F.max_unpool2d(T.ones(1, 1, 1, 1), T.tensor([[[[4]]]]), 2)
F.max_unpool2d(T.ones(1, 1, 1, 1), T.ones(1, 1, 1, 2).long(), 2)
F.embedding(T.tensor([3]), T.ones(3, 2)); F.embedding(T.tensor([-1]), T.ones(3, 2))
F.embedding_bag(T.tensor([[1]]), T.ones(3, 2), padding_idx=3)
F.embedding_bag(T.tensor([[1]]), T.ones(3, 2), mode="max", sparse=True)
F.embedding_bag(T.tensor([[1]]), T.ones(3, 2), mode="max", scale_grad_by_freq=True)
T.func.functional_call(T.nn.Linear(1, 1), {"weigth": T.ones(1, 1)}, T.ones(1), strict=True)
T.func.functional_call(T.nn.Linear(1, 1), {"weight": 1.0}, T.ones(1))
T.func.functional_call(tied(T), {"0.weight": T.ones(1, 1), "1.weight": T.zeros(1, 1)}, T.ones(1))
mha(T, (2, 3, 4), (3, 4)); mha(T, (3, 4), (3, 4), (2, 3, 4)); mha(T, (4,)); mha(T, (2, 3, 4), (5, 3, 4), (6, 3, 4))
mha(T, (2, 3, 4), key_padding_mask=T.ones(3, 4)); mha(T, (2, 4), key_padding_mask=T.ones(3))
T.nn.Linear(1, 1, device="meta").to("cpu"); F.interpolate(T.ones(1, 1, 4), 2, mode="bilinear")
F.interpolate(T.ones(1, 1, 4), 2, 2)
mha(T, (2, 3, 4), key_padding_mask=T.ones(2)); mha(T, (2, 4), key_padding_mask=T.ones(1, 2)); mha(T, (2, 5))
mha(T, (2, 3, 4), attn_mask=T.ones(2)); mha(T, (2, 4), attn_mask=T.ones(3, 2, 2))
mha(T, (2, 3, 4), (5, 3, 4), (6, 3, 4), vdim=4, kdim=4)
"""


def tied(lib):
    layer = lib.nn.Linear(1, 1)
    return lib.nn.Sequential(layer, layer)


def mha(lib, query, key=None, value=None, kdim=None, vdim=None, **masks):
    shapes = query, key or query, value or key or query
    return lib.nn.MultiheadAttention(4, 2, kdim=kdim, vdim=vdim)(*[lib.ones(shape) for shape in shapes], **masks)


def error_message(lib, call):
    with pytest.raises((RuntimeError, ValueError, IndexError, TypeError, AssertionError)) as caught:
        eval(call, {"T": lib, "np": np, "F": lib.nn.functional, "mha": mha, "tied": tied})
    return str(caught.value)


@pytest.mark.parametrize("call", [call.strip() for call in re.split(r";|\n(?=\S)", CALLS.strip())])
def test_message_contains_torchs(call):
    assert error_message(torch, call).removeprefix("torch.").rstrip(".") in error_message(microgad, call)
