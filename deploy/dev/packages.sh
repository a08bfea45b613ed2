#!/usr/bin/env bash
# Installs the programs that tests and checks drive, on Debian 12, where they are missing. Starts no service.
set -euo pipefail

usage() {
  cat >&2 <<USAGE
usage: packages.sh [--list]

Installs with apt-get what is missing of: Java and Maven (Apache Kafka), nginx, HAProxy, Caddy, Varnish, nftables, ipset, Chromium,
CrowdSec's custom and firewall bouncers, curl, jq, ShellCheck, pip, unzip and the emulator of arm64 programs. Needs root
only if something is missing.

  --list  only name the packages that are missing
USAGE
  exit 2
}

# A package is missing when the program it is wanted for is.
missing() {
  local program package
  while read -r program package; do
    command -v "$program" >/dev/null || printf '%s\n' "$package"
  done <<PROGRAMS
java openjdk-17-jre-headless
mvn maven
nginx nginx-light
haproxy haproxy
caddy caddy
varnishd varnish
varnishd varnish-modules
nft nftables
ipset ipset
iptables iptables
ip iproute2
chromium chromium
crowdsec-custom-bouncer crowdsec-custom-bouncer
crowdsec-firewall-bouncer crowdsec-firewall-bouncer
curl curl
jq jq
pip3 python3-pip
unzip unzip
qemu-aarch64-static qemu-user-static
shellcheck shellcheck
PROGRAMS
}

# Debian starts a service when its package is installed, unless this file forbids it.
readonly policy=/usr/sbin/policy-rc.d
forbid_services() {
  [[ -e $policy ]] && return
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
}

# Root's PATH may lack the folders of nginx and haproxy.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

case $#:${1:-} in
  0:) ;;
  1:--list) missing; exit ;;
  *) usage ;;
esac

mapfile -t packages < <(missing)
if ((${#packages[@]} == 0)); then
  echo 'packages.sh: nothing is missing'
  exit
fi
if ((EUID != 0)); then
  printf 'packages.sh: run as root, or install yourself: apt-get install --no-install-recommends %s\n' "${packages[*]}" >&2
  exit 1
fi
printf 'packages.sh: installing %s\n' "${packages[*]}"
forbid_services
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${packages[@]}"
