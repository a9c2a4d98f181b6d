#!/usr/bin/env bash
# Starts one ACE-Step API server and prunes the audio that it leaves behind: nothing on the server ever deletes a finished
# file, and at 1,800 takes an hour a night fills any disk.
#
#   entrypoint.sh [acestep-api [ARG...]]    refuse to start without a key, start the server, prune beside it
#   entrypoint.sh prune                     prune beside a server that something else started
#   entrypoint.sh prune-once                prune and stop
#
# What it reads, besides the server's own variables:
#   ACESTEP_PRUNE_AFTER_MIN   audio older than this is deleted; 0: never                                  [120]
#   ACESTEP_PRUNE_MAX_GB      beyond this much the oldest audio goes too, down to it; 0: no limit         [40]
#   ACESTEP_PRUNE_KEEP_MIN    audio younger than this is never touched: it may still be on its way        [15]
#   ACESTEP_PRUNE_EVERY_S     pause between two rounds                                                    [300]
set -euo pipefail

say() { printf 'ace-entrypoint: %s\n' "$*" >&2; }
refuse() { say "$*"; exit 64; }

whole_number() { # NAME DEFAULT: prints the variable's value, refuses what is not a whole number
  local value="${!1:-$2}"
  [[ "$value" =~ ^[0-9]{1,9}$ ]] || refuse "$1: '$value', expected a whole number; correct it or leave it out"
  printf '%s' "$((10#$value))"
}

prune_after_min="$(whole_number ACESTEP_PRUNE_AFTER_MIN 120)"
prune_max_gb="$(whole_number ACESTEP_PRUNE_MAX_GB 40)"
prune_keep_min="$(whole_number ACESTEP_PRUNE_KEEP_MIN 15)"
prune_every_s="$(whole_number ACESTEP_PRUNE_EVERY_S 300)"
((prune_every_s > 0)) || refuse "ACESTEP_PRUNE_EVERY_S: 0, expected 1 or more; correct it or leave it out"

# Where finished audio lies: the API server writes below its temporary folder, the Gradio flavour into its outputs.
tmp_dir="${ACESTEP_TMPDIR:-.cache/acestep/tmp}"
output_dir="${ACESTEP_OUTPUT_DIR:-./outputs}"
for folder in "$tmp_dir" "$output_dir"; do
  case "$(realpath -m -- "$folder")" in
    / | /home | /root | /tmp | "${HOME:-/}") refuse "$folder: holds more than the server's audio, expected a folder of its \
own; set ACESTEP_TMPDIR and ACESTEP_OUTPUT_DIR" ;;
    *) ;;
  esac
done

audio_folders() { # prints the folders that are there, ended by NUL, none inside another
  local folder other
  local -a found=()
  for folder in "$tmp_dir/api_audio" "$output_dir" gradio_outputs; do
    if [[ -d "$folder" && ! -L "$folder" ]]; then found+=("$(realpath -- "$folder")"); fi
  done
  ((${#found[@]} > 0)) || return 0
  printf '%s\0' "${found[@]}" | sort -z -u | while IFS= read -r -d '' folder; do
    for other in "${found[@]}"; do
      [[ "$folder" != "$other"/* ]] || continue 2
    done
    printf '%s\0' "$folder"
  done
}

audio_files() { # FIND-ARG...: finds finished audio, never through a link, never on another disk
  local folder
  while IFS= read -r -d '' folder; do
    find "$folder" -xdev -type f \
      \( -iname '*.flac' -o -iname '*.wav' -o -iname '*.mp3' -o -iname '*.opus' -o -iname '*.aac' \) "$@" || true
  done < <(audio_folders)
}

prune_once() {
  local young=$((prune_keep_min > prune_after_min ? prune_keep_min : prune_after_min))
  if ((prune_after_min > 0)); then
    audio_files -mmin "+$young" -delete
  fi
  if ((prune_max_gb > 0)); then
    local left size path
    left="$(audio_files -printf '%s\n' | awk '{ sum += $1 } END { printf "%.0f", sum }')"
    local limit=$((prune_max_gb * 1000000000))
    ((left > limit)) || return 0
    while IFS=$'\t' read -r -d '' _ size path; do
      ((left > limit)) || break
      rm -f -- "$path" && left=$((left - size))
    done < <(audio_files -mmin "+$prune_keep_min" -printf '%T@\t%s\t%p\0' | sort -z -n)
  fi
}

prune_forever() {
  local pause=''
  trap '[[ -z "$pause" ]] || kill "$pause" 2>/dev/null; exit 0' TERM INT
  while true; do
    prune_once || say "pruning failed; trying again in $prune_every_s s"
    sleep "$prune_every_s" &
    pause=$!
    wait "$pause" || true
  done
}

case "${1:-}" in
  prune) prune_forever; exit 0 ;;
  prune-once) prune_once; exit 0 ;;
  *) ;;
esac

key="${ACESTEP_API_KEY:-}"
[[ -n "$key" ]] || refuse "ACESTEP_API_KEY: not set, expected a key; make one with 'openssl rand -hex 32' (an open server \
generates for anybody)"
[[ "$key" =~ ^[[:graph:]]{16,}$ ]] || refuse "ACESTEP_API_KEY: (hidden), expected 16 or more characters without spaces; \
make one with 'openssl rand -hex 32'"
for argument in "$@"; do
  case "$argument" in
    --api-key | --api-key=*) refuse "--api-key: (hidden), expected the key in ACESTEP_API_KEY; every user of the machine \
can read an argument list" ;;
    --workers | --workers=*) refuse "--workers: given, expected none; the job queue lives in one process" ;;
    *) ;;
  esac
done
for name in ACESTEP_QUEUE_WORKERS ACESTEP_API_WORKERS; do
  [[ "${!name:-1}" == 1 ]] || refuse "$name: '${!name}', expected 1; the job queue lives in one process, so start one \
server per GPU instead"
done
export ACESTEP_QUEUE_WORKERS=1 WEB_CONCURRENCY=1 # uvicorn would take its number of processes from the latter
unset key

# The caches too: the image's `.cache` is a link into the data volume, which is empty at first.
for folder in "$tmp_dir/api_audio" "$output_dir" "${ACESTEP_CACHE_DIR:-}" "${TRITON_CACHE_DIR:-}" \
  "${TORCHINDUCTOR_CACHE_DIR:-}" "${HF_HOME:-}"; do
  [[ -z "$folder" ]] || mkdir -p -- "$folder" 2>/dev/null ||
    refuse "$folder: cannot be written, expected a folder of this user ($(id -u)); check the volume's owner"
done
((prune_keep_min <= prune_after_min || prune_after_min == 0)) ||
  say "audio is kept $prune_keep_min min (ACESTEP_PRUNE_KEEP_MIN), longer than ACESTEP_PRUNE_AFTER_MIN asks"

[[ $# -gt 0 ]] || set -- acestep-api
command -v -- "$1" >/dev/null || refuse "$1: not found, expected a command on PATH; is ACE-Step installed ('uv sync')?"

prune_forever &
pruner=$!
"$@" &
server=$!
trap 'kill -TERM "$server" 2>/dev/null' TERM INT
status=0
while true; do # a signal interrupts the wait, not the server: wait again until it has really ended
  wait "$server" && status=0 || status=$?
  kill -0 "$server" 2>/dev/null || break
done
kill "$pruner" 2>/dev/null || true
wait "$pruner" 2>/dev/null || true
exit "$status"
