"""The hypothesis plugin, loaded by its entry point: types for `from_type`, a profile, and which imports it costs."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import microgad as torch
from microgad import nn
from microgad.testing.plugins.hypothesis_plugin import STRATEGIES

from ..processes import run

LAYERS = [cls for cls in vars(nn).values() if isinstance(cls, type) and issubclass(cls, nn.Module)]


def fresh(code: str, **environment: str) -> str:
    """What the code prints in a new process."""
    done = run("-c", code, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


FROM_TYPE = """
from hypothesis import find, strategies as st
linear = find(st.from_type(nn.Linear), lambda layer: layer.in_features == 2)
print(type(linear).__name__, tuple(linear.weight.shape))
for cls in (microgad.Tensor, nn.Parameter):
    print(type(find(st.from_type(cls), lambda x: x.ndim == 1)).__name__)
"""
IMPORTS = {
    "hypothesis first": "import hypothesis, microgad; from microgad import nn",
    "microgad first": "import microgad; from microgad import nn; import hypothesis",
    "between": "import microgad, hypothesis; from microgad import nn",
    "a layer's file": "import hypothesis, microgad.nn.modules.linear, microgad; from microgad import nn",
}


@pytest.mark.parametrize("first", IMPORTS.values(), ids=IMPORTS)
def test_types_are_registered_in_any_order_of_imports(first):
    assert fresh(first + FROM_TYPE).split("\n") == ["Linear (1, 2)", "Tensor", "Parameter", ""]


def test_importing_hypothesis_imports_neither_numpy_nor_microgad():
    code = """
import sys, hypothesis
print("_microgad_hypothesis" in sys.modules, *{"numpy", "microgad"} & {*sys.modules})
"""
    assert fresh(code).split() == ["True"]


def test_importing_both_does_not_import_microgad_testing():
    code = f"""
import sys
{IMPORTS["hypothesis first"]}
print([name for name in sys.modules if name.startswith("microgad.testing")])
"""
    assert fresh(code).strip() == "[]"


def test_the_profile_is_registered():
    profile = settings.get_profile("microgad")
    assert profile.deadline is None
    assert profile.print_blob


@pytest.mark.filterwarnings("ignore:`NLLLoss2d` is deprecated")
@pytest.mark.parametrize("cls", LAYERS, ids=lambda cls: cls.__name__)
def test_every_layer_has_a_strategy_of_its_own(cls):
    @settings(max_examples=20, database=None)
    @given(st.from_type(cls))
    def drawn(layer):
        assert isinstance(layer, cls)
        assert cls is nn.Module or type(layer) is cls

    assert cls in STRATEGIES
    drawn()


@pytest.mark.parametrize("cls", [torch.Tensor, nn.Parameter])
def test_from_type_draws_tensors_of_exactly_that_type(cls):
    drawn = find(st.from_type(cls), lambda x: x.ndim == 2)
    assert type(drawn) is cls
    assert tuple(drawn.shape) == (1, 1)


def test_a_subclass_is_built_from_its_annotated_arguments():
    class Net(nn.Module):
        def __init__(self, layer: nn.Linear, x: torch.Tensor, dtype: torch.dtype, device: torch.device) -> None:
            super().__init__()
            self.layer, self.x = layer, x.to(device, dtype)

    # Hypothesis reads annotations by name, which fails for those of a local class.
    types = {"layer": nn.Linear, "x": torch.Tensor, "dtype": torch.dtype, "device": torch.device}
    Net.__init__.__annotations__.update(types)
    net = find(st.from_type(Net), lambda net: net.layer.in_features > 1 and net.x.ndim)
    assert tuple(net.layer.weight.shape) == (1, 2)
    assert net.x.dtype is torch.float32
    assert find(st.from_type(torch.dtype), lambda kind: not kind.is_floating_point) == torch.complex64


def test_initial_values_vary_and_the_random_state_is_restored():
    before = torch.get_rng_state()
    seen = []

    @settings(max_examples=10, database=None, phases=[hypothesis.Phase.generate])
    @given(st.from_type(nn.Linear))
    def drawn(layer):
        seen.append(layer.weight.flatten()[0].item())

    drawn()
    assert len(set(seen)) > 1
    assert torch.equal(torch.get_rng_state(), before)
    first, again = (find(st.from_type(nn.Conv2d), lambda layer: True) for _ in range(2))
    assert torch.equal(first.weight, again.weight)
