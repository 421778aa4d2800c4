"""nn.utils.prune against PyTorch's: masks, importance scores, global pruning, custom methods, and errors."""

import copy
import math

import torch.nn.utils.prune  # noqa: F401 - PyTorch doesn't load it by itself

from .side_by_side import checked_programs
from .test_nn_utils import state_and_gradients, train

program, test_program_behaves_as_in_torch = checked_programs(slack=2, messages=lambda name: name not in OTHER_MESSAGES)


def net(nn):
    return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))


@program
def pruned(t, nn):
    prune, m, x = nn.utils.prune, net(nn), t.rand(2, 2, 4, 4)
    prune.random_unstructured(m[0], "weight", 0.3)
    prune.l1_unstructured(m[0], "bias", 2)
    prune.ln_structured(m[3], "weight", 0.4, n=2, dim=1)
    prune.random_structured(m[3], "weight", 2, dim=0)
    prune.l1_unstructured(m[3], "weight", 5)
    found = [train(t, m, x), prune.is_pruned(m), len(m[3]._forward_pre_hooks)]
    found.append([type(hook).__name__ for hook in m[3]._forward_pre_hooks.values()])
    prune.remove(m[0], "weight")
    prune.remove(m[3], "weight")
    return [*found, state_and_gradients(m), m(x), prune.is_pruned(m)]


@program
def pruned_by_importance_and_mask(t, nn):
    prune, m = nn.utils.prune, nn.Linear(3, 4)
    prune.l1_unstructured(m, "weight", 4, importance_scores=t.arange(12.0).reshape(4, 3))
    prune.ln_structured(m, "weight", 1, n=math.inf, dim=0, importance_scores=t.arange(12.0).reshape(4, 3))
    prune.custom_from_mask(m, "bias", t.tensor([1, 0, 1, 0]))
    prune.identity(m, "bias")
    return state_and_gradients(m), m.weight, m.bias


@program
def pruned_globally(t, nn):
    prune, m = nn.utils.prune, net(nn)
    parameters = [(m[0], "weight"), (m[3], "weight"), (m[3], "bias")]
    prune.global_unstructured(parameters, pruning_method=prune.L1Unstructured, amount=0.3)
    first = state_and_gradients(m)
    prune.global_unstructured(parameters, pruning_method=prune.RandomUnstructured, amount=10)
    return first, state_and_gradients(m), m(t.ones(1, 2, 4, 4))


@program
def pruned_globally_by_importance(t, nn):
    prune, m = nn.utils.prune, nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    parameters = [(m[0], "weight"), (m[1], "weight")]
    scores = {(m[0], "weight"): t.full((3, 2), 9.0)}
    prune.global_unstructured(parameters, prune.L1Unstructured, scores, amount=3)
    return state_and_gradients(m)


@program
def pruned_by_a_custom_method(t, nn):
    class EverySecond(nn.utils.prune.BasePruningMethod):
        PRUNING_TYPE = "unstructured"

        def compute_mask(self, x, default_mask):
            mask = default_mask.clone()
            mask.view(-1)[::2] = 0
            return mask

    m = nn.Linear(3, 2)
    EverySecond.apply(m, "weight")
    EverySecond.apply(m, "bias")
    return state_and_gradients(m), m.weight, EverySecond().prune(t.ones(4))


@program
def pruned_and_copied(t, nn):
    m = nn.utils.prune.l1_unstructured(nn.Linear(3, 2), "weight", 3)
    with t.no_grad():
        m(t.ones(1, 3))
    c = copy.deepcopy(m)
    return c(t.ones(1, 3)), list(c.state_dict())


for label, call in {
    "amount": lambda t, nn: nn.utils.prune.l1_unstructured(nn.Linear(3, 2), "weight", 1.5),
    "amount_of_another_type": lambda t, nn: nn.utils.prune.l1_unstructured(nn.Linear(3, 2), "weight", "x"),
    "amount_of_bool": lambda t, nn: nn.utils.prune.random_unstructured(nn.Linear(3, 2), "weight", True),
    "too_many": lambda t, nn: nn.utils.prune.random_unstructured(nn.Linear(3, 2), "weight", 7),
    "vector": lambda t, nn: nn.utils.prune.ln_structured(nn.Linear(3, 2), "bias", 1, 2, 0),
    "dim": lambda t, nn: nn.utils.prune.random_structured(nn.Linear(3, 2), "weight", 1, 2),
    "not_pruned": lambda t, nn: nn.utils.prune.remove(nn.Linear(3, 2), "weight"),
    "name": lambda t, nn: nn.utils.prune.identity(nn.Linear(3, 2), "nope"),
    "parametrized": lambda t, nn: nn.utils.prune.l1_unstructured(
        nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)), "weight", 1
    ),
    "importance": lambda t, nn: nn.utils.prune.l1_unstructured(nn.Linear(3, 2), "weight", 1, t.ones(2)),
    "structured_together": lambda t, nn: nn.utils.prune.global_unstructured(
        [(nn.Linear(3, 2), "weight")], nn.utils.prune.LnStructured, amount=1, n=2
    ),
    "parameters_together": lambda t, nn: nn.utils.prune.global_unstructured(3, nn.utils.prune.L1Unstructured, amount=1),
    "scores_together": lambda t, nn: nn.utils.prune.global_unstructured(
        [(nn.Linear(3, 2), "weight")], nn.utils.prune.L1Unstructured, importance_scores=3, amount=1
    ),
    "method_of_a_container": lambda t, nn: nn.utils.prune.PruningContainer().add_pruning_method(3),
    "scores_of_prune": lambda t, nn: nn.utils.prune.L1Unstructured(1).prune(t.ones(4), importance_scores=t.ones(3)),
    "mask": lambda t, nn: nn.utils.prune.custom_from_mask(nn.Linear(3, 2), "weight", t.ones(3)),
}.items():
    program[f"wrong_{label}_for_pruning"] = call


# The programs whose error messages say more than PyTorch's.
OTHER_MESSAGES = {"wrong_name_for_pruning", "wrong_amount_of_bool_for_pruning"}
