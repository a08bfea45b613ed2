#!/usr/bin/env bash
# The engine of a current ClickHouse for development and tests: the library that chDB publishes as a package of npm,
# behind a small server on loopback (deploy/dev/clickhouse).
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
readonly here version=26.5.3
readonly sha512=7cfacb991b79328a2bf721b3e266b36eb3637b8b7b5fd281da64c6917156471441b3688acbcca1ea3c75d71b1ad10af788314c53fc87a9df9b55d6095eedd069
readonly library=$here/.cache/clickhouse/libchdb-$version.so

usage() {
  cat >&2 <<USAGE
usage: clickhouse.sh fetch
       clickhouse.sh serve [--listen HOST:PORT] [--dir DIRECTORY]

  fetch  download the library of ClickHouse, about 170 MB, where it is missing, and print its path
  serve  answer ClickHouse's HTTP protocol until interrupted (default 127.0.0.1:18123)

Tests look for the library where fetch puts it, or at the path in LIBCHDB. The package comes from npm's registry, or from
the one that npm's own variable npm_config_registry names. x86-64 Linux with glibc only.
USAGE
  exit 2
}

die() {
  printf 'clickhouse.sh: %s\n' "$1" >&2
  exit 1
}

# The library is complete once it has its name.
fetch() {
  if [[ ! -e $library ]]; then
    local registry=${npm_config_registry:-${NPM_CONFIG_REGISTRY:-https://registry.npmjs.org}}
    local package
    mkdir -p "$(dirname -- "$library")"
    package=$(mktemp -d "$library.XXXXXX")
    # shellcheck disable=SC2064 # the directory of now
    trap "rm -rf '$package'" EXIT
    curl -fsSL --retry 3 -o "$package/tgz" "${registry%/}/@chdb/lib-linux-x64-gnu/-/lib-linux-x64-gnu-$version.tgz" ||
      die "the library cannot be fetched: name another registry in npm_config_registry"
    sha512sum --check --status <<<"$sha512  $package/tgz" || die 'what the registry sent is not the package of that version'
    tar -xzf "$package/tgz" -C "$package" package/libchdb.so
    mv -T "$package/package/libchdb.so" "$library"
  fi
  printf '%s\n' "$library"
}

case ${1:-} in
  fetch) (($# == 1)) || usage; fetch ;;
  serve) fetch >/dev/null; cd "$here" && exec go run ./clickhouse --library "$library" "${@:2}" ;;
  *) usage ;;
esac
