"""torch.utils._pytree, which many libraries use: flatten nested containers to lists of leaves, and map over them.

Containers are tuples, named tuples, lists, deques, dicts, OrderedDicts, defaultdicts, Sizes, and registered classes.
Everything else is a leaf, including None and other subclasses of containers.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ..size import Size


class TreeSpec(NamedTuple):
    """The structure of a tree: its container's type, what else is needed to rebuild that, and its children's specs."""

    type: Any
    context: Any
    children_specs: list[TreeSpec]

    @property
    def num_leaves(self) -> int:
        """The number of leaves."""
        return 1 if self.type is None else sum(child.num_leaves for child in self.children_specs)

    @property
    def num_nodes(self) -> int:
        """The number of containers and leaves."""
        return 1 + sum(child.num_nodes for child in self.children_specs)

    @property
    def num_children(self) -> int:
        """The number of parts of the outermost container."""
        return len(self.children_specs)

    def is_leaf(self) -> bool:
        """Whether the tree is a single leaf."""
        return self.type is None

    def children(self) -> list[TreeSpec]:
        """The structures of the outermost container's parts."""
        return [*self.children_specs]

    def child(self, index: int) -> TreeSpec:
        """The structure of a part."""
        return self.children_specs[index]

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """Return the tree with these leaves: see `tree_unflatten`."""
        return tree_unflatten(leaves, self)

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """Return the parts of a tree at the places of the leaves. Raises ValueError if its containers are others.

        >>> from microgad.utils._pytree import tree_structure
        >>> tree_structure([1, {"a": 2}]).flatten_up_to([(5, 6), {"a": [7]}])
        [(5, 6), [7]]
        """
        return _at_leaves(self, tree)

    def __repr__(self, indent: int = 0) -> str:
        if self.type is None:
            return "*"
        separator = ",\n" + " " * (indent + 2)
        children = separator.join(child.__repr__(indent + 2) for child in self.children_specs)
        return f"TreeSpec({self.type.__name__}, {self.context}, [{children}])"


class LeafSpec(TreeSpec):
    """The structure of a single leaf."""

    def __new__(cls) -> LeafSpec:
        return super().__new__(cls, None, None, [])


PyTree = Context = KeyEntry = Any
KeyPath = tuple[Any, ...]


class NodeDef(NamedTuple):
    """A registered container type, and the functions that flatten and rebuild it."""

    type: Any
    flatten_fn: Callable[[Any], tuple[Iterable[Any], Any]]
    unflatten_fn: Callable[[Iterable[Any], Any], Any]
    flatten_with_keys_fn: Callable[[Any], tuple[list[tuple[Any, Any]], Any]] | None


class MappingKey(NamedTuple):
    """The key of a dict's item in the path of a leaf."""

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"

    def get(self, mapping: Any) -> Any:
        """Return the item at this place."""
        return mapping[self.key]


class SequenceKey(NamedTuple):
    """The index of a sequence's item in the path of a leaf."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"

    def get(self, sequence: Any) -> Any:
        """Return the item at this place."""
        return sequence[self.idx]


class GetAttrKey(NamedTuple):
    """The name of an attribute in the path of a leaf."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"

    def get(self, obj: Any) -> Any:
        """Return the item at this place."""
        return getattr(obj, self.name)


