#!/usr/bin/env bash
# Keeps a file that a proxy reads equal to a list of sundew's feed.
set -euo pipefail

usage() {
  cat >&2 <<USAGE
usage: pull-list.sh [--header-file F] [--every S] [--keep S] [--max-bytes N] URL FILE [COMMAND ARGUMENT...]

Fetches URL, a snapshot such as http://127.0.0.1:8080/feed/v1/snapshot.nginx for those to delay, or the same with
?actions=block for those to refuse, and puts it in FILE in one step if it changed and holds nothing but list lines. Then runs COMMAND, which tells the proxy; if COMMAND ends with an error, the
list before is put back. FILE is created, empty, before the first try, because proxies refuse to start without it.

  --header-file F  send the HTTP headers in F, one a line: the place for the edge's key
  --every S        repeat every S seconds until stopped; without it once, with exit code 1 if that did not work
  --keep S         empty FILE when the feed has been silent for S seconds, default 900: the entries' own ends have
                   passed unseen by then, and nobody may stay listed because a server is away
  --max-bytes N    refuse a longer list, default 67108864
USAGE
  exit 2
}

say() { printf 'pull-list.sh: %s\n' "$1" >&2; }

number() { [[ $1 =~ ^[0-9]{1,9}$ ]]; }

# Only addresses or networks, each with a delay or an action, reach a proxy's configuration. Any other line makes the
# whole list suspect: it could be another page, or an attempt to write directives.
well_formed() {
  ! grep -qvE '^([0-9A-Fa-f.:]{2,45}(/[0-9]{1,3})? ([0-9]{1,9}|challenge|block);?)?$' "$1"
}

# Gives FILE the content of the file named, and takes it back if the proxy does not accept it.
replace() {
  local new=$1
  ln -f "$file" "$file.before" && mv -T "$new" "$file" || return 1
  if ((${#command[@]})) && ! "${command[@]}"; then
    mv -T "$file.before" "$file"
    say "${command[*]} refused the list: the one before stays"
    return 1
  fi
  rm -f "$file.before"
}

# Success is a good list or the answer that ours is current.
pull() {
  local new=$file.new etag=$file.etag answer
  rm -f "$new" "$etag.new"
  answer=$(curl --silent --show-error --location --max-time 30 --max-filesize "$max_bytes" --compressed \
    "${headers[@]}" --etag-compare "$etag" --etag-save "$etag.new" \
    --output "$new" --write-out '%{http_code}' "$url") || return 1
  case $answer in
    304) touch "$file.seen"; return ;;
    200) ;;
    *) say "$url answers $answer: the list before stays"; return 1 ;;
  esac
  [[ -e $new ]] || : >"$new"
  if (($(stat -c %s "$new") > max_bytes)); then
    say "$url is longer than $max_bytes bytes: the list before stays"
    return 1
  fi
  if ! well_formed "$new"; then
    say "$url holds a line that is no list line: the list before stays"
    return 1
  fi
  touch "$file.seen"
  if ! cmp -s "$new" "$file"; then
    chmod --reference="$file" "$new"
    replace "$new" || return 1
  fi
  [[ ! -e $etag.new ]] || mv -T "$etag.new" "$etag"
}

# How long ago the feed answered, in seconds.
silence() { echo $(($(date +%s) - $(stat -c %Y "$file.seen"))); }

drop_stale() {
  [[ -s $file ]] || return 0
  (($(silence) >= keep)) || return 0
  say "$url has been silent for $(silence) s: the list is emptied"
  rm -f "$file.etag"
  : >"$file.new"
  chmod --reference="$file" "$file.new"
  replace "$file.new"
}

once() {
  pull && return
  drop_stale || true
  return 1
}

headers=() every=0 keep=900 max_bytes=$((64 << 20))
while (($# > 0)); do
  case $1 in
    --header-file) [[ -r ${2:-} ]] || usage; headers=(--header "@$2"); shift 2 ;;
    --every) number "${2:-}" || usage; every=$2; shift 2 ;;
    --keep) number "${2:-}" || usage; keep=$2; shift 2 ;;
    --max-bytes) number "${2:-}" || usage; max_bytes=$2; shift 2 ;;
    -*) usage ;;
    *) break ;;
  esac
done
(($# >= 2)) || usage
url=$1 file=$2
shift 2
command=("$@")
readonly headers every keep max_bytes url file command

# Without the file, what the feed calls current is not here.
if [[ ! -e $file ]]; then
  rm -f "$file.etag"
  : >"$file"
fi
[[ -e $file.seen ]] || touch "$file.seen"

if ((every == 0)); then
  once
  exit
fi
while true; do
  once || true
  sleep "$every" &
  wait $!
done
