"""Imports what a served model usually needs: the byte code this writes is what the image keeps."""

import importlib

MODULES = (
    "xgboost sklearn.ensemble joblib uvicorn.server uvicorn.config uvicorn.lifespan.off "
    "uvicorn.protocols.http.httptools_impl uvloop httptools orjson simdjson"
)

for name in MODULES.split():
    importlib.import_module(name)