def register_pytree_node(
    cls: Any,
    flatten_fn: Callable[[Any], Any],
    unflatten_fn: Callable[[Any, Any], Any],
    *,
    flatten_with_keys_fn: Callable[[Any], Any] | None = None,
    **options: Any,
) -> None:
    """Register a class as a container.

    `flatten_fn(x)` returns (children, context), and `unflatten_fn(children, context)` rebuilds x. Functions that return
    the paths of leaves need `flatten_with_keys_fn` as well, which returns ([(key, child), ...], context). Raises
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


def register_dataclass(
    cls: Any, *, field_names: Sequence[str] | None = None, drop_field_names: Sequence[str] = (), **options: Any
) -> None:
    """Register a dataclass as a container of those of its fields that aren't None. Source: torch.utils._pytree.

    `field_names` are all fields that the class is made of, except `drop_field_names`. Raises ValueError for other
    names, and for a class that isn't a dataclass if no names are given.

    >>> from dataclasses import make_dataclass
    >>> from microgad.utils._pytree import register_dataclass, tree_map
    >>> Point = make_dataclass("Point", ["x", "y"])
    >>> register_dataclass(Point)
    >>> tree_map(lambda x: x + 1, Point(1, None))
    Point(x=2, y=None)
    """
    own = [field.name for field in dataclasses.fields(cls) if field.init] if dataclasses.is_dataclass(cls) else None
    names = own if field_names is None else list(field_names)
    if names is None or (own is not None and field_names is not None and {*own} - {*drop_field_names} != {*names}):
        raise ValueError(f"field_names must be all fields of {cls}, but those in drop_field_names, got {field_names}")

    def flatten(x: Any) -> tuple[list[Any], Any]:
        given = [name for name in names if getattr(x, name) is not None]
        return [getattr(x, name) for name in given], [given, [name for name in names if name not in given]]

    def unflatten(values: Iterable[Any], context: Any) -> Any:
        return cls(**dict(zip(context[0], values, strict=True)), **dict.fromkeys(context[1]))

    def flatten_with_keys(x: Any) -> tuple[list[tuple[Any, Any]], Any]:
        values, (given, _) = flatten(x)
        return [(GetAttrKey(name), value) for name, value in zip(given, values, strict=True)], given

    register_pytree_node(cls, flatten, unflatten, flatten_with_keys_fn=flatten_with_keys)


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
            lambda x: (_dict_flatten_with_keys(x)[0], [x.default_factory, list(x)]),
        ),
        NodeDef(deque, lambda x: (list(x), x.maxlen), deque, lambda x: (_list_flatten_with_keys(x)[0], x.maxlen)),
    )
}
for _node in SUPPORTED_NODES.values():  # the names by which libraries call them, such as _list_flatten
    for _name in ("flatten", "unflatten", "flatten_with_keys"):
        globals()[f"_{_node.type.__name__.lower()}_{_name}"] = getattr(_node, f"{_name}_fn")
_register_pytree_node = _private_register_pytree_node = register_pytree_node
_DICTS = (dict, OrderedDict, defaultdict)


def _is_namedtuple_instance(tree: Any) -> bool:
    return isinstance(tree, tuple) and hasattr(tree, "_fields")


def _get_node_type(tree: Any) -> Any:
    """Return the key of an object's class in SUPPORTED_NODES: the class itself, or `namedtuple`."""
    cls = type(tree)
    return namedtuple if cls not in SUPPORTED_NODES and _is_namedtuple_instance(tree) else cls


def tree_flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], TreeSpec]:
    """Return the leaves of a tree, and its structure. Source: torch.utils._pytree.tree_flatten.

    >>> from microgad.utils._pytree import tree_flatten, tree_unflatten
    >>> leaves, spec = tree_flatten({"a": 1, "b": (2, [3])})
    >>> leaves, tree_unflatten([x * 10 for x in leaves], spec)
    ([1, 2, 3], {'a': 10, 'b': (20, [30])})
    """
    leaves: list[Any] = []
    return leaves, _flatten_into(leaves, tree, is_leaf)


_LEAF = LeafSpec()


def _flatten_into(leaves: list[Any], tree: Any, is_leaf: Callable[[Any], bool] | None) -> TreeSpec:
    """Append the leaves of a tree to a list, and return the tree's structure."""
    node = SUPPORTED_NODES.get(_get_node_type(tree))
    if node is None or (is_leaf is not None and is_leaf(tree)):
        leaves.append(tree)
        return _LEAF
    children, context = node.flatten_fn(tree)
    return TreeSpec(node.type, context, [_flatten_into(leaves, child, is_leaf) for child in children])


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> Any:
    """Rebuild a tree from leaves and a structure. Raises ValueError for a wrong number of leaves."""
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


class _Asterisk:
    def __repr__(self) -> str:
        return "*"


def treespec_pprint(treespec: TreeSpec) -> str:
    """Format a structure as a tree of asterisks, such as "(*, [*])"."""
    return repr(tree_unflatten([_Asterisk()] * treespec.num_leaves, treespec))


def tree_leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """Return the leaves of a tree."""
    return tree_flatten(tree, is_leaf)[0]


