"""Trains nothing; prints a metric, and logs another to the run that its variables name."""

import argparse
import json
import os
import urllib.request
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=1)
parser.add_argument("--fail", type=int, default=0)
arguments = parser.parse_args()
for number in range(arguments.rounds):
    print(f"loss: {1 / (number + 1)}")
run, uri = os.environ.get("MLFLOW_RUN_ID"), os.environ.get("MLFLOW_TRACKING_URI")
print("told of", uri, run)
if run and uri:
    metric = {"run_id": run, "key": "own", "value": 7.0, "timestamp": 1, "step": 0}
    request = urllib.request.Request(
        f"{uri}/api/2.0/mlflow/runs/log-metric",
        json.dumps(metric).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        print("logged", answer.status)
if arguments.fail:
    Path("/opt/ml/output/failure").write_text("told by the script")
    raise SystemExit(1)
Path("/opt/ml/model/model.txt").write_text("a model")
