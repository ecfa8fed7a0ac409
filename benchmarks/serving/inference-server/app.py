"""inference-server's hooks, written to be fast: numpy's text reader and inplace_predict."""

import io
import sys
from pathlib import Path

import inference_server
import joblib
import numpy as np
import xgboost as xgb


@inference_server.plugin_hook()
def model_fn(model_dir):
    folder = Path(model_dir)
    if (folder / "model.joblib").exists():
        model = joblib.load(folder / "model.joblib")
        model.n_jobs = 1
        return model
    return xgb.Booster(model_file=folder / "xgboost-model")


@inference_server.plugin_hook()
def input_fn(input_data, content_type):
    return np.loadtxt(io.BytesIO(input_data), delimiter=",", dtype=np.float32, ndmin=2)


@inference_server.plugin_hook()
def predict_fn(data, model):
    if isinstance(model, xgb.Booster):
        return model.inplace_predict(data)
    return model.predict(data)


@inference_server.plugin_hook()
def output_fn(prediction, accept):
    return "\n".join(map(str, prediction.tolist())).encode(), "text/csv"


inference_server._plugin.manager().register(sys.modules[__name__])
app = inference_server.create_app()
inference_server.warmup()
