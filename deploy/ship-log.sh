#!/usr/bin/env bash
# Carries the lines of a growing log file to sundew. A line counts as carried when sundew acknowledged it, so an outage
# of either side loses none; a line may arrive twice if the acknowledgement was lost.
set -euo pipefail

usage() {
  cat >&2 <<USAGE
usage: ship-log.sh [--header-file F] [--every S] [--format NAME] URL LOG STATE

Posts the lines of LOG to URL, such as http://127.0.0.1:8080/ingest/v1/logs, as they are written, and keeps in the file
STATE how far it came. When log rotation renames LOG, as LOG.1 or the like in the same directory, and begins a new one,
the old file is read to its end first; compress it one rotation later (delaycompress).

  --header-file F  send the HTTP headers in F, one a line: the place for the gateway's token
  --every S        look for new lines every S seconds, default 1; 0 carries what is there and ends
  --format NAME    format of the lines, default auto
USAGE
  exit 2
}

say() { printf 'ship-log.sh: %s\n' "$1" >&2; }

# Of the open file, in bytes.
size() { stat -L -c %s /dev/fd/3; }

inode() { stat -L -c %i "$1" 2>/dev/null || echo 0; }

# Opens, as descriptor 3, the file that STATE speaks of, at its place: LOG, or what rotation made of it.
resume() {
  local known=0 place=0 file=$log
  [[ ! -r $state ]] || read -r known place <"$state" || true
  if [[ $known != "$(inode "$log")" ]]; then
    file=$(find -L "$(dirname -- "$log")" -maxdepth 1 -name "$(basename -- "$log")*" -inum "$known" -print -quit)
  fi
  exec 3<"${file:-$log}"
  offset=0
  if [[ -n $file && $place =~ ^[0-9]+$ ]] && ((place <= $(size))); then
    offset=$place
  fi
}

begin_anew() {
  exec 3<"$log"
  offset=0
  remember
}

remember() {
  printf '%s %s\n' "$(inode /dev/fd/3)" "$offset" >"$state.new"
  mv -T "$state.new" "$state"
}

# Fills the chunk with whole lines from offset on; the line being written stays for the next time. A line longer than a
# chunk is sent in pieces, which sundew keeps as dead letters.
next_chunk() {
  tail -c "+$((offset + 1))" /dev/fd/3 | head -c "$chunk_bytes" >"$chunk" || true
  [[ -s $chunk ]] || return 1
  local all last
  all=$(stat -c %s "$chunk")
  last=$(($(tail -c 1 "$chunk" | wc -l) ? 0 : $(tail -n 1 "$chunk" | wc -c)))
  if ((last < all)); then
    truncate -s $((all - last)) "$chunk"
  elif ((all < chunk_bytes)); then
    return 1
  fi
}

post() {
  local answer
  answer=$(curl --silent --show-error --max-time 60 "${headers[@]}" --header 'Content-Type: application/x-ndjson' \
    --data-binary "@$chunk" --output "$reply" --write-out '%{http_code}' "$url?format=$format") || return 1
  [[ $answer == 202 ]] && return
  say "$url answers $answer: $(head -c 300 "$reply")"
  return 1
}

# Carries all that is in the open file. An error leaves offset where the acknowledged lines end.
drain() {
  while next_chunk; do
    post || return 1
    offset=$((offset + $(stat -c %s "$chunk")))
    remember
  done
}

rotated() { [[ -e $log && $(inode "$log") != "$(inode /dev/fd/3)" ]]; }
shortened() { ((offset > $(size))); }

headers=() every=1 format=auto
while (($# > 0)); do
  case $1 in
    --header-file) [[ -r ${2:-} ]] || usage; headers=(--header "@$2"); shift 2 ;;
    --every) [[ ${2:-} =~ ^[0-9]{1,5}$ ]] || usage; every=$2; shift 2 ;;
    --format) [[ ${2:-} =~ ^[a-z0-9-]+$ ]] || usage; format=$2; shift 2 ;;
    -*) usage ;;
    *) break ;;
  esac
done
(($# == 3)) || usage
readonly headers every format url=$1 log=$2 state=$3 chunk_bytes=$((4 << 20))
[[ -r $log ]] || { say "$log cannot be read: start the gateway first, or correct the path"; exit 1; }

work=$(mktemp -d)
readonly work chunk=$work/chunk reply=$work/reply
trap 'rm -rf "$work"' EXIT
trap 'exit 0' INT TERM

resume
leaving=0
while true; do
  result=0
  drain || result=1
  # The gateway may write a last line to the old file while it opens the new one, so the old file gets another look.
  if ((result == 0)) && { rotated || shortened; }; then
    if ((leaving || every == 0)); then
      begin_anew
      leaving=0
      continue
    fi
    leaving=1
  fi
  ((every > 0)) || exit "$result"
  sleep "$every" &
  wait $!
done
