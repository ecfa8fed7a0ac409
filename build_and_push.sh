#!/bin/sh
# Builds an image and pushes it to ECR: ./build_and_push.sh IMAGE [TAG]
#
# IMAGE is one of the project's own (training …) or configured images, or a folder's Dockerfile.
# Everything else (repository, login, checks) is `sagedock push`: see sagedock push --help.
# On this machine first, without an account: sagedock run -- ./build_and_push.sh IMAGE
set -eu

if [ $# -lt 1 ]; then
  echo "usage: $0 IMAGE [TAG] [options of sagedock push]" >&2
  exit 2
fi

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
if [ -x "$here/.venv/bin/sagedock" ]; then
  exec "$here/.venv/bin/sagedock" push --build "$@"
fi
exec sagedock push --build "$@"
