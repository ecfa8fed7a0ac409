#!/usr/bin/env bash
# Ensures that a registry's program (CNCF distribution: docker-registry, or registry) is there, and
# prints where. What is there is left alone. Else, on a Debian-like machine and as root, installs
# it. It is never started here: `sagedock up` does that when something asks for ECR.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=docker/lib.sh
. "$here/lib.sh"

package=docker-registry

find_program() { command -v docker-registry || command -v registry; }

refuse_unless_installable() {
  can_install && return 0
  have apt-get && die "no registry is installed, and installing one needs root" "sudo $0" \
    "or: sudo apt-get install $package"
  die "no registry is installed, and this machine has no apt to install it with" \
    "install CNCF's distribution registry (https://distribution.github.io/distribution) so that" \
    "a program named docker-registry or registry is on PATH"
}

# The package brings a service that would listen at port 5000 of every address: not ours to start.
install_without_starting() {
  local before=""
  if [ -d /run/systemd/system ] && have systemctl; then
    before=$(systemctl is-enabled "$package" 2>/dev/null || true)
  fi
  apt_install "$package" || die "$package could not be installed" "apt-get install $package"
  if [ -d /run/systemd/system ] && have systemctl && [ -z "$before" ]; then
    systemctl disable --now "$package" >/dev/null 2>&1 || true
  fi
  hash -r
}

main() {
  find_program && return 0
  refuse_unless_installable
  one_at_a_time ensure-registry
  find_program && return 0
  apt_update_once
  install_without_starting
  find_program || die "$package is installed, but there is no such program on PATH" "echo \$PATH"
}

main
