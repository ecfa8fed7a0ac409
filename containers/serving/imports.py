"""Imports what a served model usually needs, and prints the modules' files: of these the image
keeps the byte code."""

import importlib
import sys

MODULES = (
    "xgboost sklearn.ensemble joblib uvicorn.server uvicorn.config uvicorn.lifespan.off "
    "uvicorn.protocols.http.httptools_impl uvloop httptools orjson simdjson"
)

for name in MODULES.split():
    importlib.import_module(name)
files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
for file in sorted({file for file in files if file}):
    if file.endswith(".py") and "/site-packages/" in file:
        print(file)
