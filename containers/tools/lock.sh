#!/usr/bin/env bash
# Locks every image's requirements with hashes, each on top of its parent's, and checks that the
# same versions do for amd64 and arm64, from wheels but for two packages that only come as source. No index address gets into a lock.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

lock() {
  uv pip compile --quiet --no-config --no-header --no-emit-index-url --generate-hashes \
    --only-binary :all: --no-binary sagemaker-training --no-binary inotify-simple \
    --python-version 3.11 --python-platform "$1" "$2.in" --output-file "$3"
}

other=$(mktemp -d)
trap 'rm -rf "$other"' EXIT
for name in base/requirements pandas/requirements training/build-requirements training/requirements \
  serving/requirements; do
  lock x86_64-manylinux_2_28 "$name" "$name.lock"
  cp "$name.lock" "$other/lock"
  lock aarch64-manylinux_2_28 "$name" "$other/lock"
  diff "$name.lock" "$other/lock" || { echo "arm64 would get something else than amd64" >&2; exit 1; }
done
