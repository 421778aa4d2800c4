"""The names of torch.nn that are out of scope, by reason."""

from __future__ import annotations

REASONS = {
    "deprecated by PyTorch before its version 1": "nn.Container",
    "no layer: what layers are made from": "nn.Module",
    "no layer: what recurrent layers are made from": "nn.RNNBase nn.RNNCellBase",
}
OUT_OF_SCOPE = {name: reason for reason, names in REASONS.items() for name in names.split()}
