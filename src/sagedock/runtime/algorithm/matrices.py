"""From tables to XGBoost's matrices, with as little memory as the machine makes necessary.

A DMatrix takes 8 bytes a cell beside the 4 of the array; a QuantileDMatrix about 1, at about 1.2
times the time of the whole job. Both give the same model, bit by bit, so the choice is made by the
memory that is free. Only `hist` on trees that grow can use quantiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sagedock.runtime.algorithm.table import Table

BYTES_PER_CELL = 9
"""DMatrix and the gradient index made of it, beside the array they are made of."""

RESERVE = 0.8
"""Share of the free memory that may be planned for."""


def can_use_quantiles(params: Mapping[str, Any]) -> bool:
    """Whether training with `params` works on quantiles (`hist`, growing plain trees)."""
    return (
        params.get("booster", "gbtree") == "gbtree"
        and params.get("tree_method", "auto") in ("auto", "hist")
        and params.get("process_type", "default") == "default"
        and "updater" not in params
    )


def is_tight(table: Table, free: int | None) -> bool:
    """Whether a DMatrix of a dense table would not fit well into `free` bytes."""
    dense = not hasattr(table.features, "indptr")
    cells = table.rows * table.columns
    return dense and free is not None and cells * BYTES_PER_CELL > free * RESERVE


def build(
    table: Table, params: Mapping[str, Any], *, quantiles: bool, threads: int, reference: Any = None
) -> Any:
    """The xgboost matrix of `table`; `reference` is the training matrix when quantiles are used."""
    import xgboost

    common: dict[str, Any] = {"label": table.label, "weight": table.weight, "nthread": threads}
    if table.query is not None:
        common["qid"] = table.query
    if params["objective"] == "survival:aft":
        # XGBoost wants bounds; a single label says that the time is known exactly
        common |= {"label_lower_bound": table.label, "label_upper_bound": table.label}
    if not quantiles:
        return xgboost.DMatrix(table.features, **common)
    if "max_bin" in params:
        common["max_bin"] = params["max_bin"]
    return xgboost.QuantileDMatrix(table.features, ref=reference, **common)
