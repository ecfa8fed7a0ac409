#!/usr/bin/env bash
# Ensures Docker Compose as the local modes of SageMaker's SDKs look for it: `docker compose` of
# version 2, or `docker-compose`. sagedock itself uses neither; its tests of those modes do.
#
# One that is there is left alone. Else, on a Debian-like machine and as root, installs
# docker-compose. Anywhere else says what to do, and fails.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=docker/lib.sh
. "$here/lib.sh"

# SDK v2 takes `docker compose` only where its version has "v2" in it.
present() {
  case "$(docker compose version 2>/dev/null </dev/null)" in *v2*) return 0 ;; esac
  docker-compose version >/dev/null 2>&1 </dev/null
}

main() {
  present && return 0
  can_install || die "there is no Docker Compose that the SDKs' local modes would use" \
    "Debian, Ubuntu: sudo apt-get install docker-compose" \
    "elsewhere: https://docs.docker.com/compose/install/ (version 2)"
  one_at_a_time ensure-compose
  present && return 0
  apt_update_once
  apt_install docker-compose || die "Docker Compose could not be installed" "apt-get install docker-compose"
  hash -r
  present || die "docker-compose was installed and does not run" "docker-compose version"
}

main
