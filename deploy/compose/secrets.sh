#!/usr/bin/env bash
# Makes the secrets and the settings that compose.yaml mounts. There are no default passwords: without this, compose
# refuses to start.
set -euo pipefail

usage() {
  cat >&2 <<USAGE
usage: secrets.sh [--renew]

Writes deploy/compose/secrets: sundew.yaml, which knows the hashes of the secrets, edge.yaml, which holds the edge's
own, and the password of ClickHouse. What is there stays, unless --renew is given; then restart the containers.
USAGE
  exit 2
}

renew=0
case $#:${1:-} in
  0:) ;;
  1:--renew) renew=1 ;;
  *) usage ;;
esac

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
readonly here secrets=$here/secrets
if [[ -e $secrets/sundew.yaml ]] && ((!renew)); then
  echo "secrets.sh: $secrets is complete; --renew makes new ones"
  exit
fi

# The directory keeps others out. The files in it are readable, because containers run as users of their own and compose
# mounts files with the owner and the mode that they have here.
umask 022
mkdir -p "$secrets"
chmod 700 "$secrets"

random() { head -c 32 /dev/urandom | sha256sum | cut -d' ' -f1; }
hash() { printf '%s' "$1" | sha256sum | cut -d' ' -f1; }

feed_key=$(random)
ingest_token=$(random)
printf '%s\n' "$(random)" >"$secrets/clickhouse-password"

cat >"$secrets/edge.yaml" <<YAML
data_dir: /var/lib/sundew
log: {format: json}
edge:
  listen: 0.0.0.0:8081
  metrics: 0.0.0.0:9091
  feed:
    url: http://sundew:8080
    key: $feed_key
  proxy:
    upstream: http://upstream:8080
  logs:
    url: http://sundew:8080
    token: $ingest_token
    gateway: edge-1
YAML

# Last, because its presence means that all are there.
cat >"$secrets/sundew.yaml" <<YAML
data_dir: /var/lib/sundew
listen: 0.0.0.0:8080
log: {format: json}
# The ports are published on the host's loopback alone; from there, and from Prometheus, clients come by the bridge.
console: {allow: [172.16.0.0/12, 192.168.0.0/16]}
kafka:
  brokers: [kafka:9092]
  replication: 1
ingest:
  tokens:
    - name: edge-1
      hash: $(hash "$ingest_token")
      gateway: edge-1
feed:
  keys:
    - name: edge-1
      hash: $(hash "$feed_key")
YAML
echo "secrets.sh: wrote $secrets; next: docker compose -f deploy/compose.yaml up --build --wait"
