"""How a kernel slides over a plane: paddings, output sizes, and the rules that they obey."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...errors import ArgumentError, DtypeError, ShapeError, place
from ...state import current

Pair = tuple[int, int]
Size = int | Sequence[int]


class Window(NamedTuple):
    """A kernel over a plane: output (i, j) reads the cells (i, j) · stride + (k, l) · dilation of the padded plane."""

    size: Pair  # of the plane, (H, W)
    kernel: Pair
    stride: Pair
    padding: tuple[Pair, Pair]  # (top, bottom), (left, right); a negative one crops
    dilation: Pair

    @classmethod
    def sliding(cls, op: str, size: Any, kernel: Any, stride: Size, padding: Size | str, dilation: Size) -> Window:
        """The window that the arguments of a convolution or of unfold describe."""
        stride, dilation = pair(op, "stride", stride), pair(op, "dilation", dilation)
        if isinstance(padding, str):
            edges = named_padding(op, padding, kernel, stride, dilation)
        else:
            vertical, horizontal = pair(op, "padding", padding, least=0)
            edges = (vertical, vertical), (horizontal, horizontal)
        return cls(tuple(size), tuple(kernel), stride, edges, dilation)

    @classmethod
    def pooling(
        cls, op: str, size: Any, kernel: Size, stride: Size | None, padding: Size, dilation: Size, ceil_mode: bool
    ) -> Window:
        """The window of a pooling. With ceil_mode the last one may hang over the padding, but starts inside of it."""
        kernel = pair(op, "kernel_size", kernel)
        stride = kernel if stride is None else pair(op, "stride", stride)
        pads, dilation = pair(op, "padding", padding, least=0), pair(op, "dilation", dilation)
        edges: list[Any] = []
        for length, k, s, p, d in zip(size, kernel, stride, pads, dilation, strict=False):
            span = (k - 1) * d + 1
            if p > span // 2:
                raise refusal(op, f"padding must be at most half of the kernel's span, but it is {p} of {span}")
            over = (span - length - 2 * p) % s if ceil_mode else 0  # cells that the last window lacks
            last = length + 2 * p + over - span
            if last >= length + p:
                over, last = 0, last - s
            edges.append((p, p + over))
            if d > 1 and any(all(not p <= i + t * d < p + length for t in range(k)) for i in range(0, last + 1, s)):
                settings = f"kernel_size {kernel}, dilation {dilation} and padding {pads}"
                raise refusal(op, f"with {settings} a window has no cell of the input")
        return cls(tuple(size), kernel, stride, tuple(edges), dilation)

    @property
    def span(self) -> Pair:
        """Cells from the kernel's first tap to its last."""
        (kh, kw), (dh, dw) = self.kernel, self.dilation
        return (kh - 1) * dh + 1, (kw - 1) * dw + 1

    @property
    def padded(self) -> Pair:
        """Size of the padded plane."""
        (h, w), ((top, bottom), (left, right)) = self.size, self.padding
        return h + top + bottom, w + left + right

    @property
    def out(self) -> Pair:
        """How many places the kernel takes, (OH, OW)."""
        (h, w), (span_h, span_w), (sh, sw) = self.padded, self.span, self.stride
        return (h - span_h) // sh + 1, (w - span_w) // sw + 1

    def turned(self) -> Window:
        """Of stride 1: the window over the output whose kernel, turned by 180°, reads what this one writes."""
        (span_h, span_w), ((top, bottom), (left, right)) = self.span, self.padding
        padding = (span_h - 1 - top, span_h - 1 - bottom), (span_w - 1 - left, span_w - 1 - right)
        return self._replace(size=self.out, padding=padding)

    def check(self) -> None:
        """Refuse a kernel that is empty or larger than the padded plane."""
        for name, kernel, span, padded in zip(("height", "width"), self.kernel, self.span, self.padded, strict=True):
            if kernel < 1:
                raise ShapeError(f"the kernel's {name} must be at least 1, got {kernel}")
            if span > padded:
                raise ShapeError(
                    f"the kernel's {name} is {span} but the padded input's is {padded}: kernel_size {self.kernel}, "
                    f"dilation {self.dilation}, padding {self.padding}, input size {self.size}"
                )


def named_padding(op: str, name: str, kernel: Any, stride: Pair, dilation: Pair) -> Any:
    """padding="valid": none; "same": what keeps the plane's size, an odd row or column at the bottom or right."""
    if name not in ("same", "valid"):
        raise refusal(op, f"padding must be ints, 'same' or 'valid', got {name!r}")
    if name == "valid":
        return (0, 0), (0, 0)
    if stride != (1, 1):
        raise refusal(op, f"padding='same' needs stride 1, but stride is {stride}")
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=False)]
    return tuple((total // 2, total - total // 2) for total in totals)


def pair(op: str, name: str, value: Any, least: int = 1) -> Pair:
    """An argument that is one int for both directions or one for each, none smaller than `least`."""
    try:
        numbers = tuple(map(operator.index, value)) if isinstance(value, Sequence) else (operator.index(value),)
    except TypeError:
        raise refusal(op, f"{name} must be an int or two ints, got {value!r}", DtypeError) from None
    if len(numbers) not in (1, 2):
        raise refusal(op, f"{name} must be an int or two ints, got {value!r}")
    if min(numbers) < least:
        raise refusal(op, f"{name} must be at least {least}, got {value!r}")
    return numbers[0], numbers[-1]


def refusal(op: str, rule: str, kind: type[Exception] = ArgumentError) -> Exception:
    """The error to raise where an argument is outside of what the operation allows."""
    return kind(f"{place(op, current().path)}: {rule}")
