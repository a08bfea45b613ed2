#!/usr/bin/env bash
# Runs the example configurations with the real nginx and HAProxy: their syntax, and that a listed client waits, a
# blocked one is refused, everybody else passes, lists are followed and log lines arrive.
set -euo pipefail

usage() {
  cat >&2 <<USAGE
usage: check-recipes.sh [--port P]

Listens on 127.0.0.1, ports P to P+2 (default 18700), while it runs. Needs nginx, haproxy, curl and jq, which
deploy/dev/packages.sh installs.
USAGE
  exit 2
}

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
port=18700
if (($# > 0)); then
  [[ $# == 2 && $1 == --port && $2 =~ ^[1-9][0-9]{3,4}$ && $2 -le 65000 ]] || usage
  port=$2
fi
for program in nginx haproxy curl jq; do
  command -v "$program" >/dev/null || { echo "check-recipes.sh: $program is missing: run deploy/dev/packages.sh" >&2; exit 1; }
done

deploy=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
# As root, nginx would read and write its files as another user.
user="$(id -un) $(id -gn)"
readonly deploy work user port api=$port edge=$((port + 1)) proxy=$((port + 2))
pids=()
finish() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

checks=0
ok() {
  checks=$((checks + 1))
  printf 'ok   %s\n' "$1"
}
fail() {
  printf 'FAIL %s\n' "$1" >&2
  tail -n 20 "$work"/*/error.log "$work"/*.out >&2 2>/dev/null || true
  exit 1
}

await() {
  local what=$1 deadline=$((SECONDS + 20))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || fail "$what: not within 20 s"
    sleep 0.05
  done
}

# request PORT CLIENT [CURL OPTION...] prints the status and the time in milliseconds.
request() {
  local to=$1 client=$2
  shift 2
  curl --silent --output /dev/null --max-time 15 --interface "$client" "$@" \
    --write-out '%{http_code} %{time_total}\n' "http://127.0.0.1:$to/orders?id=7" | awk '{ printf "%s %d\n", $1, $2 * 1000 }'
}

# expect WHAT STATUS AT_LEAST_MS BELOW_MS PORT CLIENT
expect() {
  local status ms
  read -r status ms < <(request "$5" "$6")
  if [[ $status != "$2" ]] || ((ms < $3 || ms >= $4)); then
    fail "$1: answer $status after $ms ms, want $2 after $3 to $4 ms"
  fi
  ok "$1: $status after $ms ms"
}

# One nginx plays the feed, the ingest listener, which keeps what it is sent, and the API.
start_stand_in() {
  mkdir -p "$work/stand-in/feed" "$work/stand-in/received"
  cat >"$work/stand-in/nginx.conf" <<CONF
daemon off;
user $user;
pid nginx.pid;
error_log error.log;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path received;
    client_max_body_size 8m;
    server {
        listen 127.0.0.1:$api;
        root $work/stand-in;
        location / { return 200 "hello"; }
        location /feed/ { default_type text/plain; }
        location = /ingest/v1/logs { client_body_in_file_only on; proxy_pass http://127.0.0.1:$api/acknowledge; }
        location = /acknowledge { return 202 '{"accepted":1}'; }
    }
}
CONF
  nginx -p "$work/stand-in" -c nginx.conf >"$work/stand-in.out" 2>&1 &
  pids+=($!)
  await 'stand-in for sundew and the API' curl -sf "http://127.0.0.1:$api/"
}

# publish LIST LINE... puts a list on the feed, in one step and with an ETag of its own.
publish() {
  local list=$work/stand-in/feed/$1
  shift
  printf '%s\n' "$@" >"$list.new"
  touch -d "@$((1700000000 + RANDOM * 1000 + RANDOM))" "$list.new"
  mv "$list.new" "$list"
}

pull() { "$deploy/pull-list.sh" "http://127.0.0.1:$api/feed/$1" "$2" "${@:3}"; }

prepare_nginx() {
  local dir=$work/nginx
  mkdir -p "$dir/sundew" "$dir/log"
  cp "$deploy"/nginx/*.conf "$dir/sundew/"
  sed -i "s#/etc/nginx/sundew/#$dir/sundew/#; s#/var/log/nginx/#$dir/log/#; s#listen 8000;#listen 127.0.0.1:$edge;#; s#127.0.0.1:9080#127.0.0.1:$api#" "$dir"/sundew/*.conf
  cat >"$dir/nginx.conf" <<CONF
daemon off;
user $user;
pid nginx.pid;
error_log error.log;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    include sundew/site.conf;
}
CONF
}

check_nginx() {
  local dir=$work/nginx
  local reload=(sh -c "nginx -t -q -p $dir -c nginx.conf && nginx -p $dir -c nginx.conf -s reload")
  publish nginx-block '203.0.113.0/24 block;' '127.0.9.4 block;'
  publish nginx-tarpit '127.0.9.1 2000;' '2001:db8::/64 500;' '127.0.9.3 700;'
  pull nginx-block "$dir/sundew/block.list"
  pull nginx-tarpit "$dir/sundew/tarpit.list"
  nginx -t -q -p "$dir" -c nginx.conf 2>"$work/nginx-t.out" || fail "nginx -t: $(cat "$work/nginx-t.out")"
  ok 'nginx accepts the configuration'
  nginx -p "$dir" -c nginx.conf >"$work/nginx.out" 2>&1 &
  pids+=($!)
  await 'nginx starts' curl -sf "http://127.0.0.1:$edge/healthz"

  expect 'nginx: nobody else waits' 200 0 400 "$edge" 127.0.9.2
  expect 'nginx: the first request of a listed client passes' 200 0 400 "$edge" 127.0.9.1
  expect 'nginx: a listed client waits for the second' 200 1500 3600 "$edge" 127.0.9.1
  expect 'nginx: a short delay picks the quick pace' 200 0 400 "$edge" 127.0.9.3
  expect 'nginx: and waits within it' 200 300 1500 "$edge" 127.0.9.3
  expect 'nginx: a blocked client is refused' 403 0 400 "$edge" 127.0.9.4

  publish nginx-block '203.0.113.0/24 block;'
  pull nginx-block "$dir/sundew/block.list" "${reload[@]}"
  await 'nginx: a client that left the list passes' sh -c "curl -sf --interface 127.0.9.4 http://127.0.0.1:$edge/"
  ok 'nginx: a client that left the list passes'

  jq -e -s 'length > 4 and all(.[]; (.timestamp | type) == "number" and .["url.path"] != null)
    and any(.[]; .["edge.action"] == "block" and .["client.address"] == "127.0.9.4" and .["http.response.status_code"] == 403)
    and any(.[]; .["edge.action"] == "tarpit" and .["client.address"] == "127.0.9.1" and .["url.path"] == "/orders" and .["url.query"] == "id=7")' \
    "$dir/log/sundew.ndjson" >/dev/null || fail "nginx: log lines: $(cat "$dir/log/sundew.ndjson")"
  ok 'nginx: the log says what was done'

  request "$edge" 127.0.9.2 -A $'quo"te \\ tab\t\x7f' >/dev/null
  jq -e -s '.[-1]["user_agent.original"] | startswith("quo\"te \\ tab")' "$dir/log/sundew.ndjson" >/dev/null ||
    fail "nginx: a hostile user agent breaks the line: $(tail -n 1 "$dir/log/sundew.ndjson")"
  ok 'nginx: a hostile user agent leaves the line well-formed'
}

check_haproxy() {
  local dir=$work/haproxy
  mkdir -p "$dir"
  cp "$deploy"/haproxy/* "$dir/"
  sed -i "s#bind :8000#bind 127.0.0.1:$proxy#; s#127.0.0.1:9080#127.0.0.1:$api#" "$dir/haproxy.cfg"
  publish haproxy-block '203.0.113.0/24 block' '127.0.9.4 block'
  publish haproxy-tarpit '127.0.9.1 2000' '2001:db8::/64 500' '127.0.9.3 600'
  pull haproxy-block "$dir/sundew-block.map"
  pull haproxy-tarpit "$dir/sundew-tarpit.map"
  haproxy -c -q -f "$dir/haproxy.cfg" >"$work/haproxy-c.out" 2>&1 || fail "haproxy -c: $(cat "$work/haproxy-c.out")"
  ok 'haproxy accepts the configuration'
  haproxy -W -f "$dir/haproxy.cfg" >"$dir/log.ndjson" 2>"$work/haproxy.out" &
  local master=$!
  pids+=("$master")
  await 'haproxy starts' curl -sf "http://127.0.0.1:$proxy/healthz"

  expect 'haproxy: nobody else waits' 200 0 400 "$proxy" 127.0.9.2
  expect 'haproxy: a listed client waits its delay' 200 1750 3000 "$proxy" 127.0.9.1
  expect 'haproxy: another waits its own' 200 500 1500 "$proxy" 127.0.9.3
  expect 'haproxy: a blocked client is refused' 403 0 400 "$proxy" 127.0.9.4

  local n crowd=() full
  for n in 1 2 3 4 5 6; do
    request "$proxy" 127.0.9.1 >"$work/crowd-$n" &
    crowd+=($!)
  done
  wait "${crowd[@]}"
  full=$(cat "$work"/crowd-* | grep -c '^429')
  [[ $full == 3 ]] || fail "haproxy: of 6 requests at once $full are turned away, want 3: $(cat "$work"/crowd-*)"
  ok 'haproxy: a client cannot take more than its places'

  publish haproxy-block '203.0.113.0/24 block'
  pull haproxy-block "$dir/sundew-block.map" sh -c "haproxy -c -q -f $dir/haproxy.cfg && kill -USR2 $master"
  await 'haproxy: a client that left the list passes' sh -c "curl -sf --interface 127.0.9.4 http://127.0.0.1:$proxy/"
  ok 'haproxy: a client that left the list passes'

  request "$proxy" 127.0.9.2 -A $'quo"te \\ tab\t\x7f' >/dev/null
  jq -e -s 'length > 4 and all(.[]; (.timestamp | type) == "number" and .timestamp > 1600000000000)
    and any(.[]; .["edge.action"] == "block" and .["client.address"] == "127.0.9.4" and .["http.response.status_code"] == 403)
    and any(.[]; .["edge.action"] == "tarpit" and .["client.address"] == "127.0.9.1" and .["url.path"] == "/orders" and .["url.query"] == "id=7"
      and .["http.server.request.duration"] > 1.5 and .["http.server.request.duration"] < 3)
    and all(.[]; .["device.id"] == "" and (.["edge.action"] | IN("", "tarpit", "block")))
    and any(.[]; .["user_agent.original"] | startswith("quo\"te \\ tab"))' <(grep '^{' "$dir/log.ndjson") >/dev/null ||
    fail "haproxy: log lines: $(cat "$dir/log.ndjson")"
  ok 'haproxy: the log says what was done, and a hostile user agent leaves it well-formed'
}

check_pull_list() {
  local list=$work/pulled.list
  publish pulled '192.0.2.1 2000;'
  pull pulled "$list" touch "$work/told"
  [[ $(cat "$list") == '192.0.2.1 2000;' && -e $work/told ]] || fail 'pull-list.sh: first list'
  rm "$work/told"
  pull pulled "$list" touch "$work/told"
  [[ ! -e $work/told ]] || fail 'pull-list.sh: an unchanged list reloads the proxy'
  ok 'pull-list.sh: an unchanged list reloads nothing'

  publish pulled '192.0.2.2 1000; } server { listen 81;'
  ! pull pulled "$list" touch "$work/told" 2>/dev/null || fail 'pull-list.sh: directives in a list pass'
  [[ $(cat "$list") == '192.0.2.1 2000;' && ! -e $work/told ]] || fail 'pull-list.sh: a bad list replaced a good one'
  ok 'pull-list.sh: a list with anything else in it is refused'

  publish pulled '192.0.2.3 1000;'
  ! pull pulled "$list" false 2>/dev/null || fail 'pull-list.sh: a refused list counts as good'
  [[ $(cat "$list") == '192.0.2.1 2000;' ]] || fail 'pull-list.sh: a list that the proxy refused stays'
  pull pulled "$list" true
  [[ $(cat "$list") == '192.0.2.3 1000;' ]] || fail 'pull-list.sh: the list is not tried again'
  ok 'pull-list.sh: a list that the proxy refuses is taken back, and tried again'

  rm "$work/stand-in/feed/pulled"
  ! pull pulled "$list" 2>/dev/null || fail 'pull-list.sh: 404 counts as good'
  [[ -s $list ]] || fail 'pull-list.sh: the last good list is gone'
  touch -d '1 hour ago' "$list.seen"
  ! pull pulled "$list" touch "$work/told" 2>/dev/null || fail 'pull-list.sh: silence counts as good'
  [[ ! -s $list && -e $work/told ]] || fail 'pull-list.sh: a silent feed keeps people listed'
  ok 'pull-list.sh: the last good list stays, and is emptied when the feed stays away'
}

check_ship_log() {
  local log=$work/shipped.log url=http://127.0.0.1:$api/ingest/v1/logs
  ship() { "$deploy/ship-log.sh" --every 0 "${1:-$url}" "$log" "$work/shipped.state"; }
  received() { cat "$work"/stand-in/received/* 2>/dev/null; }
  rm -f "$work"/stand-in/received/*
  printf 'one\ntwo\nthr' >"$log"
  ship
  [[ $(received) == $'one\ntwo' ]] || fail "ship-log.sh: received $(received)"
  ok 'ship-log.sh: a line goes out when it is whole'

  printf 'ee\n' >>"$log"
  ! ship "http://127.0.0.1:$api/feed/none" 2>/dev/null || fail 'ship-log.sh: a refusal counts as success'
  mv "$log" "$log.1"
  printf 'four\n' >"$log"
  ship
  ship
  [[ $(received) == $'one\ntwo\nthree\nfour' ]] || fail "ship-log.sh: received $(received)"
  ok 'ship-log.sh: an outage and a rotation lose nothing and repeat nothing'

  rm -f "$work"/stand-in/received/*
  "$deploy/ship-log.sh" --every 0 --format json "$url" "$work/nginx/log/sundew.ndjson" "$work/nginx.state"
  [[ $(received | wc -l) == "$(wc -l <"$work/nginx/log/sundew.ndjson")" ]] || fail 'ship-log.sh: lines of nginx are missing'
  ok "ship-log.sh: carries what nginx wrote"
}

start_stand_in
prepare_nginx
check_nginx
check_haproxy
check_pull_list
check_ship_log
printf '%d checks passed\n' "$checks"
