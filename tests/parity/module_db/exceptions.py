"""Where a layer is judged otherwise than the rest, each with its reason."""

from __future__ import annotations

# Tolerances are wider by this factor: (factor, reason).
SLACK: dict[str, tuple[float, str]] = {
    "nn.BCELoss": (100, "second derivatives near 0 and 1 are what cancellation leaves"),
    "nn.Hardsigmoid": (1000, "torch's derivative is the float32 nearest to 1/6"),
}

# Initial values that are drawn from a normal distribution, equal but for the last bits; all others are bit for bit.
NORMAL = {"nn.Embedding", "nn.EmbeddingBag", "nn.MultiheadAttention"}

# Checks that aren't made: how their names begin, and the reason.
LEFT_OUT: dict[str, dict[str, str]] = {
    **{
        f"nn.LPPool{n}d": {"gradgrad": "of NaN, where torch takes the gradient of relu to be 1, microgad to be 0"}
        for n in (1, 2, 3)
    },
    "nn.CTCLoss": dict.fromkeys(
        ("forward float32 noncontiguous", "forward float64 noncontiguous"),
        "torch reads targets in one dimension as if there were no gaps between them",
    ),
    "nn.LinearCrossEntropyLoss": {
        "gradgrad": "with options torch's second derivative is 0, which its documentation says is not supported",
    },
    "nn.CrossMapLRN2d": {"grad": "torch's gradient is not that of its result, and has no second derivative"},
}
