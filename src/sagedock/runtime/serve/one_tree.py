"""All trees of a forest as one: few rows answered by one call instead of one for each tree.

A call of a tree costs 3 µs and its walk 0.1. So the trees are hung below a small tree of their own
that asks a further column, the tree's number, and each row is asked once for every tree. The nodes,
their thresholds and the comparisons are the trees' own; so are the leaves that are reached.

Must not know forests' classes or requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MOST_NODES = 500_000
"""Beyond it the copy of the nodes (64 bytes each) is worth more than the time."""
MOST_ROWS = 64
"""With more rows the calls matter less than a table with a copy of each row for every tree."""


class OneTree:
    """`trees` are scikit-learn's `Tree` objects with one output and the same number of features."""

    def __init__(self, trees: Sequence[Any], columns: int) -> None:
        import numpy as np

        self._count, self._columns = len(trees), columns
        states = [tree.__getstate__() for tree in trees]
        router, starts = _router(states, columns)
        parts = [router] + [_moved(s["nodes"], at) for s, at in zip(states, starts, strict=True)]
        width = states[0]["values"].shape[2]
        above: Any = np.zeros((len(router), 1, width), np.float64)
        values: Any = np.concatenate([above, *(state["values"] for state in states)])
        self._tree = _tree(trees[0], np.concatenate(parts), values, columns + 1)
        self._values = np.ascontiguousarray(values[:, 0, :])

    @staticmethod
    def fits(trees: Sequence[Any]) -> bool:
        return len(trees) > 1 and sum(tree.node_count for tree in trees) <= MOST_NODES

    def leaves(self, table: Any) -> Any:
        """What each leaf says: float64 (trees, rows, outputs) for float32 (rows, columns)."""
        import numpy as np

        rows = len(table)
        asked: Any = np.empty((self._count, rows, self._columns + 1), np.float32)
        asked[:, :, : self._columns] = table
        asked[:, :, self._columns] = np.arange(self._count, dtype=np.float32)[:, None]
        found = self._tree.apply(asked.reshape(-1, self._columns + 1))
        return self._values.take(found, axis=0).reshape(self._count, rows, -1)


def _tree(like: Any, nodes: Any, values: Any, columns: int) -> Any:
    """A `Tree` with these nodes, made the way that a pickled one is read."""
    import numpy as np

    made = type(like)(columns, np.array([values.shape[2]], np.intp), 1)
    depth = int(like.max_depth) + 64  # only told, not used to walk
    made.__setstate__(
        {"max_depth": depth, "node_count": len(nodes), "nodes": nodes, "values": values}
    )
    return made


def _router(states: Sequence[Any], column: int) -> tuple[Any, list[int]]:
    """Nodes that lead number k to tree k, and where each tree's root will stand. A tree of n leaves
    has n - 1 nodes above them, so that the router ends where the first tree begins."""
    import numpy as np

    count = len(states)
    sizes = [len(state["nodes"]) for state in states]
    starts = [int(at) for at in np.cumsum([count - 1, *sizes[:-1]])]
    nodes: Any = np.zeros(count - 1, states[0]["nodes"].dtype)
    free = iter(range(1, count - 1))
    waiting = [(0, 0, count)]
    while waiting:
        node, first, last = waiting.pop()
        middle = (first + last) // 2
        nodes[node]["feature"], nodes[node]["threshold"] = column, middle - 0.5
        for side, low, high in (("left_child", first, middle), ("right_child", middle, last)):
            if high - low == 1:
                nodes[node][side] = starts[low]
            else:
                nodes[node][side] = at = next(free)
                waiting.append((at, low, high))
    return nodes, starts


def _moved(nodes: Any, by: int) -> Any:
    """The nodes of a tree whose root will stand at `by`; a leaf's children stay what they are."""
    moved = nodes.copy()
    inner = nodes["left_child"] != -1
    for side in ("left_child", "right_child"):
        moved[side][inner] += by
    return moved
