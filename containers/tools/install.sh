#!/bin/sh
# Installs a hashed lock file below a folder laid out as the image's root, for one COPY into the
# final stage: no pip cache, no tests and headers of packages, every module byte-compiled.
#
#   install.sh LOCK ROOT
#
# PIP       the pip that does it (default: the image's own)
# SDISTS    packages of the lock that may be built from source, comma separated (default: none)
set -eu
lock=$1
root=$2
python=/opt/venv/bin/python3
pip=${PIP:-$python -m pip}

# shellcheck source=containers/tools/network.sh
. "$(dirname "$0")/network.sh"

# What is compiled here must not hold the name of pip's folder, which is another one each time.
export CFLAGS=-g0 LDFLAGS=-Wl,--build-id=none

# PIP is a command with arguments: it is meant to be split
# shellcheck disable=SC2086
$pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-warn-script-location \
  --no-deps --require-hashes --no-compile --no-build-isolation \
  --only-binary :all: ${SDISTS:+--no-binary "$SDISTS"} --prefix "$root/opt/venv" --requirement "$lock"

site=$root$($python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

# Tests and their tools, headers, sources of extensions, launchers for Windows and botocore's
# examples (read only when its documentation is built) are nothing that a program here imports, and
# symbols nothing that it runs. Licences and type stubs stay. Libraries under *.libs/ must not be
# stripped: their headers were rewritten when the wheel was made, and numpy would no longer load.
find "$site" -depth -type d \( -name tests -o -name test -o -name include \
  -o -path '*/gevent/testing' -o -path '*/xgboost/testing' \) -exec rm -rf {} +
find "$site" -type f \( -name '*.[acho]' -o -name '*.cpp' -o -name '*.hpp' -o -name '*.pyx' \
  -o -name '*.pxd' -o -name '*.pxi' -o -name '*.tp' -o -name '*.exe' -o -name 'examples-1.json*' \
  -o -name conftest.py \) -delete
find "$site" -type f -name '*.so*' ! -path '*.libs/*' -exec strip --strip-unneeded {} +

sh "$(dirname "$0")/settle.sh" "$root" "$site"
