"""Imports all that a served model may need: what this writes is the byte code the image keeps."""

import importlib
import warnings

MODULES = (
    "asyncio.runners ctypes.util email.policy http.client tarfile tempfile multiprocessing.pool "
    "numpy.testing numpy.lib.recfunctions scipy.linalg scipy.sparse.linalg scipy.sparse.csgraph "
    "scipy.stats scipy.special scipy.optimize scipy.interpolate scipy.spatial scipy.signal joblib "
    "xgboost uvicorn.server uvicorn.config uvicorn.lifespan.off uvicorn.loops.uvloop "
    "uvicorn.protocols.http.httptools_impl uvloop httptools orjson simdjson sklearn"
)

for name in MODULES.split():
    importlib.import_module(name)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from sklearn.utils.discovery import all_estimators

    print(f"scikit-learn: {len(all_estimators())} estimators")
