"""Without PyTorch there is nothing to compare with: what imports it at once is left out, the rest skips."""

from importlib.util import find_spec

AT_ONCE = [
    "both.py",
    "derivatives.py",
    "test_arguments.py",
    "test_custom_function.py",
    "test_forward_ad.py",
    "test_func.py",
    "test_gradients.py",
    "test_hooks.py",
    "test_module.py",
    "test_module_calls.py",
    "test_module_state.py",
    "test_nn_utils.py",
    "test_node_hooks.py",
    "test_refused_arguments.py",
    "test_rnn.py",
    "test_saved_values.py",
    "test_transformer.py",
    "test_truth_values.py",
    "test_writes.py",
]
collect_ignore = [] if find_spec("torch") else AT_ONCE
