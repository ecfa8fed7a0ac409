#!/usr/bin/env bash
# Ensures the clients of S3 that tests/sdk/s3 drives: boto3 and the AWS CLI in .venv-s3-clients,
# @aws-sdk/client-s3 beside them, rclone and s3cmd from Debian. Prints that folder's name.
#
# Nothing is done when nothing changed: a stamp in the folder keeps what was asked for.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=docker/lib.sh
. "$here/lib.sh"
cd "$here/.."

folder=.venv-s3-clients
python_list=tests/sdk/s3/requirements.txt
node_list=tests/sdk/s3/package.json

wanted_stamp() { printf '%s %s\n' "$(cat "$python_list" "$node_list" | cksum)" "$PWD"; }

up_to_date() {
  [ -f "$folder/.sagedock-stamp" ] && [ "$(cat "$folder/.sagedock-stamp")" = "$(wanted_stamp)" ] \
    && "$folder/bin/python" -c '' 2>/dev/null
}

# ensure_program PROGRAM PACKAGE: on PATH, from Debian where it isn't.
ensure_program() {
  have "$1" && return 0
  can_install || die "the S3 client $1 is missing" "Debian, Ubuntu: sudo apt-get install $2"
  apt_update_once
  apt_install "$2" || die "$2 could not be installed" "apt-get install $2"
  hash -r
  have "$1" || die "$2 was installed and there is no $1" "$1 --version"
}

# quietly WHAT COMMAND...: its last words only if it fails.
quietly() {
  local what=$1 output
  shift
  output=$("$@" 2>&1) || {
    printf '%s\n' "$output" | tail -n 20 >&2
    die "$what could not be installed into $folder" \
      "if a download failed: HTTPS_PROXY, PIP_INDEX_URL, PIP_CERT and npm's settings are read"
  }
}

make() {
  say "making $folder from $python_list and $node_list (a minute)"
  rm -rf -- "$folder"
  "$1" -m venv "$folder"
  quietly "$python_list" "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
    --root-user-action=ignore --no-warn-script-location -r "$python_list"
  cp "$node_list" "$folder/package.json"
  quietly "$node_list" npm install --prefix "$folder" --no-audit --no-fund --no-package-lock \
    --loglevel=error
  wanted_stamp >"$folder/.sagedock-stamp"
}

main() {
  local project
  one_at_a_time ensure-s3-clients
  ensure_program rclone rclone
  ensure_program s3cmd s3cmd
  ensure_program node nodejs
  ensure_program npm npm
  if ! up_to_date; then
    # a failure inside "$(…)" only counts in an assignment of its own
    project=$("$here/ensure-python.sh")
    make "$project/bin/python"
  fi
  printf '%s\n' "$folder"
}

main "$@"
