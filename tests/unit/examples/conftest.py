"""The example's programs as modules: they are scripts in folders, not a package."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

CHURN = Path(__file__).parents[3] / "examples" / "churn"


def load(path: str) -> ModuleType:
    """The program `examples/churn/<path>` under a name of its own, without running it."""
    file = CHURN / path
    name = f"churn_example_{file.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def fetch() -> ModuleType:
    return load("fetch.py")


@pytest.fixture(scope="session")
def preprocessing() -> ModuleType:
    return load("code/preprocessing.py")


@pytest.fixture(scope="session")
def prepare() -> ModuleType:
    return load("code/prepare_xgboost.py")


@pytest.fixture(scope="session")
def sklearn_rf() -> ModuleType:
    return load("code/rf/sklearn_rf.py")


@pytest.fixture(scope="session")
def demo() -> Iterator[ModuleType]:
    """The demo imports its neighbours by name, as a program started from its folder does."""
    sys.path.insert(0, str(CHURN))
    yield importlib.import_module("demo")
    sys.path.remove(str(CHURN))


@pytest.fixture(scope="session")
def report(demo: ModuleType) -> ModuleType:
    return sys.modules["report"]


@pytest.fixture(scope="session")
def raw_file(fetch: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real data as the demo's step 2 writes it. Tests must not change it."""
    path = tmp_path_factory.mktemp("raw") / "raw_churn.csv"
    fetch.fetch(path)
    return path


@pytest.fixture
def raw(raw_file: Path, preprocessing: ModuleType) -> pd.DataFrame:
    return preprocessing.read(raw_file)


@pytest.fixture(scope="session")
def scoring() -> ModuleType:
    return load("scoring.py")
