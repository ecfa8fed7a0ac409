#!/usr/bin/env bash
# Ensures virtual environments with AWS's own clients, which tests/sdk drives, and prints their
# folders' names. Pinned by tests/sdk/requirements-<name>.txt; without any word of sagedock.
#
#   docker/ensure-sdks.sh [NAME...]     default: v2 v3 cli, in .venv-sdk-v2 and so on
#
# Nothing is done when nothing changed: a stamp in the folder keeps the requirements' checksum.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=docker/lib.sh
. "$here/lib.sh"
cd "$here/.."

requirements() { printf 'tests/sdk/requirements-%s.txt\n' "$1"; }

wanted_stamp() { printf '%s %s\n' "$(cksum <"$(requirements "$1")")" "$PWD"; }

up_to_date() {
  local folder=.venv-sdk-$1
  [ -f "$folder/.sagedock-stamp" ] && [ "$(cat "$folder/.sagedock-stamp")" = "$(wanted_stamp "$1")" ] \
    && "$folder/bin/python" -c '' 2>/dev/null
}

# make NAME PYTHON: anew, since what an old one holds is not what the file says. Bytecode comes with
# the first import: making all of it would take as long as all the rest.
make() {
  local folder=.venv-sdk-$1 output
  say "making $folder from $(requirements "$1") (a minute or two)"
  rm -rf -- "$folder"
  "$2" -m venv "$folder"
  output=$("$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
    --root-user-action=ignore --no-warn-script-location -r "$(requirements "$1")" 2>&1) || {
    printf '%s\n' "$output" | tail -n 20 >&2
    die "$(requirements "$1") could not be installed into $folder" \
      "if a download failed: HTTPS_PROXY, PIP_INDEX_URL and PIP_CERT are read by pip"
  }
  wanted_stamp "$1" >"$folder/.sagedock-stamp"
}

main() {
  local name project
  [ "$#" -gt 0 ] || set -- v2 v3 cli
  for name in "$@"; do
    [ -f "$(requirements "$name")" ] || die "there is no $(requirements "$name")" "known: v2 v3 cli"
    if ! up_to_date "$name"; then
      # a failure inside "$(…)" only counts in an assignment of its own
      project=$("$here/ensure-python.sh")
      one_at_a_time ensure-sdks
      up_to_date "$name" || make "$name" "$project/bin/python"
    fi
    printf '%s\n' ".venv-sdk-$name"
  done
}

main "$@"
