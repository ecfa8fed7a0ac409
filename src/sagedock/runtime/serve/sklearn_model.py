"""scikit-learn models without any code: `model.joblib`, and forests at the speed of their trees.

A forest's `predict` spends its time on checks and on a thread pool for each call: 4.6 ms for one
row. Adding up what the trees say, in the same order and with the same numbers, gives bit for bit
the same answer in 0.3 ms, and with all trees asked in one call (`one_tree`) in 0.03. Only for
classes whose code is known to do just that.

Must not know HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sagedock.runtime.serve.one_tree import MOST_ROWS, OneTree
from sagedock.runtime.serve.problems import ModelLoadError

SUFFIXES = (".joblib", ".pkl", ".pickle")
_NAMES = ("model.joblib", "model.pkl", "model.pickle")


def find(folder: str) -> Path | None:
    """`model.joblib` or its cousins, else the only such file. Raises ModelLoadError for several."""
    for name in _NAMES:
        if (Path(folder) / name).is_file():
            return Path(folder) / name
    found = sorted(
        path for path in Path(folder).glob("*")
        if path.suffix in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )  # fmt: skip
    if len(found) > 1:
        raise ModelLoadError(
            f"{folder} holds several models: {', '.join(p.name for p in found)}.",
            hint="Call the one to serve model.joblib, or write code/inference.py with model_fn.",
        )
    return found[0] if found else None


def load(path: Path) -> Estimator:
    """Raises ModelLoadError when the file holds no estimator."""
    import joblib

    try:
        model = joblib.load(path)
    except Exception as error:
        raise ModelLoadError(
            f"{path} can't be loaded: {type(error).__name__}: {error}",
            hint="The image's scikit-learn must be able to read it; other classes need code/.",
        ) from error
    if not hasattr(model, "predict"):
        raise ModelLoadError(
            f"{path} holds a {type(model).__name__}, which has no predict().",
            hint="Write code/inference.py with model_fn and predict_fn for it.",
        )
    return Estimator(model)


class Estimator:
    """An estimator that answers a table of numbers with `predict`."""

    kind = "sklearn"
    objective = ""

    def __init__(self, model: Any) -> None:
        self.model = model
        columns = getattr(model, "n_features_in_", None)
        self.columns = int(columns) if columns is not None else None
        if hasattr(model, "n_jobs"):
            model.n_jobs = 1
        self._forest = Forest(model) if Forest.fits(model) else None

    @property
    def classes(self) -> list[Any] | None:
        found = getattr(self.model, "classes_", None)
        return None if found is None else list(found.tolist())

    def predict(self, table: Any) -> Any:
        if self._forest is not None and not _holed(table):
            return self._forest.predict(table)
        return self.model.predict(table)

    def probabilities(self, table: Any) -> Any:
        if self._forest is not None and not _holed(table):
            return self._forest.predict_proba(table)
        return self.model.predict_proba(table)

    def select(self, keys: Sequence[str], table: Any) -> list[dict[str, Any]]:
        """Selectable outputs of a classifier: what it can't tell is NaN (H5.8)."""
        labels = self.predict(table).tolist()
        chances = self.probabilities(table).tolist() if hasattr(self.model, "predict_proba") else []
        facts = []
        for row, label in enumerate(labels):
            known: dict[str, Any] = {"predicted_label": label, "predicted_score": label}
            if self.classes is not None:
                known["labels"] = self.classes
            if chances:
                known |= {"probabilities": chances[row], "probability": max(chances[row])}
            facts.append({key: known.get(key, float("nan")) for key in keys})
        return facts


def _holed(table: Any) -> bool:
    """Missing and infinite values take the estimator's own way, with its own messages."""
    import numpy as np

    return not np.isfinite(table).all()


class Forest:
    """A forest by its trees: `predict` and `predict_proba` of scikit-learn, bit for bit."""

    def __init__(self, model: Any) -> None:
        self._trees = [tree.tree_ for tree in model.estimators_]
        self._classes = getattr(model, "classes_", None)
        self._width = int(model.n_classes_) if self._classes is not None else 1
        few = OneTree.fits(self._trees)
        self._one = OneTree(self._trees, int(model.n_features_in_)) if few else None

    @staticmethod
    def fits(model: Any) -> bool:
        """Whether the class is one of scikit-learn's own, with one output and its own trees."""
        if not type(model).__module__.startswith("sklearn.ensemble."):
            return False
        from sklearn import ensemble, tree

        pairs: dict[type, type] = {
            ensemble.RandomForestClassifier: tree.DecisionTreeClassifier,
            ensemble.RandomForestRegressor: tree.DecisionTreeRegressor,
            ensemble.ExtraTreesClassifier: tree.ExtraTreeClassifier,
            ensemble.ExtraTreesRegressor: tree.ExtraTreeRegressor,
        }
        wanted = pairs.get(type(model))
        return (
            wanted is not None
            and getattr(model, "n_outputs_", 0) == 1
            and bool(getattr(model, "estimators_", ()))
            and all(type(one) is wanted for one in model.estimators_)
        )

    def _mean(self, table: Any) -> Any:
        import numpy as np

        if self._one is not None and len(table) <= MOST_ROWS:
            # One after the other, as the loop below adds: a sum over an axis may add in pairs.
            total: Any = np.add.accumulate(self._one.leaves(table)[:, :, : self._width])[-1]
        else:
            total = np.zeros((len(table), self._width), np.float64)
            for tree in self._trees:
                # (rows, classes) from a classifier's tree, (rows, 1) or (rows,) from a regressor's
                total += tree.predict(table).reshape(len(table), -1)[:, : self._width]
        total /= len(self._trees)
        return total

    def predict_proba(self, table: Any) -> Any:
        return self._mean(table)

    def predict(self, table: Any) -> Any:
        mean = self._mean(table)
        if self._classes is None:
            return mean[:, 0]
        return self._classes.take(mean.argmax(axis=1), axis=0)
