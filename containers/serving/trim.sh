#!/bin/sh
# Makes the packages fit an image that is pulled before an endpoint can start: byte code only of
# what serving imports (the rest still works, and compiles when first used), type stubs, sample
# pictures and the extensions that only tests use away, one file where two are the same, pip as one
# compressed file.
#
#   trim.sh IMPORTS
set -eu
imports=$1
python=/opt/venv/bin/python3
site=$($python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
cd "$site"

find . -name __pycache__ -type d -prune -exec rm -rf {} +
find . -type f \( -name '*.pyi' -o -name '_simd.*.so' -o -name '_*_tests.*.so' -o -name '_test_*.so' \) -delete
rm -rf sklearn/datasets/images

# Wheels bring the same library several times, under a name that holds its digest.
for link in scipy.libs/libgfortran-*:numpy.libs scipy.libs/libquadmath-*:numpy.libs \
  xgboost_cpu.libs/libgomp-*:scikit_learn.libs; do
  for file in ${link%:*}; do
    twin=${link#*:}/$(basename "$file")
    if cmp -s "$file" "$twin"; then ln -sf "../$twin" "$file"; fi
  done
done

$python - <<'EOF'
import pathlib, zipfile
with zipfile.ZipFile("pip.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for top in ("pip", *map(str, pathlib.Path().glob("pip-*.dist-info"))):
        for path in sorted(pathlib.Path(top).rglob("*")):
            if path.is_file() and path.suffix != ".exe":
                archive.write(path)
EOF
rm -rf pip pip-*.dist-info
echo pip.zip >pip.pth

# What an import reads, compiled by a process that has imported nothing: the same bytes each time.
export PYTHONHASHSEED=0
old() { find "$1" -exec touch -h -d '2020-01-01 00:00:00 UTC' {} +; }
old .
$python -B "$imports" | sort >/tmp/imported
$python -m compileall -q -i /tmp/imported
$python -m compileall -q uvicorn joblib threadpoolctl.py
$python -B -m pip --version
old /opt/venv
