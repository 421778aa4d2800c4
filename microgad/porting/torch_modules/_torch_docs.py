"""torch._torch_docs: the notes that docstrings copied from PyTorch's source are formatted with, all empty."""

reproducibility_notes = dict.fromkeys(
    ("forward_reproducibility_note", "backward_reproducibility_note", "cudnn_reproducibility_note"), ""
)
tf32_notes, sparse_support_notes = {"tf32_note": ""}, {"sparse_beta_warning": ""}
