"""The laws that hold for operations and for modules alike, in the order in which they are checked."""

from __future__ import annotations

from . import gradients, second_derivatives, values

VALUES = (
    values.deterministic,
    values.without_grad,
    values.interleaved,
    values.layout,
    values.float32,
    values.devices,
)
GRADIENTS = (
    gradients.aliasing,
    gradients.accumulation,
    gradients.each_alone,
    gradients.repeated_input,
    gradients.results_alone,
    gradients.linear_in_grad,
)
SECOND = (
    second_derivatives.create_graph,
    second_derivatives.symmetry,
    second_derivatives.forward_mode,
)
