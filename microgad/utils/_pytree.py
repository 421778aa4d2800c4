"""Nested containers as lists of their leaves: torch.utils._pytree, which many libraries use.

Tuples, named tuples, lists, the dicts of the standard library, deques and what is registered are containers; all else,
None and other subclasses too, is a leaf.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..lazy import define_getattr as _define_getattr
from ..size import Size


class TreeSpec(NamedTuple):
    """What a tree is without its leaves: the container's type, what else it takes to build it, its children's specs."""

    type: Any
    context: Any
    children_specs: list[TreeSpec]

    @property
    def num_leaves(self) -> int:
        """How many leaves the tree has."""
        return 1 if self.type is None else sum(child.num_leaves for child in self.children_specs)

    def is_leaf(self) -> bool:
        """Whether the tree is one leaf."""
        return self.type is None


class LeafSpec(TreeSpec):
    """What a leaf is as a tree."""

    def __new__(cls) -> LeafSpec:
        """Of any leaf it is the same."""
        return super().__new__(cls, None, None, [])


PyTree = Context = Any


class NodeDef(NamedTuple):
    """A kind of container: what gives (children, context) of one, what builds one of them, and the children's keys."""

    type: Any
    flatten_fn: Callable[[Any], tuple[Iterable[Any], Any]]
    unflatten_fn: Callable[[Iterable[Any], Any], Any]
    flatten_with_keys_fn: Callable[[Any], tuple[list[tuple[Any, Any]], Any]] | None


class MappingKey(NamedTuple):
    """Where a leaf is in a dict."""

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"


class SequenceKey(NamedTuple):
    """Where a leaf is in a list."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"


class GetAttrKey(NamedTuple):
    """Where a leaf is in an object."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"


def register_pytree_node(
    cls: Any,
    flatten_fn: Callable[[Any], Any],
    unflatten_fn: Callable[[Any, Any], Any],
    *,
    flatten_with_keys_fn: Callable[[Any], Any] | None = None,
    **options: Any,
) -> None:
    """Make a container of a class: what gives (children, context), and what builds it of (children, context).

    What tells leaves' paths needs `flatten_with_keys_fn`, too, which gives ([(key, child), ...], context). Raises
    ValueError for a class that is registered already. Source: torch.utils._pytree.register_pytree_node.

    >>> from microgad.utils._pytree import register_pytree_node, tree_map
    >>> class Pair:
    ...     def __init__(self, a, b): self.a, self.b = a, b
    >>> register_pytree_node(Pair, lambda pair: ([pair.a, pair.b], None), lambda parts, _: Pair(*parts))
    >>> tree_map(lambda x: x + 1, Pair(1, 2)).b
    3
    """
    if cls in SUPPORTED_NODES:
        raise ValueError(f"{cls} is already registered as pytree node.")
    SUPPORTED_NODES[cls] = NodeDef(cls, flatten_fn, unflatten_fn, flatten_with_keys_fn)


def _dict_flatten(d: dict[Any, Any]) -> tuple[list[Any], Any]:
    return list(d.values()), list(d)


def _dict_unflatten(values: Iterable[Any], context: Any) -> dict[Any, Any]:
    return dict(zip(context, values, strict=True))


def _dict_flatten_with_keys(d: dict[Any, Any]) -> tuple[list[tuple[Any, Any]], Any]:
    return [(MappingKey(key), value) for key, value in d.items()], list(d)


def _list_flatten_with_keys(x: Any) -> tuple[list[tuple[Any, Any]], Any]:
    return [(SequenceKey(i), value) for i, value in enumerate(x)], None


def _namedtuple_flatten_with_keys(x: Any) -> tuple[list[tuple[Any, Any]], Any]:
    return [(GetAttrKey(name), value) for name, value in zip(x._fields, x, strict=True)], type(x)


SUPPORTED_NODES: dict[Any, NodeDef] = {
    node.type: node
    for node in (
        NodeDef(tuple, lambda x: (list(x), None), lambda values, _: tuple(values), _list_flatten_with_keys),
        NodeDef(Size, lambda x: (list(x), None), lambda values, _: tuple(values), _list_flatten_with_keys),
        NodeDef(list, lambda x: (x, None), lambda values, _: list(values), _list_flatten_with_keys),
        NodeDef(dict, _dict_flatten, _dict_unflatten, _dict_flatten_with_keys),
        NodeDef(
            namedtuple, lambda x: (list(x), type(x)), lambda values, cls: cls(*values), _namedtuple_flatten_with_keys
        ),
        NodeDef(
            OrderedDict,
            _dict_flatten,
            lambda values, keys: OrderedDict(_dict_unflatten(values, keys)),
            _dict_flatten_with_keys,
        ),
        NodeDef(
            defaultdict,
            lambda x: (list(x.values()), [x.default_factory, list(x)]),
            lambda values, context: defaultdict(context[0], _dict_unflatten(values, context[1])),
            _dict_flatten_with_keys,
        ),
        NodeDef(deque, lambda x: (list(x), x.maxlen), deque, _list_flatten_with_keys),
    )
}
_register_pytree_node = register_pytree_node
_DICTS = (dict, OrderedDict, defaultdict)


def _is_namedtuple_instance(tree: Any) -> bool:
    return isinstance(tree, tuple) and hasattr(tree, "_fields")


def _get_node_type(tree: Any) -> Any:
    """Which container it is: its class, where that is registered, or `namedtuple`."""
    cls = type(tree)
    return namedtuple if cls not in SUPPORTED_NODES and _is_namedtuple_instance(tree) else cls


