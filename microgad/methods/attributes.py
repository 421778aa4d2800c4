"""A Tensor's attributes: its size, strides, dtype queries, memory, gradient, and how it prints."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, overload

from .. import backend, dtypes, errors, gradients
from .. import function as core
from ..backend import memory_formats
from ..backend.memory_layout import axes_of, strides
from ..errors import notices
from ..errors.notices import warn
from ..function.naming import node_name
from ..lazy import LazyModule
from ..state import inference
from . import printing

if TYPE_CHECKING:
    from .. import storage
    from ..ops.movement import dims, shared_memory
    from ..size import Size
    from ..tensor import Tensor
    from ..type_aliases import Device, Dtype
else:
    storage = LazyModule("microgad.storage")
    dims = LazyModule("microgad.ops.movement.dims")
    shared_memory = LazyModule("microgad.ops.movement.shared_memory")

NO_LEAF = (
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be "
    "populated during autograd.backward(). If you want it to be, call .retain_grad() on the Tensor before backward."
)


def _check_gradient(tensor: Tensor, grad: Any) -> None:
    """Raise if an object can't be a Tensor's gradient: TypeError for its type, RuntimeError for anything else."""
    if not isinstance(grad, core.Tensor):
        raise TypeError(f"assigned grad expected to be a Tensor or None but got grad of type {type(grad).__name__}")
    if grad is tensor:
        raise errors.GraphError("can't assign Variable as its own grad")
    if grad.array.shape != tensor.array.shape:
        raise errors.ShapeError(
            f"attempting to assign a gradient of size '{list(grad.shape)}' to a tensor of size '{list(tensor.shape)}'. "
            "Please ensure that the gradient and the tensor are the same size"
        )
    if grad.array.dtype != tensor.array.dtype:
        raise errors.DtypeError(
            f"attempting to assign a gradient with dtype '{grad.dtype}' to a tensor of dtype '{tensor.dtype}'. "
            "The gradient must match the tensor's dtype"
        )
    if type(grad.array) is not type(tensor.array):
        raise errors.DeviceError(
            f"attempting to assign a gradient on {grad.device} to a tensor on {tensor.device}. "
            "Please ensure that the gradient and the tensor are on the same device"
        )


class Attributes:
    """Attributes and methods that describe a Tensor."""

    __array_priority__ = 1000  # PyTorch's; NumPy itself asks `__array_ufunc__`

    __slots__ = ()

    if TYPE_CHECKING:  # so that a subclass may override it without the argument

        def __repr__(self) -> str: ...

    def __repr__(self: Tensor, *, tensor_contents: str | None = None) -> str:  # type: ignore[no-redef]
        """Return the Tensor as text, or with `tensor_contents` in place of its entries."""
        level = gradients.dual_level.get()
        text = printing.format_tensor(
            self.array,
            kind=type(self),
            default_dtype=repr(dtypes.get_default_dtype()),
            device=None if self.is_cpu else str(self.device),
            requires_grad=self.requires_grad,
            grad_fn=node_name(self.node).rpartition("::")[2] if not self.is_leaf else None,
            tangent=None if level is None else level.printed_tangent(self),
            contents=tensor_contents,
        )
        return f"Parameter({text})" if "_is_param" in vars(self) and not text.startswith("Parameter(") else text

    @overload
    def size(self: Tensor, dim: None = None) -> Size: ...
    @overload
    def size(self: Tensor, dim: int) -> int: ...
    def size(self: Tensor, dim: int | None = None) -> Any:
        """Return the shape, or the size of one dimension."""
        if dim is None:
            return self.shape
        sizes = self.array.shape
        return sizes[dims.wrap_dim(dim, len(sizes), "size", wrap_scalar=False)]

    def dim(self: Tensor) -> int:
        """Return the number of dimensions."""
        return self.ndim

    def numel(self: Tensor) -> int:
        """Return the number of elements."""
        return self.array.size

    ndimension, nelement = dim, numel

    @property
    def _cdata(self: Tensor) -> int:
        """A number that identifies this object, which libraries compare."""
        return id(self)

    def element_size(self: Tensor) -> int:
        """Return the bytes of one element."""
        return self.dtype.itemsize

    @property
    def itemsize(self: Tensor) -> int:
        """The bytes of one element."""
        return self.dtype.itemsize

    @property
    def nbytes(self: Tensor) -> int:
        """The bytes of all elements."""
        return self.numel() * self.dtype.itemsize

    @overload
    def stride(self: Tensor, dim: None = None) -> tuple[int, ...]: ...
    @overload
    def stride(self: Tensor, dim: int) -> int: ...
    def stride(self: Tensor, dim: int | None = None) -> Any:
        """Return the strides in elements, of all dimensions or of one."""
        steps = strides(self.array)
        return steps if dim is None else steps[dims.wrap_dim(dim, self.ndim, "stride", wrap_scalar=False)]

    def dim_order(self: Tensor, *, ambiguity_check: Any = False) -> tuple[int, ...]:
        """Return the dimensions from the outermost in memory to the innermost; those of equal strides stay in order.

        If other orders are possible, because strides are equal or sizes 1, ambiguity_check=True raises RuntimeError,
        and so does a list of memory formats unless exactly one of them fits. Raises TypeError for anything else.
        """
        if not isinstance(ambiguity_check, (bool, list)):
            raise TypeError("dim_order: The ambiguity_check argument must be a bool or a list of memory formats.")
        several = 1 in self.array.shape or any(a == b for a, b in pairwise(strides(self.array)))
        formats = () if isinstance(ambiguity_check, bool) else ambiguity_check
        if ambiguity_check is not False and several and sum(self.is_contiguous(memory_format=f) for f in formats) != 1:
            raise errors.ArgumentError(
                "The tensor does not have unique dim order, or cannot map to exact one of the given memory formats."
            )
        return axes_of(self.array)

    def is_contiguous(
        self: Tensor, *, memory_format: memory_formats.memory_format = memory_formats.contiguous_format
    ) -> bool:
        """Whether the elements lie in memory in row-major order, or in the order of memory_format."""
        array = self.array
        if memory_format is not memory_formats.contiguous_format:
            memory_formats.check("is_contiguous", memory_format)
            axes = memory_formats.AXES.get(memory_format, range(array.ndim))
            if len(axes) != array.ndim:
                return False
            array = array.transpose(axes)
        return array.flags.c_contiguous

    def is_complex(self: Tensor) -> bool:
        """Whether the dtype is complex."""
        return self.dtype.is_complex

    def is_floating_point(self: Tensor) -> bool:
        """Whether the dtype is a real floating-point one."""
        return self.dtype.is_floating_point

    @property
    def is_cuda(self: Tensor) -> bool:
        """Whether the Tensor is on a GPU, in a CuPy array."""
        return backend.is_gpu(self.array)

    @property
    def is_cpu(self: Tensor) -> bool:
        """Whether the Tensor is on the CPU, in a NumPy array."""
        return self.device.type == "cpu"

    @property
    def is_meta(self: Tensor) -> bool:
        """Whether the Tensor is on the device "meta", and so has no values."""
        return self.device.type == "meta"

    def get_device(self: Tensor) -> int:
        """Return the number of the Tensor's GPU, or -1 on the CPU."""
        index = self.device.index
        return -1 if index is None else index

    def untyped_storage(self: Tensor) -> storage.UntypedStorage:
        """Return the whole memory that the Tensor lies in, as bytes: see `UntypedStorage`."""
        return storage.untyped(self.array, self)

    def _typed_storage(self: Tensor) -> storage.TypedStorage:
        """Return the storage as `storage` does, without its warning."""
        return storage.typed(self.array, self)

    def storage(self: Tensor) -> storage.TypedStorage:
        """Return the whole memory that the Tensor lies in, as elements of its dtype: see `TypedStorage`."""
        notices.once(storage.TYPED_STORAGE_IS_DEPRECATED)
        return self._typed_storage()

    def const_data_ptr(self: Tensor) -> int:
        """Return the address of the first element: see `data_ptr`."""
        return self.data_ptr()

    @property
    def _base(self: Tensor) -> Tensor | None:
        """The Tensor that this one is a view of, or None."""
        return self._links.base

    def _is_view(self: Tensor) -> bool:
        """Whether this is a view of another Tensor."""
        return self._links.base is not None and not self.is_inference()

    @property
    def output_nr(self: Tensor) -> int:
        """The index of this Tensor among the results of its `grad_fn`; 0 for leaves."""
        return self.node.index if self.node is not self.grad_fn and not self.is_leaf else 0

    @property
    def grad_dtype(self: Tensor) -> dtypes.dtype:
        """The dtype of the gradient, which is the Tensor's own."""
        return self.dtype

    def is_inference(self: Tensor) -> bool:
        """Whether this Tensor, or the one that it is a view of, was made in `inference_mode`."""
        return type(self._version_counter) is inference.Untracked

    @property
    def _version(self: Tensor) -> int:
        """How often the Tensor's memory was written to. Raises RuntimeError for an inference tensor."""
        if self.is_inference():
            raise errors.GraphError("Inference tensors do not track version counter.")
        return 0 if self._version_counter is None else self._version_counter[0]

    def is_distributed(self: Tensor) -> bool:
        """Return False: a Tensor is on one device."""
        return False

    def module_load(self: Tensor, other: Tensor, assign: bool = False) -> Tensor:
        """Return what `Module.load_state_dict` stores: this parameter with copied values, or `other` if assign."""
        return other.detach() if assign else self.copy_(other).detach()

    @property
    def layout(self: Tensor) -> memory_formats.layout:
        """`torch.strided`, the only layout."""
        return memory_formats.strided

    # PyTorch's layouts, quantized dtypes and devices that microgad doesn't have.
    is_sparse = is_sparse_csr = is_quantized = is_nested = is_mkldnn = False
    is_mps = is_xpu = is_xla = is_ipu = is_maia = is_mtia = is_vulkan = False

    def to_dense(self: Tensor, dtype: Dtype = None, *, masked_grad: bool = True) -> Tensor:
        """Return this Tensor, which is dense already, converted to dtype if one is given."""
        return self if dtype is None else self.to(dtype)

    def to_sparse(self: Tensor, *args: Any, **options: Any) -> Tensor:
        """Return this Tensor unchanged: there are no sparse layouts."""
        return self

    coalesce = to_sparse

    def indices(self: Tensor) -> Tensor:
        """Return the indices (ndim, n) of the elements that aren't zero: what a coalesced sparse Tensor stores."""
        return self.nonzero().T

    def values(self: Tensor) -> Tensor:
        """Return the elements that aren't zero, in the order of `indices`. Zeros that a program stored are left out."""
        return self[self != 0]

    _indices, _values = indices, values

    def _nnz(self: Tensor) -> int:
        return int((self != 0).sum())

    def is_coalesced(self: Tensor) -> bool:
        """Return True: no element is stored twice."""
        return True

    def is_pinned(self: Tensor, device: Device = None) -> bool:
        """Return False: memory is never pinned."""
        return False

    @property
    def grad(self: Tensor) -> Tensor | None:
        """The gradient that `backward` has accumulated, or None. What is assigned must be like this Tensor, or None."""
        found = self._links.grad
        if found is None and not self.is_leaf and not self.retains_grad:
            warn(NO_LEAF)
        return found

    @grad.setter
    def grad(self: Tensor, value: Tensor | None) -> None:
        if value is not None:
            _check_gradient(self, value)
        self._own_links().grad = value

    @grad.deleter
    def grad(self: Tensor) -> None:
        self._own_links().grad = None

    _grad = grad  # programs with several workers assign gradients by this name

    is_shared, share_memory_ = shared_memory.is_shared, shared_memory.share_memory_
