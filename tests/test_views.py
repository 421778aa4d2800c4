"""Views share memory and history with their base."""

from __future__ import annotations

import copy
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad as torch
from microgad.function import Function, numbers
from microgad.ops.indexing import GetItem
from microgad.ops.movement import rearranging, repeating, shape
from microgad.view_writes.registry import steps_to


def test_a_write_to_a_view_of_a_view_changes_the_base_and_its_gradient() -> None:
    a = torch.arange(6.0).requires_grad_()
    b = (a * 1).reshape(2, 3)
    row = b.t()[1]
    row.mul_(10)
    assert b.tolist() == [[0.0, 10.0, 2.0], [3.0, 40.0, 5.0]]
    (b * torch.arange(6.0).reshape(2, 3)).sum().backward()
    assert a.grad is not None
    assert a.grad.tolist() == [0.0, 10.0, 2.0, 3.0, 40.0, 5.0]


def test_a_write_does_not_derive_the_nodes_of_views_that_nobody_reads() -> None:
    x = torch.ones(30, requires_grad=True)
    base = x * 1
    views = base.unbind()
    with torch.no_grad():
        lost = base[:1]
    base.mul_(2)
    before = next(numbers)
    for _ in range(3):
        base.mul_(3)
        views[0].mul_(5)
    assert next(numbers) - before < 20
    views[1].mul_(7)
    (base + sum(views)).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [54 * 125 * 31, 54 * 7 * 31, *[54 * 31] * 28]
    with pytest.raises(RuntimeError, match="created in no_grad mode"):
        lost.sum().backward()


def test_threads_that_read_an_outdated_view_get_the_same_node() -> None:
    base = torch.ones(4, requires_grad=True) * 1
    views = [base[i:] for i in range(4)] * 4
    base.mul_(2)
    with ThreadPoolExecutor(4) as threads:
        nodes = list(threads.map(lambda view: view.node, views))
    assert all(node is nodes[i % 4] for i, node in enumerate(nodes))
    assert len(base._links.views or ()) == 4


def test_a_thread_that_is_late_to_derive_a_view_again_gets_its_node() -> None:
    base = torch.ones(2, requires_grad=True) * 1
    view = base[:1]
    base.mul_(2)
    node = view.node  # another thread, which had seen the view outdated, now comes to the same
    assert node is not None
    assert view._derive_again() is node


def test_views_of_other_elements_may_be_written_one_after_another() -> None:
    x = torch.arange(1.0, 5, requires_grad=True)
    base = x * 1
    first, second = base[:2], base[2:]
    first.mul_(3)
    second.mul_(first)
    (base * base).sum().backward()  # the sum of the squares of 3a, 3b, 3ac, 3bd
    assert x.grad is not None
    assert x.grad.tolist() == [18 * (1 + 9), 36 * (1 + 16), 18 * 3, 18 * 4 * 4]


def test_a_view_of_many_views_takes_no_more_memory_than_the_first() -> None:
    def size_of_one_more(_: int = 0) -> int:
        nonlocal view
        tracemalloc.start()
        try:
            view = view[:]
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    x = torch.ones(2, requires_grad=True)
    base = view = x * 1
    first = size_of_one_more()
    for _ in range(2000):
        view = view[:]
    assert min(map(size_of_one_more, range(5))) <= 2 * first  # of several, as the base's list of views grows in jumps
    view.mul_(3)
    base.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [3.0, 3.0]


@pytest.mark.parametrize("live", [0, 6, 7, 61, 62, 253, 254, 255, 509])
def test_the_number_of_live_views_does_not_matter_to_the_time_of_another(live: int) -> None:
    class Counted(list[Any]):
        def __iter__(self) -> Iterator[Any]:
            nonlocal looked_at
            looked_at += len(self)
            return super().__iter__()

    looked_at, x = 0, torch.zeros(1)
    x._own_links().views = Counted()
    kept = [x[0] for _ in range(live)]
    for _ in range(300):
        x[0]
    assert looked_at <= 2 * (live + 300)
    assert len(x._links.views) <= 2 * len(kept) + 7
    assert not vars(copy.deepcopy(x))


