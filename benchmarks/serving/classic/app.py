"""The classic layout, as tutorials write it."""

import io
from pathlib import Path

import flask
import joblib
import pandas as pd
import xgboost as xgb

app = flask.Flask(__name__)
MODEL = Path("/opt/ml/model")
if (MODEL / "model.joblib").exists():
    forest, booster = joblib.load(MODEL / "model.joblib"), None
    forest.n_jobs = 1
else:
    forest, booster = None, xgb.Booster(model_file=MODEL / "xgboost-model")


@app.route("/ping")
def ping():
    return flask.Response(status=200)


@app.route("/invocations", methods=["POST"])
def invocations():
    table = pd.read_csv(io.StringIO(flask.request.data.decode()), header=None)
    found = booster.predict(xgb.DMatrix(table)) if booster else forest.predict(table.to_numpy())
    out = io.StringIO()
    pd.DataFrame({"p": found}).to_csv(out, header=False, index=False)
    return flask.Response(out.getvalue(), mimetype="text/csv")
