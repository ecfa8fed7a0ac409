# shellcheck shell=bash
# Shared by the scripts of this folder: words for the person at the terminal, root, apt, locks.
# Sourced, never run. It must not know what any of the scripts is for.

say() { printf 'sagedock: %s\n' "$*" >&2; }

# die MESSAGE [NEXT STEP...]: what happened, then what to do, one line each; exit code 1.
die() {
  say "$1"
  shift
  local line
  for line in "$@"; do printf '  -> %s\n' "$line" >&2; done
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

is_root() { [ "$(id -u)" = 0 ]; }

is_linux() { [ "$(uname -s)" = Linux ]; }

# can_install: may packages be installed here without asking anybody?
can_install() { is_linux && is_root && have apt-get; }

apt_update_once() {
  [ -n "${SAGEDOCK_APT_UPDATED:-}" ] && return 0
  DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2 || say "apt-get update failed; trying with the lists at hand"
  export SAGEDOCK_APT_UPDATED=1
}

# apt_knows NAME: is there such a package to install?
apt_knows() { [ -n "$(apt-cache show --no-all-versions "$1" 2>/dev/null)" ]; }

# apt_install NAME...: quiet unless it fails; the caller has checked can_install.
apt_install() {
  local log rc=0
  say "installing $* (apt)"
  log=$(DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install \
    -y -qq --no-install-recommends "$@" </dev/null 2>&1) || rc=$?
  [ "$rc" = 0 ] && return 0
  printf '%s\n' "$log" | tail -n 20 >&2
  return "$rc"
}

# one_at_a_time NAME: wait until no other run of NAME by this user is under way. The lock goes with
# the process, so nothing is left to clean up. Descriptor 9 must be closed for whatever outlives us.
one_at_a_time() {
  have flock || return 0
  exec 9>"${TMPDIR:-/tmp}/sagedock-$1-$(id -u).lock"
  flock -w 900 9 || die "another $1 has been running for 15 minutes" "end it, then try again"
}
