#!/bin/sh
# The last step of what goes into an image: every file gets the same old time and every module its
# byte code, so that a build done again holds the same bytes. Byte code goes by its source's time,
# not by a hash: a module edited in place is seen, and nothing is read twice.
#
#   settle.sh ROOT FOLDER [PYTHON]     FOLDER lies below ROOT/opt; ROOT is / in the image
set -eu
root=$1
folder=$2
python=${3:-/opt/venv/bin/python3}

old() { find "$1" -exec touch -h -d '2020-01-01 00:00:00 UTC' {} +; }

old "$folder"
# One process: with several, chance decides which constants are marked as shared.
PYTHONHASHSEED=0 "$python" -m compileall -q -f -s "$root" -p / "$folder"
old "$root/opt"
