"""What an optimizer's loaded state shares with the dict that it is loaded from."""

from __future__ import annotations

import microgad as torch
from microgad.optim import Adam


def test_loading_copies_no_tensors_of_the_parameter_s_dtype() -> None:
    first, second = (torch.ones(2, requires_grad=True) for _ in range(2))
    donor, optimizer = Adam([first]), Adam([second])
    first.sum().backward()
    donor.step()
    saved = donor.state_dict()
    optimizer.load_state_dict(saved)
    assert optimizer.state[second].keys() == {"step", "exp_avg", "exp_avg_sq"}
    assert all(saved["state"][0][name] is value for name, value in optimizer.state[second].items())
