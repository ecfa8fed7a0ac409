"""What is in the model folder, and which way it is served.

A user's module wins over everything; then XGBoost's files, then scikit-learn's. Must not know
HTTP or processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sagedock.runtime.serve import sklearn_model, xgboost_model
from sagedock.runtime.serve.problems import ModelLoadError
from sagedock.runtime.serve.settings import Settings


def program(settings: Settings) -> Path | None:
    """The user's module, if there is one. Raises ModelLoadError when a named one lacks."""
    path = Path(settings.code_dir) / settings.program
    if path.is_file():
        return path
    if settings.program != "inference.py":
        raise ModelLoadError(
            f"SAGEMAKER_PROGRAM names {settings.program}, and there is no {path}.",
            hint="Put it into the artifact's code/ folder, or set SAGEMAKER_SUBMIT_DIRECTORY.",
        )
    return None


def load_model(folder: str, settings: Settings) -> Any:
    """The model in a folder, by the files in it. Raises ModelLoadError when there is none."""
    files = _candidates(folder)
    if any(path.name.startswith("xgboost-model") for path in files):
        return xgboost_model.load(files, ensemble=settings.ensemble)
    pickled = sklearn_model.find(folder)
    if pickled is not None:
        return sklearn_model.load(pickled)
    if files:
        return xgboost_model.load(files, ensemble=settings.ensemble)
    raise ModelLoadError(
        f"{folder} holds no model: {_listing(folder)}.",
        hint="Serving without code takes XGBoost's files (xgboost-model, *.json, *.ubj) and "
        "scikit-learn's model.joblib; anything else needs code/inference.py with model_fn.",
    )


def is_xgboost_only(settings: Settings) -> bool:
    """Whether XGBoost alone, without scikit-learn, serves this folder: known before any import."""
    files = _candidates(settings.model_dir)
    if not files or any(_is_pickle(path) for path in files):
        return False
    named = any(path.name.startswith("xgboost-model") for path in files)
    return named or sklearn_model.find(settings.model_dir) is None


def _candidates(folder: str) -> Sequence[Path]:
    return xgboost_model.candidates(folder) if Path(folder).is_dir() else []


def _is_pickle(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(1) == b"\x80"


def _listing(folder: str) -> str:
    if not Path(folder).is_dir():
        return "there is no such folder"
    names = sorted(path.name for path in Path(folder).iterdir())
    return f"found {', '.join(names[:10])}" if names else "it is empty"
