"""sagedock: bring your own container to Amazon SageMaker, and run it here as the service would.

Names are loaded when first used, so that importing the package stays fast and so that the part
of it that ships inside images (`contract`, `runtime`) needs nothing but the standard library.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_LAZY = {
    "Estimator": "sagedock.launch.estimator",
    "TrainingInput": "sagedock.launch.estimator",
    "ScriptProcessor": "sagedock.launch.processing",
    "ProcessingInput": "sagedock.launch.processing",
    "ProcessingOutput": "sagedock.launch.processing",
    "Model": "sagedock.launch.model",
    "PipelineModel": "sagedock.launch.model",
    "MultiDataModel": "sagedock.launch.model",
    "DataCaptureConfig": "sagedock.launch.inference_configs",
    "AsyncInferenceConfig": "sagedock.launch.inference_configs",
    "ServerlessInferenceConfig": "sagedock.launch.inference_configs",
    "Predictor": "sagedock.launch.predictor",
    "AsyncPredictor": "sagedock.launch.async_predictor",
    "WaiterConfig": "sagedock.launch.async_predictor",
    "Transformer": "sagedock.launch.transformer",
    "Session": "sagedock.launch.session",
    "AwsSession": "sagedock.launch.aws.session",
    "NetworkConfig": "sagedock.launch.processing",
    "load_config": "sagedock.project.config",
    "LocalSageMaker": "sagedock.local.client",
    "LocalRuntime": "sagedock.local.hosting.calls.runtime",
}

__all__ = [*_LAZY, "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'sagedock' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
