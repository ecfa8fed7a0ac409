#!/usr/bin/env bash
# Ensures that a Docker engine answers. One that does is left alone, whatever and wherever it is
# (DOCKER_HOST is honoured). Else, on a Debian-like machine and as root, installs Docker and starts
# it, apart from this terminal. Anywhere else says what to do, and fails.
#
# SAGEDOCK_ENGINE_LOG      where a dockerd started here writes (default /var/log/sagedock-dockerd.log)
# SAGEDOCK_ENGINE_SECONDS  how long to wait for it (default 60)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=docker/lib.sh
. "$here/lib.sh"

log=${SAGEDOCK_ENGINE_LOG:-/var/log/sagedock-dockerd.log}
patience=${SAGEDOCK_ENGINE_SECONDS:-60}
answer=""

# answers: does the engine answer any client on PATH? Else $answer is what the last client said.
answers() {
  local client
  answer=""
  while read -r client; do
    # the client must ask the engine for this, and prints nothing else
    if answer=$("$client" version --format '{{.Server.Version}}' 2>&1 </dev/null); then return 0; fi
  done < <(type -ap docker | awk '!seen[$0]++')
  return 1
}

refuse_if_pointless() {
  case "$answer" in
    *"permission denied"*)
      die "a Docker engine is there, but $(id -un) may not use it" \
        "sudo usermod -aG docker $(id -un)     (then log in again)" \
        "or run this with sudo"
      ;;
  esac
  [ -z "${DOCKER_HOST:-}" ] || die "DOCKER_HOST is $DOCKER_HOST, and no Docker engine answers there" \
    "start that engine, or: unset DOCKER_HOST" "${answer##*$'\n'}"
  case "$(uname -s)" in
    Linux) ;;
    Darwin)
      die "no Docker engine answers, and on macOS it is not this script's to install" \
        "start Docker Desktop, or: brew install docker docker-buildx colima && colima start"
      ;;
    *) die "no Docker engine answers on this $(uname -s) machine" "install and start Docker, then try again" ;;
  esac
  is_root || die "no Docker engine answers, and installing or starting one needs root" \
    "sudo $0" "or, where Docker is installed: sudo systemctl start docker"
}

ensure_installed() {
  have dockerd && have docker && return 0
  have apt-get || die "Docker is not installed, and this machine has no apt to install it with" \
    "install Docker Engine with its buildx plugin as your system does, then try again"
  apt_update_once
  # newer Debian releases split the client and the builder off
  local packages=(docker.io iptables) name
  for name in docker-cli docker-buildx; do
    if apt_knows "$name"; then packages+=("$name"); fi
  done
  apt_install "${packages[@]}" || die "Docker could not be installed" "apt-get install ${packages[*]}"
  hash -r
}

start() {
  if [ -d /run/systemd/system ] && have systemctl; then
    say "starting Docker (systemd)"
    systemctl start docker >&2 || true
    return
  fi
  say "starting dockerd (log: $log)"
  # a session of its own and no inherited descriptor: it outlives this terminal, not our lock
  setsid dockerd >"$log" 2>&1 </dev/null 9>&- &
  daemon=$!
}

wait_until_it_answers() {
  local end=$((SECONDS + patience))
  while ! answers; do
    if [ -n "$daemon" ] && ! kill -0 "$daemon" 2>/dev/null; then give_up "dockerd ended at once"; fi
    if [ "$SECONDS" -ge "$end" ]; then give_up "Docker does not answer after $patience s"; fi
    sleep 0.2
  done
}

give_up() {
  if [ -n "$daemon" ]; then
    kill "$daemon" 2>/dev/null || true
    tail -n 20 "$log" >&2 || true
    die "$1" "the lines above are the end of $log"
  fi
  die "$1" "systemctl status docker; journalctl -u docker"
}

main() {
  daemon=""
  answers && return 0
  refuse_if_pointless
  one_at_a_time ensure-engine
  answers && return 0
  ensure_installed
  # the package may have started it, or be about to
  if ! answers; then
    start
    wait_until_it_answers
  fi
  say "Docker $answer answers"
}

main
