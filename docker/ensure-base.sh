#!/usr/bin/env bash
# Ensures that the engine has the OS image the project's images stand on: already there, else
# pulled, else made on this machine with debootstrap, slimmed as Debian's own slim images are.
#
#   docker/ensure-base.sh [IMAGE]          default debian:bookworm-slim
#
# SAGEDOCK_DEBIAN_MIRROR    where debootstrap takes packages from (default: debootstrap's own)
# SAGEDOCK_DEBIAN_KEYRING   Debian's keys, which packages are checked with
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=docker/lib.sh
. "$here/lib.sh"

image=${1:-debian:bookworm-slim}
suite=${image#debian:}
suite=${suite%-slim}
keyring=${SAGEDOCK_DEBIAN_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
work="" # our temporary folder, and in it the image's files
root=""

present() { docker image inspect --format '{{.Id}}' "$image" >/dev/null 2>&1; }

cleanup() {
  [ -n "$work" ] || return 0
  # debootstrap mounts these while it works; a Ctrl-C must not make rm walk into them
  umount "$root/proc" "$root/sys" 2>/dev/null || true
  rm -rf --one-file-system -- "$work"
}

pull() {
  local limit=()
  have timeout && limit=(timeout 120)
  # macOS' bash calls an empty array unset
  ${limit[@]+"${limit[@]}"} docker pull -q "$image" >/dev/null 2>&1
}

ensure_debootstrap() {
  case "$image" in
    debian:*-slim) ;;
    *) die "the image $image can not be pulled" "docker pull $image" ;;
  esac
  is_linux || die "the image $image can not be pulled, and only Linux can make it" \
    "see whether 'docker pull $image' works"
  is_root || die "the image $image can not be pulled, and making it here needs root" \
    "see whether 'docker pull $image' works, or run: sudo $0"
  # without Debian's keys, as on Ubuntu, debootstrap would take packages from anybody
  local missing=()
  have debootstrap || missing+=(debootstrap)
  [ -e "$keyring" ] || missing+=(debian-archive-keyring)
  [ "${#missing[@]}" = 0 ] && return 0
  can_install || die "the image $image can not be pulled, and to make it, this is missing: ${missing[*]}" \
    "install it, then run this again"
  apt_update_once
  apt_install "${missing[@]}" || die "${missing[*]} could not be installed" "apt-get install ${missing[*]}"
}

check_architecture() {
  local engine
  engine=$(docker version --format '{{.Server.Arch}}')
  [ "$engine" = "$(dpkg --print-architecture)" ] || die \
    "the engine runs on $engine, this machine is $(dpkg --print-architecture): an image made here would not start" \
    "run this script on the engine's machine"
}

bootstrap() {
  local log="$work/log" mirror=()
  [ -n "${SAGEDOCK_DEBIAN_MIRROR:-}" ] && mirror=("$SAGEDOCK_DEBIAN_MIRROR")
  say "making $image with debootstrap (about a minute)"
  if ! debootstrap --variant=minbase --keyring="$keyring" "$suite" "$root" "${mirror[@]}" </dev/null >"$log" 2>&1; then
    tail -n 20 "$log" "$root/debootstrap/debootstrap.log" >&2 2>/dev/null || true
    die "debootstrap failed" "if the packages can not be reached, name a mirror: SAGEDOCK_DEBIAN_MIRROR=<address> $0"
  fi
}

in_root() { chroot "$root" env -i PATH="$PATH" DEBIAN_FRONTEND=noninteractive http_proxy="${http_proxy:-}" \
    https_proxy="${https_proxy:-}" "$@"; }

# Suites for updates and security fixes, derived from the mirror debootstrap used.
updates() {
  local mirror
  mirror=$(awk '$1 == "deb" { print $2; exit }' "$root/etc/apt/sources.list")
  {
    printf 'deb %s %s main\n' "$mirror" "$suite"
    printf 'deb %s %s-updates main\n' "$mirror" "$suite"
    printf 'deb %s-security %s-security main\n' "${mirror%/}" "$suite"
  } >"$root/etc/apt/sources.list"
  if ! in_root apt-get update -qq >/dev/null 2>&1 \
    || ! in_root apt-get -y -qq dist-upgrade >/dev/null 2>&1 </dev/null; then
    say "the security suite can not be reached: $image is made without its fixes"
  fi
}

# What debian:*-slim leaves out, now and in every later apt-get install. Licences stay.
slim() {
  cat >"$root/etc/dpkg/dpkg.cfg.d/docker" <<'CONF'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/groff/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/linda/*
path-exclude /usr/share/locale/*
path-include /usr/share/locale/locale.alias
CONF
  find "$root/usr/share/doc" -type f ! -name copyright -delete
  find "$root/usr/share/doc" -type l -delete
  find "$root/usr/share/doc" -mindepth 1 -type d -empty -delete
  rm -rf "$root"/usr/share/{man,info,groff,lintian,linda}/*
  find "$root/usr/share/locale" -mindepth 1 -maxdepth 1 ! -name locale.alias -exec rm -rf {} +
}

apt_for_images() {
  cat >"$root/etc/apt/apt.conf.d/docker-clean" <<'CONF'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
CONF
  printf 'Acquire::Languages "none";\n' >"$root/etc/apt/apt.conf.d/docker-no-languages"
  printf 'Acquire::GzipIndexes "true";\n' >"$root/etc/apt/apt.conf.d/docker-gzip-indexes"
  printf 'Apt::AutoRemove::SuggestsImportant "false";\n' >"$root/etc/apt/apt.conf.d/docker-autoremove-suggests"
  # no service is started while a package is installed in an image
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  printf 'force-unsafe-io\n' >"$root/etc/dpkg/dpkg.cfg.d/docker-apt-speedup"
}

# Nothing of this machine stays in the image: its name, its name servers, logs, lists, caches.
forget_machine() {
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/cache/debconf/*-old \
    "$root"/var/lib/dpkg/*-old "$root"/var/cache/ldconfig/* "$root"/tmp/* "$root"/var/tmp/*
  mkdir -p "$root/var/lib/apt/lists/partial" "$root/var/cache/apt/archives/partial"
  find "$root/var/log" -type f -delete
  : >"$root/etc/hostname"
  : >"$root/etc/resolv.conf"
  : >"$root/etc/machine-id"
}

import() {
  tar -C "$root" --numeric-owner --sort=name --one-file-system -cf - . \
    | docker import -c 'CMD ["bash"]' -m "debootstrap minbase $suite" - "$image" >/dev/null
}

main() {
  have docker || die "there is no docker client" "run docker/ensure-engine.sh first"
  present && return 0
  one_at_a_time ensure-base
  present && return 0
  say "pulling $image"
  if pull && present; then return 0; fi
  ensure_debootstrap
  check_architecture
  trap cleanup EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  work=$(mktemp -d "${TMPDIR:-/var/tmp}/sagedock-base.XXXXXX")
  root=$work/root
  mkdir -m 755 "$root"
  bootstrap
  updates
  slim
  apt_for_images
  forget_machine
  import || die "the engine did not take the image $image" "see the lines above; is its disk full?"
  say "made $image"
}

main
