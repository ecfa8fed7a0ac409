"""Metrics XGBoost does not have, as scikit-learn defines them. Source: H4.

Computed from one confusion matrix with numpy: importing scikit-learn would cost every job half a
second or more. A class that never occurs counts as scikit-learn counts it (0 for a share of
nothing).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Confusion = Any
"""Counts as float64 array, rows: true class, columns: predicted class."""


def classes_of(predictions: Any, objective: str) -> Any:
    """Predicted classes: the likeliest, or the side of the threshold the prediction is on."""
    if predictions.ndim > 1:
        return predictions.argmax(axis=1)
    if objective == "multi:softmax":
        return predictions.astype("int64")
    return (predictions > (0.0 if objective == "binary:logitraw" else 0.5)).astype("int64")


def confusion(label: Any, predicted: Any) -> Confusion:
    """The confusion matrix, at least 2 x 2; binary metrics take class 1."""
    import numpy as np

    true = label.astype("int64")
    size = int(max(true.max(), predicted.max(), 1)) + 1
    return np.bincount(true * size + predicted, minlength=size * size).reshape(size, size) * 1.0


def _share(part: Any, whole: Any) -> Any:
    import numpy as np

    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _precisions(matrix: Confusion) -> Any:
    return _share(matrix.diagonal().copy(), matrix.sum(axis=0))


def _recalls(matrix: Confusion) -> Any:
    return _share(matrix.diagonal().copy(), matrix.sum(axis=1))


def _f1s(matrix: Confusion) -> Any:
    return _share(2 * matrix.diagonal(), matrix.sum(axis=0) + matrix.sum(axis=1))


def _mean(values: Any, matrix: Confusion) -> float:
    """Mean over the classes that occur, as label or as prediction."""
    return float(values[matrix.sum(axis=0) + matrix.sum(axis=1) > 0].mean())


def _accuracy(matrix: Confusion) -> float:
    return float(matrix.trace() / matrix.sum())


def _balanced_accuracy(matrix: Confusion) -> float:
    """Mean recall of the classes that occur as label."""
    return float(_recalls(matrix)[matrix.sum(axis=1) > 0].mean())


OF_CLASSES: dict[str, Callable[[Confusion], float]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": lambda matrix: _mean(_f1s(matrix), matrix),
    "f1_binary": lambda matrix: float(_f1s(matrix)[1]),
    "f1_macro": lambda matrix: _mean(_f1s(matrix), matrix),
    "precision": lambda matrix: float(_precisions(matrix)[1]),
    "precision_macro": lambda matrix: _mean(_precisions(matrix), matrix),
    "precision_micro": _accuracy,
    "recall": lambda matrix: float(_recalls(matrix)[1]),
    "recall_macro": lambda matrix: _mean(_recalls(matrix), matrix),
    "recall_micro": _accuracy,
}


def _mse(label: Any, prediction: Any) -> float:
    return float(((label - prediction) ** 2).mean())


def _r2(label: Any, prediction: Any) -> float:
    """1 for a perfect prediction; where all labels are equal, 1 or 0."""
    left = float(((label - prediction) ** 2).sum())
    spread = float(((label - label.mean()) ** 2).sum())
    if spread == 0.0:
        return 1.0 if left == 0.0 else 0.0
    return 1.0 - left / spread


OF_NUMBERS: dict[str, Callable[[Any, Any], float]] = {"mse": _mse, "r2": _r2}


def evaluator(
    names: Sequence[str], objective: str
) -> Callable[[Any, Any], list[tuple[str, float]]] | None:
    """What `xgboost.train(custom_metric=…)` takes for `names`; None for no names.

    XGBoost calls it with transformed predictions and a DMatrix.
    """
    if not names:
        return None

    def evaluate(predictions: Any, data: Any) -> list[tuple[str, float]]:
        return values(names, data.get_label(), predictions, objective)

    return evaluate


def values(
    names: Sequence[str], label: Any, predictions: Any, objective: str
) -> list[tuple[str, float]]:
    """Name and value of each metric in `names`, in that order."""
    matrix = None
    if any(name in OF_CLASSES for name in names):
        matrix = confusion(label.round(), classes_of(predictions, objective))
    numbers = predictions.astype("float64")
    return [
        (name, OF_NUMBERS[name](label.astype("float64"), numbers))
        if name in OF_NUMBERS or matrix is None
        else (name, OF_CLASSES[name](matrix))
        for name in names
    ]
