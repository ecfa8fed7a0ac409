"""XGBoost models without any code: found, loaded, averaged (H5.2), predicted in place.

Must not know HTTP. `xgboost` is imported without scikit-learn, which costs four times as much and
is used by no Booster.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sagedock.runtime.serve.problems import ModelLoadError
from sagedock.runtime.serve.xgboost_call import DenseCall

_TEXTS = frozenset((".csv", ".txt", ".md", ".py", ".yaml", ".yml", ".html", ".log", ".cfg", ".ini"))
_OTHERS = frozenset((".png", ".jpg", ".pdf", ".gz", ".zip", ".tar", ".parquet", ".npy", ".npz"))
_SKLEARN = frozenset((".joblib", ".pkl", ".pickle"))
_VOTED = frozenset(("multi:softmax", "binary:hinge"))


def import_xgboost() -> Any:
    """The module. scikit-learn is hidden from it during the import only, and only where nobody
    has imported either: XGBoost then believes that it isn't installed (`xgboost.compat`)."""
    if "xgboost" not in sys.modules and "sklearn" not in sys.modules:
        sys.modules["sklearn"] = None  # type: ignore[assignment]
        try:
            import xgboost
        finally:
            del sys.modules["sklearn"]
    import xgboost

    return xgboost


def candidates(folder: str) -> list[Path]:
    """Files that may be boosters: `xgboost-model` and its folds if there are any, else every file
    that isn't plainly something else. Sorted by name, hidden ones and folders left out."""
    files = [
        path for path in sorted(Path(folder).glob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]  # fmt: skip
    named = [p for p in files if p.name == "xgboost-model" or p.name.startswith("xgboost-model-")]
    if named:
        return named
    return [path for path in files if may_be_booster(path)]


def may_be_booster(path: Path) -> bool:
    """By name, then by the first bytes: JSON and UBJSON models are objects, the old binary form
    begins with a header of its own, a pickle with its protocol."""
    suffix = path.suffix.lower()
    if suffix in _TEXTS | _OTHERS | _SKLEARN:
        return False
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        return False
    if suffix == ".json" or head[:1] == b"{":
        return _is_model_document(path, head)
    return b"\0" in head or head[:4] in (b"binf", b"bs64")


def _is_model_document(path: Path, head: bytes) -> bool:
    """The key may stand far from the head: XGBoost writes `version` and `learner` in any order."""
    return b"learner" in head or b"learner" in path.read_bytes()[-65536:]


class Boosters:
    """One booster or several whose predictions are averaged, or voted on for class labels."""

    kind = "xgboost"

    def __init__(self, boosters: Sequence[Any]) -> None:
        self._boosters = list(boosters)
        self.columns = int(boosters[0].num_features())
        self.objective = objective(boosters[0])
        self._calls = [_Call(booster) for booster in boosters]

    def predict(self, table: Any) -> Any:
        """float32 of shape (rows,) or (rows, classes) from float32 (rows, columns) or CSR."""
        if len(self._calls) == 1:
            return self._calls[0](table)
        return joined([call(table) for call in self._calls], vote=self.objective in _VOTED)

    def margin(self, table: Any) -> Any:
        """Raw scores, of the first booster or the mean."""
        answers = [call(table, margin=True) for call in self._calls]
        return answers[0] if len(answers) == 1 else joined(answers, vote=False)


class _Call:
    """A booster with the trees it predicts with: those up to the best iteration, if it has one."""

    def __init__(self, booster: Any) -> None:
        self._booster = booster
        best = booster.attr("best_iteration")
        self._range = (0, int(best) + 1) if best is not None else (0, 0)
        config = json.loads(booster.save_config())
        name = config["learner"]["gradient_booster"]["name"]
        self._in_place = name != "gblinear" and not _is_categorical(booster)
        self._dense = {m: DenseCall(booster, self._range, margin=m) for m in (False, True)}

    def __call__(self, table: Any, *, margin: bool = False) -> Any:
        import numpy as np

        if self._in_place and isinstance(table, np.ndarray):
            return self._dense[margin](table)
        if self._in_place:
            return self._booster.inplace_predict(
                table,
                iteration_range=self._range,
                predict_type="margin" if margin else "value",
                validate_features=False,
            )
        return self._matrix(table, margin)

    def _matrix(self, table: Any, margin: bool) -> Any:
        xgboost = import_xgboost()
        booster = self._booster
        types = booster.feature_types
        data = xgboost.DMatrix(
            table, nthread=1, feature_types=types, enable_categorical=types is not None
        )
        return booster.predict(
            data, iteration_range=self._range, output_margin=margin, validate_features=False
        )


def _is_categorical(booster: Any) -> bool:
    return any(kind == "c" for kind in booster.feature_types or ())


def objective(booster: Any) -> str:
    """`binary:logistic`, …"""
    config = json.loads(booster.save_config())
    return str(config["learner"]["objective"]["name"])


def joined(answers: Sequence[Any], *, vote: bool) -> Any:
    """H5.2: the mean of several boosters' answers; for labels the most frequent one, and of two
    equally frequent the smaller."""
    import numpy as np

    stack = np.stack(answers)
    if not vote:
        return stack.mean(axis=0, dtype=np.float64).astype(np.float32)
    labels = np.unique(stack)
    counts = np.stack([(stack == label).sum(axis=0) for label in labels])
    return labels[counts.argmax(axis=0)]


def load(files: Sequence[Path], *, ensemble: bool) -> Boosters:
    """The boosters in these files. Raises ModelLoadError naming the file."""
    chosen = list(files) if ensemble else list(files[:1])
    boosters = [_load_one(path) for path in chosen]
    counts = {int(booster.num_features()) for booster in boosters}
    if len(counts) > 1:
        names = ", ".join(path.name for path in chosen)
        raise ModelLoadError(
            f"The models {names} take different numbers of features: {sorted(counts)}.",
            hint="All models of one artifact are averaged; keep one, or set "
            "SAGEMAKER_INFERENCE_ENSEMBLE=false to serve the first.",
        )
    return Boosters(boosters)


def _load_one(path: Path) -> Any:
    with path.open("rb") as file:
        pickled = file.read(1) == b"\x80"
    try:
        booster = _unpickled(path) if pickled else _booster(path)
        booster.set_param({"nthread": 1})
        booster.num_features()
        return booster
    except Exception as error:
        words = str(error).strip().splitlines()
        raise ModelLoadError(
            f"{path} is not a model that XGBoost can load: {words[0] if words else error!r}",
            hint="The artifact must hold what Booster.save_model wrote, at the root of the tar.",
        ) from error


def _booster(path: Path) -> Any:
    """A `bytearray` tells XGBoost nothing by its name, so that the content decides the format."""
    xgboost = import_xgboost()
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(path.read_bytes()))
    return booster


def _unpickled(path: Path) -> Any:
    """H3.1: containers before 1.3 wrote pickles. What is pickled is often scikit-learn's kind."""
    import pickle

    import sklearn  # noqa: F401  (before xgboost, which then knows it)
    import xgboost

    with path.open("rb") as file:
        model = pickle.load(file)
    return model if isinstance(model, xgboost.Booster) else model.get_booster()
