"""sagemaker-inference's handlers, written to be fast: numpy's text reader and DMatrix."""

import io
from pathlib import Path

import joblib
import numpy as np
import xgboost as xgb
from sagemaker_inference.default_handler_service import DefaultHandlerService
from sagemaker_inference.default_inference_handler import DefaultInferenceHandler
from sagemaker_inference.transformer import Transformer


class Handler(DefaultInferenceHandler):
    def default_model_fn(self, model_dir, context=None):
        folder = Path(model_dir)
        if (folder / "model.joblib").exists():
            model = joblib.load(folder / "model.joblib")
            model.n_jobs = 1
            return model
        return xgb.Booster(model_file=folder / "xgboost-model")

    def default_input_fn(self, input_data, content_type, context=None):
        text = input_data if isinstance(input_data, str) else input_data.decode()
        return np.loadtxt(io.StringIO(text), delimiter=",", dtype=np.float32, ndmin=2)

    def default_predict_fn(self, data, model, context=None):
        return model.predict(xgb.DMatrix(data) if isinstance(model, xgb.Booster) else data)

    def default_output_fn(self, prediction, accept, context=None):
        return "\n".join(map(str, prediction.tolist()))


class Service(DefaultHandlerService):
    def __init__(self):
        super().__init__(transformer=Transformer(default_inference_handler=Handler()))


_service = Service()


def handle(data, context):
    if not _service._initialized:
        _service.initialize(context)
        _service._initialized = True
    return _service.handle(data, context)


_service._initialized = False
