"""What a Tensor says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import backend, formats

if TYPE_CHECKING:
    from ..tensor import Tensor


class Facts:
    """Sizes, kinds, places: nothing of them is computed."""

    __slots__ = ()

    def size(self: Tensor, dim: int | None = None) -> Any:
        """The shape, or the size of one dimension."""
        return self.shape if dim is None else self.shape[dim]

    def dim(self: Tensor) -> int:
        """The number of dimensions."""
        return self.ndim

    def numel(self: Tensor) -> int:
        """The number of elements."""
        n: int = self.array.size
        return n

    ndimension, nelement = dim, numel

    def element_size(self: Tensor) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize

    @property
    def itemsize(self: Tensor) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize

    @property
    def nbytes(self: Tensor) -> int:
        """Bytes of all elements."""
        return self.numel() * self.dtype.itemsize

    def stride(self: Tensor, dim: int | None = None) -> Any:
        """How many elements lie between neighbours, in each dimension or in one."""
        strides = tuple(s // self.array.itemsize for s in self.array.strides)
        return strides if dim is None else strides[dim]

    def dim_order(self: Tensor) -> tuple[int, ...]:
        """The dimensions from the outermost in memory to the innermost."""
        strides = self.stride()
        return tuple(sorted(range(self.ndim), key=lambda i: -strides[i]))

    def is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
        """Whether the values lie in memory in row-major order; memory_format has no effect."""
        contiguous: bool = self.array.flags.c_contiguous
        return contiguous

    def is_complex(self: Tensor) -> bool:
        """Whether values are complex numbers."""
        return self.dtype.is_complex

    def is_floating_point(self: Tensor) -> bool:
        """Whether the dtype is a real floating-point one."""
        return self.dtype.is_floating_point

    @property
    def is_cuda(self: Tensor) -> bool:
        """Whether the array is CuPy's."""
        return backend.is_gpu(self.array)

    @property
    def is_cpu(self: Tensor) -> bool:
        """Whether the array is NumPy's."""
        return not self.is_cuda

    def get_device(self: Tensor) -> int:
        """The number of its GPU, -1 on the CPU."""
        index = self.device.index
        return -1 if index is None else index

    @property
    def layout(self: Tensor) -> formats.layout:
        """`torch.strided`: there is no other."""
        return formats.strided

    # What a Tensor is not: other layouts, numbers and devices of PyTorch's.
    is_sparse = is_sparse_csr = is_quantized = is_nested = is_meta = is_mkldnn = False
    is_mps = is_xpu = is_xla = is_ipu = is_maia = is_mtia = is_vulkan = False

    def to_dense(self: Tensor) -> Tensor:
        """This Tensor, which is dense already."""
        return self

    def is_pinned(self: Tensor, device: Any = None) -> bool:
        """False: memory is never pinned."""
        return False

    def is_shared(self: Tensor) -> bool:
        """False: memory is never shared between processes."""
        return False
