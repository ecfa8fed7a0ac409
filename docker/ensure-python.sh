#!/usr/bin/env bash
# Ensures a virtual environment with the project in it, and prints its folder's name.
#
#   docker/ensure-python.sh           .venv, with the oldest supported Python of this machine
#   docker/ensure-python.sh newest    .venv-newest, with the newest; .venv if there is only one
#
# Nothing is done when nothing changed: a stamp in the folder keeps pyproject.toml's checksum.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=docker/lib.sh
. "$here/lib.sh"
cd "$here/.."

supported="3.11 3.12 3.13"
extras="dev,demo"

# Every program that may be Python $1: PATH, then where pyenv and uv keep theirs.
places() {
  type -ap "python$1" || true
  printf '%s\n' "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/"python$1" \
    "${XDG_DATA_HOME:-$HOME/.local/share}"/uv/python/*/bin/"python$1"
}

# A name on PATH may be a shim that refuses to run: only an answer counts.
is_python() { [ "$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$2" ]; }

can_make_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# find_python VERSION: one that can make environments if there is one, else any.
find_python() {
  local program any=""
  while read -r program; do
    if [ -x "$program" ] && is_python "$program" "$1"; then
      if can_make_venv "$program"; then
        printf '%s\n' "$program"
        return 0
      fi
      any=${any:-$program}
    fi
  done < <(places "$1")
  [ -n "$any" ] && printf '%s\n' "$any"
}

# first_python VERSION...: of the first version that this machine has.
first_python() {
  local version
  for version in "$@"; do
    find_python "$version" && return 0
  done
  return 1
}

oldest() {
  # shellcheck disable=SC2086  # a list of words
  first_python $supported || first_python 3.14 || die "no Python 3.11 or newer was found" \
    "Debian, Ubuntu: apt-get install python3 python3-venv (Debian 12, Ubuntu 24.04 or newer)" \
    "elsewhere: pyenv install 3.13, or brew install python@3.13"
}

newest() { first_python 3.13 3.12 3.11 3.14; }

ensure_venv_module() {
  can_make_venv "$1" && return 0
  local package
  package="python$(version_of "$1")-venv"
  can_install || die "$1 can not make virtual environments: its module ensurepip is missing" \
    "apt-get install $package"
  apt_update_once
  apt_install "$package" || die "$package could not be installed" "apt-get install $package"
}

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

wanted_stamp() { printf '%s %s %s\n' "$extras" "$(cksum <pyproject.toml)" "$PWD"; }

up_to_date() {
  [ -f "$1/.sagedock-stamp" ] && [ "$(cat "$1/.sagedock-stamp")" = "$(wanted_stamp)" ] \
    && "$1/bin/python" -c '' 2>/dev/null
}

make_venv() {
  local folder=$1 python=$2 output
  if ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    ensure_venv_module "$python"
    say "making $folder with Python $(version_of "$python")"
    rm -rf -- "$folder"
    "$python" -m venv "$folder"
  fi
  say "installing sagedock and what it needs into $folder"
  output=$("$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
    --root-user-action=ignore --no-warn-script-location -e ".[$extras]" 2>&1) || {
    printf '%s\n' "$output" | tail -n 20 >&2
    die "sagedock could not be installed into $folder" \
      "if a download failed: HTTPS_PROXY, PIP_INDEX_URL and PIP_CERT are read by pip"
  }
  wanted_stamp >"$folder/.sagedock-stamp"
}

# ensure FOLDER PYTHON: makes it unless it is up to date; says its name.
ensure() {
  up_to_date "$1" || make_venv "$1" "$2"
  printf '%s\n' "$1"
}

main() {
  # a failure inside "$(…)" only counts in an assignment of its own
  local old new
  if [ "${1:-oldest}" = oldest ]; then
    up_to_date .venv && { echo .venv; return 0; }
    one_at_a_time ensure-python
    old=$(oldest)
    ensure .venv "$old"
    return
  fi
  up_to_date .venv-newest && { echo .venv-newest; return 0; }
  old=$(oldest)
  new=$(newest)
  one_at_a_time ensure-python
  if [ "$(version_of "$old")" = "$(version_of "$new")" ]; then
    ensure .venv "$old"
  else
    ensure .venv-newest "$new"
  fi
}

main "$@"
