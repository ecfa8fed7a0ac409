#!/usr/bin/env bash
# Locks every image's requirements, each on top of its parent's: wheels that do for amd64 and for
# arm64, but for two packages that only come as source. `sagedock lock` does it.
#
#   lock.sh [options of sagedock lock]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec .venv/bin/sagedock lock base pandas training serving "$@"
