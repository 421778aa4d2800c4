"""Operations that move values without computing: reshape, permute, join, split, pad, repeat, copy, convert."""

# isort: skip_file
from .conversion import Cast, Clone, Transfer, clone, memory_format_of
from .diagonal import (
    DiagEmbed, Diagonal, Trace, Tril, Triu, diag, diag_embed, diagflat, diagonal as diagonal, linalg_diagonal, trace,
    tril, tril_, triu, triu_,
)  # fmt: skip  # without its `as`, `mypy --strict` takes `diagonal` for the file of this name
from .joining import Cat, Stack, cat, column_stack, concat, concatenate, dstack, hstack, row_stack, stack, vstack
from .rearranging import (
    Flip, Permute, Roll, Rot90, adjoint, flip, fliplr, flipud, matrix_transpose, moveaxis, movedim, permute, roll,
    rot90, swapaxes, swapdims, t, transpose,
)  # fmt: skip
from .padding import NonConstantPad, Pad, constant_pad_nd, pad, padded
from .repeating import (
    Expand, RepeatInterleave, broadcast_shapes, broadcast_tensors, broadcast_to, expand, expand_as, kron, repeat,
    repeat_interleave, sum_to_size, tile,
)  # fmt: skip
from .shape import (
    Reshape, atleast_1d, atleast_2d, atleast_3d, flatten, ravel, reshape, reshape_as, squeeze, unflatten, unsqueeze,
    view, view_as,
)  # fmt: skip
from .splitting import (
    Split, Unbind, chunk, dsplit, hsplit, narrow, select, slice, split, split_with_sizes, tensor_split, unbind,
    unsafe_chunk, unsafe_split, unsafe_split_with_sizes, vsplit,
)  # fmt: skip
from .strided import AsStrided, SlidingWindows, as_strided, fill_diagonal_, storage_view, unfold, vmap_offset
from .views import (
    alias, alias_copy, as_strided_copy, as_strided_scatter, become_view, detach, detach_copy, diagonal_copy,
    diagonal_scatter, enlarge_storage, expand_copy, narrow_copy, permute_copy, resize_, resize_as_, select_copy,
    select_scatter, slice_copy, slice_scatter, split_copy, split_with_sizes_copy, squeeze_copy, t_copy, transpose_copy,
    unbind_copy, unfold_copy, unsqueeze_copy, view_as_complex_copy, view_as_real_copy, view_copy,
)  # fmt: skip
