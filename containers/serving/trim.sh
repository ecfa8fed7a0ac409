#!/bin/sh
# Makes the packages fit an image that is pulled before an endpoint can start: byte code only of
# what serving imports (the rest still works, and compiles when first used), type stubs and sample
# data away, pip as one compressed file. No module is taken away.
#
#   trim.sh IMPORTS
set -eu
imports=$1
python=/opt/venv/bin/python3
site=$($python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

find "$site" -name __pycache__ -type d -prune -exec rm -rf {} +
find "$site" -type f -name '*.pyi' -delete
rm -rf "$site"/sklearn/datasets/images

$python "$imports"
$python -m compileall -q "$site"/uvicorn "$site"/xgboost "$site"/joblib "$site"/threadpoolctl.py
