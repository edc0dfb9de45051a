#!/usr/bin/env bash
# The disk is dead on Monday: a town with N entries and one partner loses everything but its recovery sheet. Prints the
# seconds from the sheet to `identical`, by the command line alone.
set -euo pipefail
bin="${ORTSNETZ_BIN:-${CARGO_TARGET_DIR:-target}/release/ortsnetz}"
[ -x "$bin" ] || { echo "recover-drill: $bin is missing; run make release" >&2; exit 1; }
entries="${N:-100000}"
dir=$(mktemp -d)
pids=()
finish() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$dir"; }
trap finish EXIT
field() { python3 -c 'import json,sys; v=json.load(sys.stdin)
for k in sys.argv[1].split("."): v=v[k]
print(v)' "$1"; }
now() { date +%s.%N; }
since() { python3 -c "print(f'{$(now) - $1:.1f}')"; }
pause() { read -rt 0.1 <> <(:) || true; }
run() {
  "$bin" --data-dir "$dir/$1" run --http 127.0.0.1:0 --listen /ip4/127.0.0.1/tcp/0 >>"$dir/$1.log" 2>&1 &
  pids+=($!)
  for _ in $(seq 1200); do [ -s "$dir/$1/http.addr" ] && return; pause; done
  echo "recover-drill: $1 does not answer:" >&2; tail -5 "$dir/$1.log" >&2; exit 1
}
# Waits until both hold all of Siegburg's entries.
identical() {
  for _ in $(seq 18000); do
    if "$bin" --data-dir "$dir/$1" --json compare "$2" >"$dir/compare.json" 2>/dev/null; then
      live=$(python3 -c 'import json,sys; print(sum(c["ours"] for c in json.load(open(sys.argv[1]))["collections"]))' "$dir/compare.json")
      [ "$live" -ge "$entries" ] && return
    fi
    pause
  done
  echo "recover-drill: $1 and $2 did not become identical" >&2; exit 1
}

passphrase=$("$bin" --data-dir "$dir/siegburg" --json init --name "Stadt Siegburg" --ars 053820060060 | field recovery.passphrase)
"$bin" --data-dir "$dir/koeln" --json init --name "Stadt Köln" --ars 053150000000 >/dev/null
run siegburg; siegburg=${pids[-1]}
run koeln
token=$("$bin" --data-dir "$dir/siegburg" --json invite --for 053150000000 --trust | field token)
"$bin" --data-dir "$dir/koeln" --json join "$token" >/dev/null
python3 - "$entries" >"$dir/entries.jsonl" <<'PY'
import json, random, sys
random.seed(1)
words = [f"wort{n}" for n in range(2000)]
for n in range(int(sys.argv[1])):
    text = lambda count: " ".join(random.choice(words) for _ in range(count))
    print(json.dumps({"kind": "service", "identifier": {"agency": "DRILL", "scheme": "drill", "value": str(n)},
                      "title": {"de": f"Leistung {n}"}, "texts": {"summary": {"de": text(20)},
                      "description": {"de": text(80) + "\n\n" + text(80)}, "required_documents": {"de": "- " + text(10)}},
                      "fees": [{"kind": "fixed", "amount": random.randrange(10000)}], "valid_for": ["053820060060"]}))
PY
started=$(now)
"$bin" --data-dir "$dir/siegburg" --json import "$dir/entries.jsonl" --publish >/dev/null
identical siegburg "Stadt Köln"
echo "recover-drill: $entries entries published and held by the partner after $(since "$started") s"
"$bin" --data-dir "$dir/siegburg" --json identity sheet --out "$dir/sheet.txt" >/dev/null

kill -9 "$siegburg"
wait "$siegburg" 2>/dev/null || true
rm -rf "$dir/siegburg"
started=$(now)
"$bin" --data-dir "$dir/wieder-da" recover "$dir/sheet.txt" --passphrase "$passphrase" 2>"$dir/recover.log"
echo "recover-drill: recovered after $(since "$started") s"
run wieder-da
identical wieder-da "Stadt Köln"
echo "recover-drill: $(since "$started") s from the sheet to identical, $entries entries"
