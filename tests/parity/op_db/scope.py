"""The names of op_db that are out of scope, by reason."""

from __future__ import annotations

REASONS = {
    "a sparse layout": "sparse.mm sparse.sampled_addmm to_sparse",
    "a dtype that NumPy doesn't have": "bfloat16 chalf torch._scaled_mm torch._scaled_mm_v2",
    "compiles CUDA source": """
        jiterator_2inputs_2outputs jiterator_4inputs_with_extra_args jiterator_binary jiterator_binary_return_by_ref
        jiterator_unary
    """,
    "a kernel inside PyTorch; programs call the op around it": """
        _batch_norm_with_update _chunk_cat _native_batch_norm_legit _upsample_bilinear2d_aa
        max_pool2d_with_indices_backward native_dropout_backward torch.ops.aten._efficient_attention_forward
        torch.ops.aten._flash_attention_forward torch.ops.aten._safe_softmax.default
    """,
}
OUT_OF_SCOPE = {name: reason for reason, names in REASONS.items() for name in names.split()}