def test_as_strided_of_a_view_may_write_elements_of_the_base_outside_of_it() -> None:
    x = torch.arange(1.0, 5, requires_grad=True)
    base = x * 1
    beyond = base[:2].as_strided((2,), (1,), 2)  # elements of the base after that view
    base[:1].mul_(5)
    beyond.mul_(beyond.detach().clone())
    (base * torch.tensor([1.0, 10, 100, 1000])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [5, 10, 300, 4000]


def test_a_write_to_a_view_made_under_no_grad_raises() -> None:
    x = torch.ones(2, requires_grad=True) * 1
    with torch.no_grad():
        v = x[:1]
    for view in (v, v[0], v.view(1, 1)):
        with pytest.raises(RuntimeError, match="created in no_grad mode"):
            view.mul_(2)


@pytest.mark.parametrize(
    "write", [lambda x, w: x.mul_(w), lambda x, w: x[:1].copy_(w), lambda x, w: x.__setitem__(0, w)]
)
@pytest.mark.parametrize("recorded", [False, True])
def test_backward_from_a_no_grad_view_raises_after_a_write_to_its_base(write: Any, recorded: bool) -> None:
    w = torch.tensor([3.0], requires_grad=True)
    x = torch.ones(2, requires_grad=True) * 1 if recorded else torch.ones(2)
    with torch.no_grad():
        v, bits = x[:1], x.view(torch.int32)
    write(x, w[0])
    assert v.detach().tolist() == [3]
    assert not bits.requires_grad
    with pytest.raises(RuntimeError, match="created in no_grad mode and its base or another view of its base has"):
        v.sum().backward()
    x.sum().backward()
    assert w.grad.tolist() == [2 if x[1] == 3 else 1]
    with torch.no_grad():
        assert v.mul_(2).tolist() == [6]


@pytest.mark.parametrize("made", ["under no_grad", "before the base required grad", "of a result"])
def test_operations_on_a_view_without_a_node_are_recorded_if_its_base_requires_grad(made: str) -> None:
    leaf = torch.ones(2, 3, requires_grad="before" not in made)
    base = leaf * 1 if "result" in made else leaf
    with torch.set_grad_enabled("before" in made):
        views = [base.view(6), base[0], base.expand(4, 2, 3), *base.unbind(), base.as_subclass(torch.nn.Parameter)]
        bits = base.view(torch.int32)
    base.requires_grad_()
    other, running = torch.ones((), requires_grad=True), torch.ones(())
    for view in views:
        assert (view.requires_grad, view.is_leaf, view.grad_fn) == (True, True, None)
        assert not (view.detach() * 2).requires_grad
        for operation in (torch.exp, torch.sum, view.mul, lambda x: x.max(0).values, lambda x: torch.cat([x, x])):
            result = operation(view)
            assert result.grad_fn is not None
            assert all(node is None for node, _ in result.grad_fn.next_functions)
            result.sum().backward()
        product = view * running
        running.add_(1)  # it wasn't kept: the gradient of the view leads nowhere
        (product * other).sum().backward()
        assert view.grad is leaf.grad is None
        with pytest.raises(RuntimeError, match="not have been used in the graph"):
            torch.autograd.grad(view.sum(), view)
        with torch.no_grad():
            assert not (view * 2).requires_grad
    assert not bits.requires_grad
    assert not (bits + 1).requires_grad
    if base is leaf:
        for wanted in (False, True):
            base.requires_grad_(wanted)
            assert [view.requires_grad for view in views] == [(view * 2).requires_grad for view in views]
            assert views[0].requires_grad is wanted


def test_a_custom_function_is_told_that_a_view_made_under_no_grad_requires_grad() -> None:
    class Sum(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *parts: Any) -> Any:
            needed.append(ctx.needs_input_grad)
            return parts[0] + parts[1]

    needed: list[Any] = []
    leaf, plain = torch.ones(2, requires_grad=True), torch.ones(2)
    with torch.no_grad():
        view = leaf[:1]
    Sum.apply(view, plain[:1])
    Sum.apply(leaf[:1], 2)
    assert needed == [(True, False), (True, False)]


@pytest.mark.parametrize(
    "update",
    [
        lambda x, view: x.copy_(view),
        lambda x, view: x.add_(view, alpha=0.5),
        lambda x, view: x.lerp_(view, 0.5),
        lambda x, view: x.addcmul_(view, view),
    ],
)
def test_updates_by_a_view_made_under_no_grad_are_recorded(update: Any) -> None:
    base = torch.ones(2, requires_grad=True) * 1
    with torch.no_grad():
        view = base[:1]
        assert not update(torch.zeros(1), view).requires_grad
    assert update(torch.zeros(1), view).requires_grad


def test_hooks_on_a_view_made_under_no_grad_are_never_called() -> None:
    base, calls = torch.ones(2, requires_grad=True), list[Any]()
    with torch.no_grad():
        view = base[:1]
    handle = view.register_hook(calls.append)
    view.retain_grad()
    (view * 2).sum().backward()
    handle.remove()
    assert (view.grad, calls) == (None, [])


def test_after_several_writes_the_retained_gradient_is_the_one_after_the_last() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.retain_grad()
    y += 1
    y *= 3
    y[1] = 5
    y[:1] *= 7
    y.sum().backward()
    assert y.grad is not None
    assert x.grad is not None
    assert (y.grad.tolist(), x.grad.tolist()) == ([1, 1], [42, 0])


def test_vmap_of_a_view_made_under_no_grad_requires_no_grad() -> None:
    x = torch.ones(2, 3, requires_grad=True)

    @torch.no_grad()
    def first(row: torch.Tensor) -> torch.Tensor:
        return row[:2]

    assert not torch.func.vmap(first)(x).requires_grad
    assert not torch.func.vmap(lambda row: first(row) * 2)(x).requires_grad


def test_parts_of_a_flat_parameter_that_were_made_before_it_required_grad_lead_to_it_once_it_is_written_to() -> None:
    flat = torch.ones(5)
    weight, bias = flat[:4].view(2, 2), flat[4:]
    flat.requires_grad_()
    flat.data.zero_().add_(1)  # PyTorch doesn't count these writes
    (weight * bias).sum().backward()
    assert flat.grad is None
    with torch.no_grad():
        torch.nn.init.constant_(bias, 2.0)
    (weight * bias).sum().backward()
    assert flat.grad.tolist() == [2.0, 2.0, 2.0, 2.0, 4.0]
    first, second = torch.ones(5).split(3)
    torch.nn.init.constant_(first, 2.0)
    first._base.requires_grad_()
    (first.sum() + (second**2).sum()).backward()
    assert first._base.grad.tolist() == [1.0, 1.0, 1.0, 2.0, 2.0]


def test_a_view_that_is_older_than_its_base_s_memory_is_not_derived_again() -> None:
    flat = torch.ones(6)
    view = flat.view(2, 3)
    flat.requires_grad_().data = torch.ones(8)
    (view * 2).sum().backward()
    assert flat.grad is None


def test_views_made_in_inference_mode_may_be_made_of_what_was_written_to_through_data() -> None:
    with torch.inference_mode():
        x = torch.ones(3)
        x.data.add_(1)
        assert x[1:].tolist() == [2.0, 2.0]


def test_a_view_made_under_no_grad_refuses_a_gradient_after_its_base_is_written_to_under_no_grad() -> None:
    x = torch.ones(3, requires_grad=True)
    with torch.no_grad():
        view = x[:2]
        x.add_(1)
        assert (view * 2).tolist() == [4.0, 4.0]
    with pytest.raises(RuntimeError, match="created in no_grad mode and its base or another view of its base has"):
        (view * 2).sum().backward()


def test_a_view_made_under_no_grad_can_become_a_leaf() -> None:
    base = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        view = base[:1]
    assert view.requires_grad_() is view
    (view * 3).sum().backward()
    assert view.grad is not None
    assert (view.grad.tolist(), base.grad) == ([3], None)


def test_view_raises_if_the_memory_cannot_be_shared() -> None:
    x = torch.zeros(2, 3)
    assert x.view(3, 2)._base is x
    with pytest.raises(
        RuntimeError, match=r"view size is not compatible .* Use \.reshape\(\.\.\.\) instead\. Size \(6,\)"
    ):
        x.t().view(6)
    with pytest.raises(RuntimeError, match=r"shape '\[4, 2\]' is invalid for input of size 6"):
        x.view(4, 2)


def test_no_size_for_minus_one_fits_beside_a_zero() -> None:
    with pytest.raises(RuntimeError, match=r"shape '\[-1, 0\]' is invalid for input of size 5"):
        torch.arange(5).reshape(-1, 0)
    with pytest.raises(RuntimeError, match="cannot reshape tensor of 0 elements into shape"):
        torch.arange(0).reshape(-1, 0)


def test_a_view_knows_its_base() -> None:
    x = torch.ones(4)
    assert x._base is None
    assert not x._is_view()
    assert x[:2]._base is x.view(2, 2)[0]._base is x
    assert x[:2]._is_view()
    assert x.clone()._base is None


def test_detach_shares_memory_and_version() -> None:
    x = torch.ones(2)
    d = x.detach()
    d.add_(1)
    assert x.tolist() == [2.0, 2.0]
    assert x._version == 1


@pytest.mark.parametrize("kind", ["leaf", "recorded", "view", "no grad", "inference", "half", "outdated", "integers"])
@pytest.mark.parametrize(
    ("cls", "settings"),
    [
        (GetItem, {"index": (0, slice(1, None), ...)}), (GetItem, {"index": (2, 2)}), (GetItem, {"index": (None, ...)}),
        (rearranging.Permute, {"order": (1, 0)}), (shape.Reshape, {"size": (9, 1)}),
        (repeating.Expand, {"size": (2, 3, 3)}),
    ],
)  # fmt: skip
def test_a_view_is_made_as_every_operation_makes_its_result(
    cls: type[Function], settings: dict[str, Any], kind: str
) -> None:
    dtype = {"half": torch.half, "integers": torch.long}.get(kind, torch.float)
    x = torch.arange(9, dtype=dtype).reshape(3, 3).clone().requires_grad_(kind not in ("integers", "inference"))
    if kind not in ("leaf", "inference"):
        x = x * 2
    if kind in ("view", "outdated"):
        base, x = x, x.T
        if kind == "outdated":
            base.mul_(2)

    def describe(apply: Any) -> list[Any]:
        with torch.inference_mode(kind == "inference"), torch.set_grad_enabled(kind not in ("no grad", "inference")):
            out = apply(x, **settings)
        node, links = out.node, out._links
        shown = [out.tolist(), out.stride(), out.dtype, out.requires_grad, out.is_leaf, out.is_inference(), type(out)]
        shown += [links.base is (x if x._links.base is None else x._links.base), links.chain, out._version_counter]
        if node is not None:
            names = ("edges", "hooks", "kept", "versions", "plan", "shape", "dtype", "path", "__dict__")
            shown += [type(node), *[getattr(node, name) for name in names]]
        return shown

    general = vars(Function)["apply"].__func__.__get__(cls)
    assert describe(cls.apply) == describe(general)


def test_a_view_of_a_leaf_that_is_detached_in_place_may_be_differentiated_after_a_write():
    x = torch.ones(4, requires_grad=True)
    view = x[:2]
    x.detach_().fill_(3)
    (view * view).sum().backward()
    assert (x.grad, view.requires_grad) == (None, True)


def test_writes_to_views_of_views_take_linear_time():
    """A chain of reshapes is one step once its end has been written to."""
    x = torch.ones(6, requires_grad=True)
    y = x * 1
    for i in range(20):
        y = y.view(2, 3) if i % 2 else y.view(6)
        y.mul_(2)
    assert len(steps_to(y._links)) == 1
    y.sum().backward()
    assert x.grad.tolist() == [2.0**20] * 6
    z = torch.ones(6, requires_grad=True) * 1
    view = z.view(3, 2)
    z.unsqueeze_(0).unsqueeze_(0)
    view.mul_(2)
    assert z.shape == (1, 1, 6)
    assert view.shape == view.grad_fn.shape == (3, 2)


def test_writes_to_slices_of_slices_and_to_permuted_ones_take_linear_time():
    x = torch.ones(8, 24, requires_grad=True)
    base = x * 1
    view, expected = base, np.ones((8, 24))
    shown = expected
    for i in range(4):
        view, shown = view[1:, ..., : -1 - i], shown[1:, : -1 - i]
        view.mul_(2)
        shown *= 2
    view, shown = view[..., ::3][:2].mul_(1), shown[:2, ::3]
    for _ in range(3):
        view, shown = view.T, shown.T
        view.add_(1).mul_(3)
        shown[...] = (shown + 1) * 3
    assert [step.__name__ for step, _ in steps_to(view._links)] == ["GetItem", "Permute"]
    np.testing.assert_array_equal(base.detach().cpu().numpy(), expected)
    base.sum().backward()
    factors = np.ones((8, 24))
    for i in range(4):
        factors[1 + i :, : 24 - sum(range(1, i + 2))] *= 2
    factors[4:6, : 24 - 10 : 3] *= 27
    np.testing.assert_array_equal(x.grad.cpu().numpy(), factors)


def test_indices_that_are_no_slices_stay_steps_of_their_own():
    base = torch.ones(3, 4, 5, requires_grad=True) * 1
    view = base[1:][0][None][..., 1:3]
    view.mul_(2)
    assert [settings["index"][0] for _, settings in steps_to(view._links)] == [slice(1, None), 0, None, ...]
    assert base.sum().item() == 60 + 8


@given(st.data())
def test_two_slices_in_a_row_are_one(data):
    x = np.arange(5 * 7).reshape(5, 7)
    bounds = st.none() | st.integers(-9, 9)
    parts = st.builds(slice, bounds, bounds, st.none() | st.integers(1, 3))
    indices = st.lists(parts, max_size=2).flatmap(
        lambda given: st.integers(0, len(given)).map(lambda at: (*given[:at], ..., *given[at:]))
    )
    first, second = data.draw(indices), data.draw(indices)
    index = GetItem.joined({"index": first, "x_shape": x.shape}, {"index": second})["index"]
    one, two = x[index], x[first][second]
    assert (one.shape, one.tolist()) == (two.shape, two.tolist())
    if one.size:
        assert one.strides == two.strides
