#!/usr/bin/env bash
# An Apache Kafka cluster for development and tests: the real broker, its jars from Maven Central, loopback only.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
readonly here cache=$here/.cache/kafka
readonly wait_seconds=90

usage() {
  cat >&2 <<USAGE
usage: kafka.sh start [--nodes N] [--port P] [--fresh]
       kafka.sh stop|status|brokers [--port P]

  start    run N brokers (1 to 5, default 1) on 127.0.0.1, ports P to P+N-1 (default 19092), and wait until they answer
  stop     stop them; what they stored stays for the next start
  status   say which brokers run; exit code 1 unless all do
  brokers  print the addresses for KAFKA_BROKERS, separated by commas

  --fresh  forget what an earlier start stored

Controllers listen on P+1000 to P+1000+N-1. Needs Java 17 and Maven, which deploy/dev/packages.sh installs.
USAGE
  exit 2
}

die() {
  printf 'kafka.sh: %s\n' "$1" >&2
  exit 1
}

between() { [[ $1 =~ ^[0-9]{1,5}$ ]] && ((10#$1 >= $2 && 10#$1 <= $3)); }

kafka_version() { sed -n 's#.*<kafka.version>\(.*\)</kafka.version>.*#\1#p' "$here/kafka/pom.xml"; }

# The jars are complete once their directory has its name: Maven fills another one.
fetch_jars() {
  [[ -d $jars ]] && return
  command -v mvn >/dev/null || die "mvn is missing: run deploy/dev/packages.sh"
  printf 'fetching Apache Kafka %s from Maven Central\n' "$(kafka_version)"
  mkdir -p "$cache"
  rm -rf "$jars.partial"
  mvn -q -B -Dstyle.color=never -f "$here/kafka/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$jars.partial"
  mv -T "$jars.partial" "$jars"
}

write_properties() {
  local n=$1 voters='' replicas=$((nodes < 3 ? nodes : 3)) i
  for ((i = 1; i <= nodes; i++)); do
    voters+=${voters:+,}$i@127.0.0.1:$((port + 999 + i))
  done
  cat >"$cluster/node-$n/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=$n
controller.quorum.voters=$voters
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$((port + n - 1)),CONTROLLER://127.0.0.1:$((port + 999 + n))
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$cluster/node-$n/data

auto.create.topics.enable=false
default.replication.factor=$replicas
min.insync.replicas=$((replicas > 1 ? 2 : 1))
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$((replicas > 1 ? 2 : 1))
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$((replicas > 1 ? 2 : 1))
group.initial.rebalance.delay.ms=0
# Tests of zombies and of lost workers need sessions that end within seconds.
group.min.session.timeout.ms=1000
# The compaction buffer would be 128 MiB, a quarter of the heap.
log.cleaner.dedupe.buffer.size=16777216
PROPERTIES
}

# The pid of a node that runs. A pid file alone proves nothing: the number may belong to another program since.
node_pid() {
  local file=$cluster/node-$1/pid pid
  [[ -r $file ]] || return 1
  pid=$(<"$file")
  [[ $pid =~ ^[0-9]+$ && -r /proc/$pid/cmdline ]] || return 1
  tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF "$cluster/node-$1/server.properties" || return 1
  printf '%s\n' "$pid"
}

start_node() {
  local n=$1 dir=$cluster/node-$1
  node_pid "$n" >/dev/null && return
  mkdir -p "$dir/data"
  write_properties "$n"
  java -Xmx128m -cp "$jars/*" -Dlog4j2.configurationFile="$here/kafka/log4j2.properties" \
    kafka.tools.StorageTool format --ignore-formatted --cluster-id "$(<"$cluster/id")" \
    --config "$dir/server.properties" >"$dir/format.log" 2>&1 || die "format node $n: $(tail -n 3 "$dir/format.log")"
  setsid java -Xms128m -Xmx512m -XX:+UseSerialGC -cp "$jars/*" \
    -Dlog4j2.configurationFile="$here/kafka/log4j2.properties" \
    kafka.Kafka "$dir/server.properties" </dev/null >>"$dir/log" 2>&1 &
  local pid=$!
  printf '%s\n' "$pid" >"$dir/pid"
  # A busy machine takes a while to make the child the program that node_pid looks for.
  until node_pid "$n" >/dev/null || ! kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}

# How many brokers the one on a port believes to be alive: the first number in the answer to a Metadata request,
# version 0, that names no topic (https://kafka.apache.org/protocol#The_Messages_Metadata).
alive_brokers() {
  local answer
  answer=$(
    exec 2>/dev/null
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 0
    printf '\0\0\0\016\0\003\0\0\0\0\0\001\377\377\0\0\0\0' >&3
    timeout 5 head -c 12 <&3 | od -An -tu1 -v
  ) || true
  # shellcheck disable=SC2086 # twelve numbers, split on purpose
  set -- $answer
  printf '%d\n' "$((${9:-0} << 24 | ${10:-0} << 16 | ${11:-0} << 8 | ${12:-0}))"
}

await() {
  local n=$1 deadline=$((SECONDS + wait_seconds)) dir=$cluster/node-$1
  until [[ $(alive_brokers $((port + n - 1))) == "$nodes" ]]; do
    node_pid "$n" >/dev/null || die "node $n ended; the end of $dir/log:
$(tail -n 20 "$dir/log")"
    ((SECONDS < deadline)) || die "node $n does not answer after $wait_seconds s; see $dir/log"
    sleep 0.1
  done
}

start() {
  command -v java >/dev/null || die "java is missing: run deploy/dev/packages.sh"
  if ((fresh)); then
    stop
    rm -rf "$cluster"
  fi
  if [[ -e $cluster/nodes && $(<"$cluster/nodes") != "$nodes" ]]; then
    die "$cluster holds a cluster of $(<"$cluster/nodes") nodes: start it with --nodes $(<"$cluster/nodes"), or forget it with --fresh"
  fi
  fetch_jars
  mkdir -p "$cluster"
  # An id that opens with a dash would be taken for an option.
  [[ -e $cluster/id ]] || head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=' | sed 's/^-/A/' >"$cluster/id"
  printf '%s\n' "$nodes" >"$cluster/nodes"
  local n
  for ((n = 1; n <= nodes; n++)); do start_node "$n"; done
  for ((n = 1; n <= nodes; n++)); do await "$n"; done
  printf 'Apache Kafka %s answers on %s\n' "$(kafka_version)" "$(brokers)"
}

stop() {
  local n pid pids=()
  for ((n = 1; n <= $(node_count); n++)); do
    pid=$(node_pid "$n") || continue
    kill "$pid"
    pids+=("$n")
  done
  # A controller that lost its majority waits for it in vain, so the last of several may have to be killed.
  local deadline=$((SECONDS + 15))
  for n in "${pids[@]}"; do
    while pid=$(node_pid "$n"); do
      if ((SECONDS >= deadline)); then kill -KILL "$pid"; fi
      sleep 0.1
    done
    rm -f "$cluster/node-$n/pid"
  done
}

status() {
  local n running=0 count
  count=$(node_count)
  for ((n = 1; n <= count; n++)); do
    if pid=$(node_pid "$n"); then
      printf 'node %d: 127.0.0.1:%d, pid %d, sees %d of %d brokers\n' \
        "$n" $((port + n - 1)) "$pid" "$(alive_brokers $((port + n - 1)))" "$count"
      running=$((running + 1))
    else
      printf 'node %d: stopped\n' "$n"
    fi
  done
  ((count > 0)) || printf 'no cluster on port %d: kafka.sh start\n' "$port"
  ((count > 0 && running == count))
}

node_count() {
  if [[ -r $cluster/nodes ]]; then cat "$cluster/nodes"; else echo 0; fi
}

brokers() {
  local n list='' count
  count=$(node_count)
  ((count > 0)) || die "no cluster on port $port: kafka.sh start"
  for ((n = 1; n <= count; n++)); do
    list+=${list:+,}127.0.0.1:$((port + n - 1))
  done
  printf '%s\n' "$list"
}

(($# > 0)) || usage
command=$1
shift
nodes=1 port=19092 fresh=0
while (($# > 0)); do
  case $1 in
    --nodes) between "${2:-}" 1 5 || usage; nodes=$((10#$2)); shift 2 ;;
    --port) between "${2:-}" 1024 60000 || usage; port=$((10#$2)); shift 2 ;;
    --fresh) fresh=1; shift ;;
    *) usage ;;
  esac
done
readonly command nodes port fresh
readonly cluster=$cache/$port
jars=$cache/jars-$(kafka_version)
readonly jars

case $command in
  start) start ;;
  stop) stop ;;
  status) status ;;
  brokers) brokers ;;
  *) usage ;;
esac
