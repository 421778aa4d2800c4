"""Which in-place writes are refused, because they could not give right values or gradients."""

from __future__ import annotations

from .. import errors, state
from ..backend.memory_layout import expanded_axes, overlaps, within
from ..duck_arrays import check_write
from ..state.inference import check_inference
from ..type_aliases import Tensor
from .histories import FIXED, origin, why_lost
from .mirrors import Mirror
from .registry import steps_to


def check_writable(tensor: Tensor, op: str, recorded: bool) -> None:
    """Raise an error if an in-place operation cannot give right values or gradients."""
    x = tensor.array
    check_write(tensor)
    counter = tensor._version_counter
    if counter is not None and type(counter) is not list:
        check_inference(counter, "Inplace update to inference tensor")
        if type(counter) is Mirror and counter.has_source:
            raise _refusal(
                op,
                "a conjugate is a copy, but in PyTorch a view of the tensor that it is taken of, which a write to it "
                "would change too; write to that tensor, or to a clone() of the conjugate",
            )
    if expanded_axes(x):
        raise _refusal(
            op,
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation.",
        )
    check_history(tensor, op, recorded)
    if (observer := state.current().observer) is not None:
        observer.write(tensor)
    if tensor._links.base is None or not recorded:
        return
    if x.size and overlaps(x.shape, x.strides):
        raise _refusal(
            op,
            "elements of the written-to view overlap in memory, so a write through it has no gradient; "
            "clone() it first",
        )
    # A gradient passes through all views of the chain, but as_strided can show elements that an earlier view does not.
    if not all(within(step["shown"], step["held"]) for _, step in steps_to(tensor._links) if "held" in step):
        raise _refusal(
            op,
            "the written-to view was made by as_strided of a view and shows what that doesn't, so a write through it "
            "has no gradient; clone() it first, or use the view's base",
        )


def check_history(tensor: Tensor, op: str, recorded: bool) -> None:
    """Raise an error if PyTorch does not allow to give this Tensor another node."""
    base, now = tensor._links.base, state.current()
    if not now.grad_enabled or not (recorded or now.observer is None or now.observer.records((tensor,))):
        return
    if base is not None and tensor._links.chain is None and (recorded or base.node is not None):
        raise _refusal(op, why_lost(origin(tensor), "is being modified inplace"))
    if type(tensor.node) in FIXED:
        said = "a leaf Variable that requires grad is being used in an in-place operation."
        raise _refusal(op, f"{said} Update it under torch.no_grad(), or write out of place")
    if base is not None and (type(base.node) in FIXED or (base.node is None and tensor.node is not None)):
        raise _refusal(op, "a view of a leaf Variable that requires grad is being used in an in-place operation.")


def _refusal(op: str, why: str) -> errors.GraphError:
    return errors.GraphError(f"{errors.place(op, state.current().path)}: {why}")
