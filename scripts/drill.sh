# Sourced by the drills: a binary, a directory that goes with the script, daemons that are stopped with it.
bin="${ORTSNETZ_BIN:-${CARGO_TARGET_DIR:-target}/release/ortsnetz}"
[ -x "$bin" ] || { echo "${0##*/}: $bin is missing; run make release" >&2; exit 1; }
dir=$(mktemp -d)
pids=()
# What has ended by itself cannot be stopped, and is none the worse for it.
finish() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$dir"; }
trap finish EXIT
# The value at a path of the JSON on standard input.
field() { python3 -c 'import json,sys; v=json.load(sys.stdin)
for k in sys.argv[1].split("."): v=v[k]
print(v)' "$1"; }
now() { date +%s.%N; }
# Between two looks; `sleep` would be a process each time.
pause() { read -rt 0.05 <> <(:) || true; }
# Starts the daemon of town $1 and waits until it answers.
run() {
  "$bin" --data-dir "$dir/$1" run --http 127.0.0.1:0 --listen /ip4/127.0.0.1/tcp/0 >>"$dir/$1.log" 2>&1 &
  pids+=($!)
  for _ in $(seq 2400); do [ -s "$dir/$1/http.addr" ] && return; pause; done
  echo "${0##*/}: $1 does not answer:" >&2; tail -5 "$dir/$1.log" >&2; exit 1
}
since() { python3 -c "print(f'{$(now) - $1:.1f}')"; }
# Waits until town $1 and its partner $2 hold the same, at least $3 entries.
identical() {
  for _ in $(seq 36000); do
    if "$bin" --data-dir "$dir/$1" --json compare "$2" >"$dir/compare.json" 2>/dev/null; then
      live=$(python3 -c 'import json,sys; print(sum(c["ours"] for c in json.load(open(sys.argv[1]))["collections"]))' "$dir/compare.json")
      [ "$live" -ge "$3" ] && return
    fi
    pause
  done
  echo "${0##*/}: $1 and $2 did not become identical" >&2; exit 1
}
