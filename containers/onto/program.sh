#!/bin/sh
# Lays sagedock's own part below /program, byte-compiled: the package, and the programs that
# SageMaker starts.
#
#   program.sh training|serving|both
set -eu
python=/opt/sagedock/bin/python3
site=/program$($python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
mkdir -p "$site" /program/opt/sagedock/bin
cp -r /source/sagedock "$site/"
place() { sed 's|/opt/venv/|/opt/sagedock/|' "/containers/$1/$2" >"/program/opt/sagedock/bin/$2"; }
if [ "$1" != serving ]; then place training train; fi
if [ "$1" != training ]; then place serving serve; fi
chmod 755 /program/opt/sagedock/bin/*
sh /containers/tools/settle.sh /program "$site" $python