def tree_flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], TreeSpec]:
    """The leaves of a tree, and what builds it of them. Source: torch.utils._pytree.

    >>> from microgad.utils._pytree import tree_flatten, tree_unflatten
    >>> leaves, spec = tree_flatten({"a": 1, "b": (2, [3])})
    >>> leaves, tree_unflatten([x * 10 for x in leaves], spec)
    ([1, 2, 3], {'a': 10, 'b': (20, [30])})
    """
    kind = _get_node_type(tree)
    if kind not in SUPPORTED_NODES or (is_leaf is not None and is_leaf(tree)):
        return [tree], LeafSpec()
    children, context = SUPPORTED_NODES[kind].flatten_fn(tree)
    parts = [tree_flatten(child, is_leaf) for child in children]
    return [leaf for leaves, _ in parts for leaf in leaves], TreeSpec(kind, context, [spec for _, spec in parts])


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> Any:
    """The tree of these leaves. Raises ValueError where there are more or fewer than it has."""
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(
            f"tree_unflatten(leaves, treespec): `leaves` has length {len(leaves)} but the spec refers to a pytree that "
            f"holds {treespec.num_leaves} items ({treespec})."
        )
    return _built(iter(leaves), treespec)


def _built(leaves: Any, spec: TreeSpec) -> Any:
    if spec.type is None:
        return next(leaves)
    children = [_built(leaves, child) for child in spec.children_specs]
    return SUPPORTED_NODES[spec.type].unflatten_fn(children, spec.context)


def tree_leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """The leaves of a tree."""
    return tree_flatten(tree, is_leaf)[0]


tree_iter = tree_leaves


def tree_leaves_with_path(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[tuple[tuple[Any, ...], Any]]:
    """The leaves of a tree, each with its path: the keys that lead to it.

    Raises ValueError for a class that is registered without what gives keys.

    >>> from microgad.utils._pytree import keystr, tree_leaves_with_path
    >>> [(keystr(path), leaf) for path, leaf in tree_leaves_with_path({"a": 1, "b": (2, [3])})]
    [("['a']", 1), ("['b'][0]", 2), ("['b'][1][0]", 3)]
    """
    kind = _get_node_type(tree)
    if kind not in SUPPORTED_NODES or (is_leaf is not None and is_leaf(tree)):
        return [((), tree)]
    if (with_keys := SUPPORTED_NODES[kind].flatten_with_keys_fn) is None:
        raise ValueError(
            f"Did not find a flatten_with_keys_fn for type: {kind}. Please pass one to register_pytree_node."
        )
    parts = [(key, tree_leaves_with_path(child, is_leaf)) for key, child in with_keys(tree)[0]]
    return [((key, *path), leaf) for key, leaves in parts for path, leaf in leaves]


def tree_flatten_with_path(
    tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> tuple[list[tuple[tuple[Any, ...], Any]], TreeSpec]:
    """The leaves of a tree with their paths, and what builds it of leaves."""
    return tree_leaves_with_path(tree, is_leaf), tree_structure(tree, is_leaf)


def keystr(kp: tuple[Any, ...]) -> str:
    """A path as Python would have it: "['a'][0]"."""
    return "".join(map(str, kp))


def tree_structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> TreeSpec:
    """What a tree is without its leaves."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """The tree of func(leaf, ...), beside it what the further trees have at the leaf's place.

    Raises ValueError where one of them isn't of the same containers; dicts may be of other kinds and orders.

    >>> from microgad.utils._pytree import tree_map
    >>> tree_map(lambda x, y: x + y, [1, (2, 3)], [10, (20, 30)])
    [11, (22, 33)]
    """
    leaves, spec = tree_flatten(tree, is_leaf)
    others = [_at_leaves(spec, rest) for rest in rests]
    return tree_unflatten(list(map(func, leaves, *others)), spec)


def tree_map_with_path(
    func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """The same of func(path, leaf, ...)."""
    paths = iter([path for path, _ in tree_leaves_with_path(tree, is_leaf)])
    return tree_map(lambda *leaves: func(next(paths), *leaves), tree, *rests, is_leaf=is_leaf)


def _at_leaves(spec: TreeSpec, tree: Any) -> list[Any]:
    """What a tree has where one of that spec has its leaves."""
    if spec.type is None:
        return [tree]
    kind = _get_node_type(tree)
    children: list[Any] | None = None
    if kind in _DICTS and spec.type in _DICTS:
        keys = spec.context[1] if spec.type is defaultdict else spec.context
        children = [tree[key] for key in keys] if tree.keys() == set(keys) else None
    elif kind == spec.type:
        found, context = SUPPORTED_NODES[kind].flatten_fn(tree)
        children = list(found) if kind is deque or context == spec.context else None
    if children is None or len(children) != len(spec.children_specs):
        raise ValueError(f"tree_map: expected a tree like the first, {spec}, but one has {tree!r:.100} there")
    return [x for child, part in zip(spec.children_specs, children, strict=True) for x in _at_leaves(child, part)]


def tree_map_(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """Call func(leaf, ...) on each leaf, and give the tree."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def tree_map_only(
    type_or_types_or_pred: Any, func: Any, tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """The tree of func(leaf), of leaves of a type, or of types, or of which a function says so; other leaves stay."""
    of = type_or_types_or_pred
    fits = of if callable(of) and not isinstance(of, type) else lambda x: isinstance(x, of)
    return tree_map(lambda x: func(x) if fits(x) else x, tree, is_leaf=is_leaf)


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether it holds for every leaf."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether it holds for a leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))


_define_getattr(globals())
