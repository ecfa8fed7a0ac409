#!/bin/sh
# Finds the base's Python and lets it make /opt/sagedock.
#
#   install.sh training|serving|both
set -eu
# shellcheck source=containers/tools/network.sh
. /containers/tools/network.sh
python=$(command -v python3 || command -v python || true)
if [ -z "$python" ]; then
  echo "sagedock: error: the base image has no Python on PATH. | Install Python 3.11 or newer in it, or name its folder: ENV PATH=…" >&2
  exit 1
fi
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "sagedock: error: the base image's Python is $version, older than 3.11. | Take a base with Python 3.11 or newer, or put one on its PATH." >&2
  exit 1
fi
"$python" -I /containers/onto/install.py "$1"
# As in the images of the project: tests of packages and headers are nothing that a job imports.
find /opt/sagedock/lib -depth -type d \( -name tests -o -name test -o -name include \) -exec rm -rf {} +
sh /containers/tools/settle.sh "" /opt/sagedock /opt/sagedock/bin/python3