tree_iter = tree_leaves


def arg_tree_leaves(*args: Any, **kwargs: Any) -> list[Any]:
    """Return the leaves of all arguments."""
    return tree_leaves((args, kwargs))


def tree_is_leaf(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether an object is a leaf, not a container."""
    return (is_leaf is not None and is_leaf(tree)) or _get_node_type(tree) not in SUPPORTED_NODES


def tree_leaves_with_path(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[tuple[tuple[Any, ...], Any]]:
    """Return (path, leaf) for each leaf of a tree; the path is the tuple of keys that lead to the leaf.

    Raises ValueError for a class that was registered without flatten_with_keys_fn.

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
    """Return (path, leaf) for each leaf of a tree, and its structure."""
    return tree_leaves_with_path(tree, is_leaf), tree_structure(tree, is_leaf)


def keystr(kp: tuple[Any, ...]) -> str:
    """Format a path as a Python expression, such as "['a'][0]"."""
    return "".join(map(str, kp))


def key_get(obj: Any, kp: Iterable[Any]) -> Any:
    """Return the part of a tree to which a path leads."""
    for key in kp:
        obj = key.get(obj)
    return obj


def tree_structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> TreeSpec:
    """Return the structure of a tree."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """Map `func` over the leaves of a tree, with the parts of further trees at each leaf's place.

    Raises ValueError if a further tree doesn't have the same containers; dicts may be of other types and orders.

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
    """Map `func(path, leaf, ...)` over the leaves of a tree: see `tree_map`."""
    paths = iter([path for path, _ in tree_leaves_with_path(tree, is_leaf)])
    return tree_map(lambda *leaves: func(next(paths), *leaves), tree, *rests, is_leaf=is_leaf)


def _at_leaves(spec: TreeSpec, tree: Any) -> list[Any]:
    """Return the parts of a tree at the places where a tree of that structure has its leaves."""
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


def _broadcast_to_and_flatten(
    tree: Any, treespec: TreeSpec, is_leaf: Callable[[Any], bool] | None = None
) -> list[Any] | None:
    """Return, for each leaf of a structure, the leaf of `tree` that stands for the part which it is in.

    None if `tree` doesn't start like the structure.
    """
    leaves, spec = tree_flatten(tree, is_leaf)
    if spec.type is None:
        return [tree] * treespec.num_leaves
    try:
        parts = _at_leaves(spec, tree_unflatten([None] * treespec.num_leaves, treespec))
    except ValueError:
        return None
    return [leaf for leaf, part in zip(leaves, parts, strict=True) for _ in tree_leaves(part, is_leaf)]


def tree_map_(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """Call `func(leaf, ...)` for each leaf, and return the tree itself."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def tree_map_only(
    type_or_types_or_pred: Any, func: Any, tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """Map `func` over the leaves of one or several types, or those for which a predicate holds; others stay."""
    return tree_map(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_map_only_(
    type_or_types_or_pred: Any, func: Any, tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """Call `func` with the leaves that `tree_map_only` maps, and return the tree itself."""
    return tree_map_(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def map_only(type_or_types_or_pred: Any) -> Callable[[Any], Callable[[Any], Any]]:
    """Make a decorator of functions, which then return what isn't of these types, or fails the predicate, as it is."""
    chosen = _predicate(type_or_types_or_pred)
    return lambda func: lambda x: func(x) if chosen(x) else x


def _predicate(kind: Any) -> Callable[[Any], bool]:
    """Return a test for one or several types, or a predicate as it is."""
    return kind if callable(kind) and not isinstance(kind, type) else lambda x: isinstance(x, kind)


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether a predicate holds for all leaves."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether a predicate holds for any leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))


def tree_all_only(
    type_or_types: Any, pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> bool:
    """Whether a predicate holds for all leaves of one or several types."""
    return all(map(pred, filter(_predicate(type_or_types), tree_leaves(tree, is_leaf))))


def tree_any_only(
    type_or_types: Any, pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> bool:
    """Whether a predicate holds for any leaf of one or several types."""
    return any(map(pred, filter(_predicate(type_or_types), tree_leaves(tree, is_leaf))))
