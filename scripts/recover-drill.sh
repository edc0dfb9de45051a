#!/usr/bin/env bash
# The disk is dead on Monday: a town with N entries and one partner loses everything but its recovery sheet. Prints the
# seconds from the sheet to `identical`, by the command line alone.
set -euo pipefail
. "$(dirname "$0")/drill.sh"
entries="${N:-100000}"

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
identical siegburg "Stadt Köln" "$entries"
echo "recover-drill: $entries entries published and held by the partner after $(since "$started") s"
"$bin" --data-dir "$dir/siegburg" --json identity sheet --out "$dir/sheet.txt" >/dev/null

kill -9 "$siegburg"
wait "$siegburg" 2>/dev/null || true
rm -rf "$dir/siegburg"
started=$(now)
"$bin" --data-dir "$dir/wieder-da" recover "$dir/sheet.txt" --passphrase "$passphrase" 2>"$dir/recover.log"
echo "recover-drill: recovered after $(since "$started") s"
run wieder-da
identical wieder-da "Stadt Köln" "$entries"
echo "recover-drill: $(since "$started") s from the sheet to identical, $entries entries"
