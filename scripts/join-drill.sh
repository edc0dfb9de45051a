#!/usr/bin/env bash
# Two empty directories become two partners that hold the same data: prints the seconds from the first command to
# `identical`. The bar is what an administrator does by hand, so every step is the command line.
set -euo pipefail
bin="${ORTSNETZ_BIN:-${CARGO_TARGET_DIR:-target}/release/ortsnetz}"
[ -x "$bin" ] || { echo "join-drill: $bin is missing; run make release" >&2; exit 1; }
dir=$(mktemp -d)
pids=()
finish() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$dir"; }
trap finish EXIT
field() { python3 -c 'import json,sys; v=json.load(sys.stdin)
for k in sys.argv[1].split("."): v=v[k]
print(v)' "$1"; }
now() { date +%s.%N; }

started=$(now)
for town in "siegburg|Stadt Siegburg|053820060060" "koeln|Stadt Köln|053150000000"; do
  IFS='|' read -r name title ars <<<"$town"
  "$bin" --data-dir "$dir/$name" --json init --name "$title" --ars "$ars" >/dev/null
  "$bin" --data-dir "$dir/$name" run --http 127.0.0.1:0 --listen /ip4/127.0.0.1/tcp/0 >"$dir/$name.log" 2>&1 &
  pids+=($!)
done
for name in siegburg koeln; do
  for _ in $(seq 600); do [ -s "$dir/$name/http.addr" ] && break; read -rt 0.05 <> <(:) || true; done
done
"$bin" --data-dir "$dir/siegburg" create service title.de="Sperrmüll abholen lassen" valid_for.+=053820060060 >/dev/null
"$bin" --data-dir "$dir/siegburg" publish --all >/dev/null
token=$("$bin" --data-dir "$dir/siegburg" --json invite --for 053150000000 --trust | field token)
"$bin" --data-dir "$dir/koeln" --json join "$token" >/dev/null
for _ in $(seq 600); do
  if "$bin" --data-dir "$dir/koeln" --json compare "Stadt Siegburg" >"$dir/compare.json" 2>/dev/null; then
    live=$(python3 -c 'import json,sys; print(sum(c["ours"] for c in json.load(open(sys.argv[1]))["collections"]))' "$dir/compare.json")
    [ "$live" -ge 1 ] && break
  fi
  read -rt 0.05 <> <(:) || true
done
"$bin" --data-dir "$dir/koeln" compare "Stadt Siegburg"
python3 -c "print(f'join-drill: {$(now) - $started:.1f} s from two empty directories to identical')"
