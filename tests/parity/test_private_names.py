"""Names inside of PyTorch that other libraries use: private functions, classes and attributes, compressed indices."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest

import microgad

from .side_by_side import checked_programs, randn, submodule

torch = pytest.importorskip("torch")
programs, test_program_behaves_as_in_torch = checked_programs(messages=False)


@programs
def base_classes_of_layers(t, nn):
    pooling, padding = submodule(t, "nn.modules.pooling"), submodule(t, "nn.modules.padding")
    kinds = {
        pooling: "MaxPool MaxUnpool LPPool AdaptiveAvgPool AdaptiveMaxPool",
        padding: "ConstantPad ReflectionPad ReplicationPad CircularPad",
    }
    return [
        issubclass(getattr(where, f"{name}2d"), getattr(where, f"_{name}Nd"))
        for where, names in kinds.items()
        for name in names.split()
    ]


@programs
def what_subclasses_print_by(t, nn):
    printing = t._tensor_str

    class Own(t.Tensor):
        def __repr__(self, *, tensor_contents=None):
            return "own " + super().__repr__(tensor_contents=tensor_contents)

    found = [t.ones(3).as_subclass(Own).__repr__(tensor_contents="x"), t.zeros(0, 3).__repr__(tensor_contents="x")]
    for x in (t.arange(4000.0).reshape(2, 2000), t.ones(2, 3).double() * 1j, t.tensor(0.5, requires_grad=True) * 3):
        entries = printing._tensor_str(x.detach(), 4)
        suffixes = ["a=" + "b" * 40, "c=" + "d" * 30, "e"]
        found += [entries, *(printing._add_suffixes(entries, suffixes, 2, newline) for newline in (False, True))]
        found += [f(x, tensor_contents=what) for f in (printing._str, printing._str_intern) for what in (None, "x\ny")]
    return found


@programs
def initializers_and_helpers_of_layers(t, nn):
    x = t.zeros(3, 4)
    nn.init._no_grad_trunc_normal_(x, 0.0, 1.0, -2.0, 2.0)
    nn.init._no_grad_normal_(x[0], 0.0, 1.0)
    nn.init._no_grad_uniform_(x[1], 0.0, 1.0)
    nn.init._no_grad_fill_(x[2], 3.0)
    utils = submodule(t, "nn.modules.utils")
    sizes = [utils._list_with_default(size, [3, 5, 7]) for size in ((None, 2), [4, None], 6)]
    return x, sizes, submodule(t, "nn.modules.module")._addindent("a\nb\n\nc", 3)


@programs
def names_that_programs_import_from_other_modules(t, nn):
    loaders, rnn = submodule(t, "utils.data.dataloader"), submodule(t, "nn.modules.rnn")
    assert (loaders.Dataset, loaders.Sampler) == (t.utils.data.Dataset, t.utils.data.Sampler)
    assert submodule(t, "optim.lr_scheduler").Optimizer is t.optim.Optimizer
    linear = submodule(t, "nn.modules.activation").NonDynamicallyQuantizableLinear
    conv = submodule(t, "nn.modules.conv")
    with pytest.warns(FutureWarning, match="`apply_permutation` is deprecated, please use `tensor.index_select"):
        x = rnn.apply_permutation(randn(t, 2, 3), t.tensor([2, 0, 1]))
    return issubclass(linear, nn.Linear), conv._single(1), conv._pair(1), conv._triple((1, 2, 3)), x


@programs
def subclasses_that_set_their_own_padding_or_kernel(t, nn):
    pooling, padding = submodule(t, "nn.modules.pooling"), submodule(t, "nn.modules.padding")

    class Pad(padding._ConstantPadNd):
        def __init__(self):
            super().__init__(2.0)
            self.padding = (1, 0)

    class Reflect(padding._ReflectionPadNd):
        def __init__(self):
            super().__init__()
            self.padding = (1, 1)

    for base in (pooling._AvgPoolNd, pooling._MaxUnpoolNd):
        layer = base()
        layer.kernel_size, layer.stride, layer.padding = 2, 1, 0
        assert layer.extra_repr() == "kernel_size=2, stride=1, padding=0"
    return Pad()(t.ones(1, 2)), repr(Pad()), Reflect()(randn(t, 1, 3)), repr(Reflect())


@programs
def helpers_of_recurrent_layers(t, nn):
    lstm, x, order = nn.LSTM(2, 4, proj_size=3), randn(t, 5, 2, 2), t.tensor([1, 0])
    h, c = randn(t, 1, 2, 3), randn(t, 1, 2, 4)
    lstm.check_forward_args(x, (h, c), None)
    errors = []
    for call in (
        lambda: lstm.check_forward_args(x, (h, h), None),
        lambda: lstm.check_input(x[..., :1], None),
        lambda: lstm.check_input(x, t.tensor([2])),
        lambda: lstm.check_hidden_size(h, (1, 2, 4)),
        lambda: nn.GRU(2, 4).check_forward_args(x, h, None),
    ):
        with pytest.raises(RuntimeError) as caught:
            call()
        errors.append(str(caught.value))
    shapes = lstm.get_expected_hidden_size(x, None), lstm.get_expected_cell_size(x[0], t.tensor([1, 1]))
    return shapes, list(lstm.permute_hidden((h, c), order)), nn.GRU(2, 3).permute_hidden(h, order), errors


@programs
def hooks_of_all_modules(t, nn):
    module = submodule(t, "nn.modules.module")
    seen = []
    handle = module.register_module_forward_hook(lambda m, args, out: seen.append(type(m).__name__), always_call=True)
    nn.ReLU()(t.ones(1))
    found = list(module._global_forward_hooks) == [handle.id], [*module._global_forward_hooks_always_called.values()]
    handle.remove()
    nn.ReLU()(t.ones(1))
    return seen, found, list(module._global_forward_hooks), list(module._global_backward_hooks)


@programs
def masks_of_transformers(t, nn):
    canonical, mask = nn.functional._canonical_mask, t.tensor([True, False])
    with pytest.warns(UserWarning, match="Support for mismatched a and b is deprecated. Use same type for both"):
        added = canonical(mask, "a", nn.functional._none_or_dtype(t.ones(1)), "b", t.float32)
    return added, canonical(t.ones(2), "a", None, "b", t.float64), canonical(None, "a", None, "b", t.float32)


@programs
def list_with_default_of_too_few_sizes(t, nn):
    submodule(t, "nn.modules.utils")._list_with_default((None, 2), [3, 5])


@programs
def kernels_by_name(t, nn):
    x, v, g = randn(t, 2, 3), randn(t, 3, 2, 2, seed=2), randn(t, 3, 1, 1, seed=3)
    found = [t._softmax(x, 1, False), t._log_softmax(x, 0, half_to_float=False), t._shape_as_tensor(x[:0])]
    found += [t._weight_norm(v, g), t._weight_norm(v, g[:2].mT, -1), t._weight_norm(v=v, g=g[:2, :, :], dim=1)]
    rnn, native = t.manual_seed(0) and nn.LSTM(3, 4).double(), t._C._nn
    lstm = t._VF.lstm(
        x.unsqueeze(1), [t.zeros(1, 1, 4).double()] * 2, rnn._flat_weights, True, 1, 0.0, False, False, False
    )
    names = [hasattr(native, name) for name in ("_parse_to", "no_such_kernel")], t._C._VariableFunctions.relu(x)
    return found, list(lstm), native.gelu(x), native.linear(x, v[0, :1].repeat(1, 2)[:, :3]), names


@programs
def arguments_of_new_parameters(t, nn):
    given = {"device": "cpu", "factory_kwargs": {"dtype": t.float64}}
    found, none = nn.factory_kwargs(given), nn.factory_kwargs(None)
    for wrong in ({"bias": True}, {"dtype": t.float32, "factory_kwargs": {"dtype": t.float64}}):
        with pytest.raises(TypeError) as caught:
            nn.factory_kwargs(wrong)
        found[str(caught.value)] = True
    return t.empty(2, **nn.factory_kwargs(given)).dtype == t.float64, sorted(map(str, found)), none


@programs
def helpers_of_data_parallel_programs(t, nn):
    utils, x = t._utils, [t.ones(2), t.ones(3, dtype=t.int64), t.ones(4), t.ones(1), t.zeros(2, dtype=t.int64)]
    taken = [utils._take_tensors(x, limit) for limit in (1, 24, 1000)]
    batches = [[list(batch) for batch in part] for part in taken]
    errors = []
    for device, optional, cpu in (("cpu", False, False), (None, False, False), ("cuda", False, True)):
        with pytest.raises(ValueError, match="Expected a "):
            utils._get_device_index(device, optional, cpu)
    numbers = [utils._get_device_index(place) for place in (3, "cuda:1", t.device("cuda", 0))]

    class Answers:
        @utils.classproperty
        def name(cls):
            return cls.__name__

    for error in (KeyError("a"), ValueError("b"), UnicodeDecodeError("utf-8", b"", 0, 1, "c")):
        try:
            raise error
        except Exception:
            wrapped = utils.ExceptionWrapper(where="in a thread")
        with pytest.raises((KeyError, ValueError, RuntimeError)) as caught:
            wrapped.reraise()
        errors += [type(caught.value), str(caught.value).partition(".")[0], wrapped.exc_type]
    flat = [y for batch in batches[2] for y in batch]
    return (
        batches,
        list(utils._reorder_tensors_as(flat, x)),
        numbers,
        utils._get_device_index("cpu", allow_cpu=True),
        errors,
        Answers.name,
    )


@programs
def helpers_of_transformers(t, nn):
    module = submodule(t, "nn.modules.transformer")
    mask = module._generate_square_subsequent_mask(3)
    found = [
        module._detect_is_causal_mask(m, c, n) for m in (None, mask, mask.T) for c in (None, True) for n in (None, 3)
    ]
    lengths = [module._get_seq_len(t.ones(*shape), first) for shape in ((2, 3, 4), (3, 4)) for first in (False, True)]
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax"):
        lengths += [nn.functional._get_softmax_dim("softmax", n, 3) for n in range(5)]
    return mask, found, lengths


@programs
def helpers_of_distributions(t, nn):
    d, probs = t.distributions, t.tensor([[0.25, 0.75], [0.5, 0.5]], dtype=t.float64)
    kinds = d.Bernoulli, d.Categorical, d.ContinuousBernoulli, d.OneHotCategorical
    made = [kind(probs)._new([1.5, 2]) for kind in kinds] + [d.NegativeBinomial(2, probs)._new((2, 0))]
    parts = d.Independent(d.Normal(t.zeros(2, 2, 3), t.ones(2, 2, 3)), 1)
    mixture = d.MixtureSameFamily(d.Categorical(probs), parts)
    return made, mixture._pad_mixture_dimensions(probs), mixture._pad(t.ones(2, 3)).shape


@programs
def optimizers_of_several_processes(t, nn):
    w = t.ones(2, requires_grad=True)
    optimizer = t.optim.Adagrad([w])
    optimizer.share_memory()
    return optimizer.state[w]["sum"].is_shared(), t.thread_safe_generator(), t.random.thread_safe_generator()


@programs
def projections(t, nn):
    x, w, b = randn(t, 5, 2, 4), randn(t, 12, 4, seed=2), randn(t, 12, seed=3)
    packed = nn.functional._in_projection_packed(x, x, x, w, b), nn.functional._in_projection_packed(x, x + 1, x + 1, w)
    separate = nn.functional._in_projection(x, x, x, *w.chunk(3), *b.chunk(3))
    return list(packed[0]), list(packed[1]), list(separate)


@programs
def shapes_of_attention(t, nn):
    check, x, rows = nn.functional._mha_shape_check, t.ones(5, 2, 4), t.ones(5, 4)
    return check(x, x, x, t.ones(2, 5), t.ones(5, 5), 2), check(rows, rows, rows, t.ones(5), t.ones(2, 5, 5), 2)


@programs
def parts_of_pruning_methods(t, nn):
    prune, x = submodule(t, "nn.utils.prune"), randn(t, 3, 4)
    counts = [prune._compute_nparams_toprune(amount, 7) for amount in (0, 3, 1, 1.0, 0.4, 0.5)]
    prune._validate_pruning_amount_init(3)
    prune._validate_pruning_amount(0.5, 0)
    prune._validate_structured_pruning(x)
    prune._validate_pruning_dim(x, -1)
    errors = []
    for call in (
        lambda: prune._validate_pruning_amount_init("1"),
        lambda: prune._validate_pruning_amount_init(1.5),
        lambda: prune._validate_pruning_amount_init(-1),
        lambda: prune._validate_pruning_amount(8, 7),
        lambda: prune._validate_structured_pruning(t.ones(3)),
        lambda: prune._validate_pruning_dim(x, 2),
    ):
        with pytest.raises((TypeError, ValueError, IndexError)) as caught:
            call()
        errors.append(str(caught.value))
    return counts, errors, prune._compute_norm(x, 2, -1), prune._compute_norm(x, 1, 0)


@programs
def bessel_functions(t, nn):
    log = submodule(t, "distributions.von_mises")._log_modified_bessel_fn
    x = t.linspace(0.1, 30, 9, dtype=t.float64)
    return [log(x, order).round(decimals=5) for order in (0, 1)]


@programs
def weak_tensor_key_dictionary(t, nn):
    names = submodule(t, "utils.weak").WeakTensorKeyDictionary()
    x, y = t.ones(2), t.ones(2)
    names[x] = 1
    names[y] = 2
    seen = [len(names), names[x], y in names, t.ones(2) in names, [key is x for key in names], sorted(names.values())]
    del names[y], x
    return seen, len(names), names.get(y, 5)


@programs
def weak_tensor_key_dictionaries_copied_and_merged(t, nn):
    x, y = t.ones(2), t.ones(2)
    names = submodule(t, "utils.weak").WeakTensorKeyDictionary({x: [1]})
    copies = names.copy(), copy.copy(names), copy.deepcopy(names), names | {y: 2}, {x: 3, y: 4} | names
    names |= {y: 5}
    shared = [each[x] is names[x] for each in copies]
    return shared, [list(each.values()) for each in (names, *copies)], {type(each) is type(names) for each in copies}


@programs
def weak_tensor_key_dictionary_in_words(t, nn):
    return re.sub("0x.*", "", repr(submodule(t, "utils.weak").WeakTensorKeyDictionary()))


@programs
def weak_tensor_key_dictionary_of_a_number(t, nn):
    submodule(t, "utils.weak").WeakTensorKeyDictionary()[1]


@programs
def weak_tensor_key_dictionary_without_the_key(t, nn):
    return submodule(t, "utils.weak").WeakTensorKeyDictionary()[t.ones(1)]


ASSERT_ALLCLOSE_ARGUMENTS = {
    "close": lambda t: (t.ones(1), [1.00005]),
    "of two dtypes": lambda t: (t.ones(1), t.ones(1, dtype=t.float64) + 5e-5),
    "numbers": lambda t: (1.0, 1.00005),
    "integers": lambda t: (t.tensor([1]), t.tensor([2])),
    "far": lambda t: (t.ones(1), t.tensor([1.0002])),
    "of two shapes": lambda t: (t.ones(2), t.ones(1, 2)),
    "NaN": lambda t: (t.tensor(float("nan")), float("nan")),
}
for name, pair in ASSERT_ALLCLOSE_ARGUMENTS.items():
    programs[f"assert_allclose: {name}"] = lambda t, nn, pair=pair: submodule(t, "testing").assert_allclose(*pair(t))


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t._convert_indices_from_coo_to_csr(t.tensor([0, 0, 2, 2, 3]), 5),
        lambda t: t._convert_indices_from_coo_to_csr(t.tensor([0, 1], dtype=t.int32), 3),
        lambda t: t._convert_indices_from_coo_to_csr(t.tensor([], dtype=t.int64), 3, out_int32=True),
        lambda t: t._convert_indices_from_csr_to_coo(t.tensor([0, 2, 2, 4]), t.tensor([1, 3, 0, 2])),
        lambda t: t._convert_indices_from_csr_to_coo(t.tensor([0, 2, 2, 4]), t.tensor([1, 3, 0, 2]), transpose=True),
        lambda t: t._convert_indices_from_csr_to_coo(t.tensor([0, 0]), t.tensor([], dtype=t.int64), out_int32=True),
        lambda t: t._segment_reduce(t.tensor([1.0, 2.0, 3.0]), "sum", offsets=t.tensor([0, 2, 3])),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_compressed_indices_equal_pytorchs(call):
    assert str(call(microgad)) == str(call(torch))


@pytest.mark.parametrize("rows", [[[0, 1]], [0.0, 1.0]])
def test_errors_of_invalid_indices(rows):
    with pytest.raises(RuntimeError) as expected:
        torch._convert_indices_from_coo_to_csr(torch.tensor(rows), 2)
    with pytest.raises(expected.type):
        microgad._convert_indices_from_coo_to_csr(microgad.tensor(rows), 2)


def test_precision_to_scale_tril_and_batch_mahalanobis():
    """Laplace approximations and Gaussian processes call them."""

    def found(library):
        multivariate_normal = submodule(library, "distributions.multivariate_normal")
        matrix = library.tensor([[[2.0, 0.5], [0.5, 1.0]], [[3.0, -1.0], [-1.0, 4.0]]], dtype=library.float64)
        factor, distance = multivariate_normal._precision_to_scale_tril(matrix), multivariate_normal._batch_mahalanobis
        x = library.arange(12.0, dtype=library.float64).reshape(3, 2, 2)
        return [t.numpy() for t in (factor, distance(factor, x), distance(factor[0], x))]

    for mine, theirs in zip(found(microgad), found(torch), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-13)


def test_reverse_repeat_tuple():
    from torch.nn.modules.utils import _reverse_repeat_tuple as theirs

    from microgad.nn.modules.utils import _reverse_repeat_tuple as ours

    assert ours((1, 2, 3), 2) == theirs((1, 2, 3), 2)


def test_an_inplace_function_writes_as_pytorchs():
    """Quantized networks use it to write into an input."""

    def found(library):
        class Signs(library.autograd.function.InplaceFunction):
            @staticmethod
            def forward(ctx, x, inplace=False):
                if inplace:
                    ctx.mark_dirty(x)
                return (x if inplace else x.clone()).sign_()

            @staticmethod
            def backward(ctx, grad):
                return grad * 2, None

        x = library.tensor([-2.0, 3.0], requires_grad=True)
        y = Signs.apply(x * 1, True) + Signs.apply(x)
        y.sum().backward()
        return y.tolist(), x.grad.tolist(), issubclass(Signs, library.autograd.Function)

    assert found(microgad) == found(torch)


def test_is_tracing_is_false():
    assert microgad._C._is_tracing() is torch._C._is_tracing() is False


def names_that_libraries_ask_for(t, boxes):
    data, multivariate_normal = t.utils.data, submodule(t, "distributions.multivariate_normal")
    dispatch = submodule(t, "utils._python_dispatch")

    class Wrapper(t.Tensor):
        __tensor_flatten__ = __tensor_unflatten__ = None  # they are only looked for

    class Stream(data.IterableDataset):
        __iter__ = None

    kind = data.dataloader._DatasetKind
    a, b = t.tensor([[0.0, 0, 2, 2], [1, 1, 3, 2]]), t.tensor([[1.0, 1, 2, 2.5]])
    return [
        [x.tolist() for fmt in ("xyxy", "xywh", "cxcywh") for x in boxes._box_inter_union(a, b, fmt)],
        [kind.Map, kind.Iterable, *(data.DataLoader(d)._dataset_kind for d in ([1], Stream()))],
        multivariate_normal.Distribution is t.distributions.Distribution,
        [dispatch.is_traceable_wrapper_subclass(x) for x in (a, a.as_subclass(Wrapper), 1)],
    ]


def test_names_that_libraries_ask_for():
    """Ignite, lightning, botorch and huggingface_hub."""
    theirs = pytest.importorskip("torchvision.ops.boxes")
    ours = names_that_libraries_ask_for(microgad, submodule(microgad, "porting.vision.ops.boxes"))
    assert ours == names_that_libraries_ask_for(torch, theirs)
