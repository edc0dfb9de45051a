#!/usr/bin/env bash
# Two empty directories become two partners that hold the same data: prints the seconds from the first command to
# `identical`. The bar is what an administrator does by hand, so every step is the command line.
set -euo pipefail
. "$(dirname "$0")/drill.sh"

started=$(now)
"$bin" --data-dir "$dir/siegburg" --json init --name "Stadt Siegburg" --ars 053820060060 >/dev/null
"$bin" --data-dir "$dir/koeln" --json init --name "Stadt Köln" --ars 053150000000 >/dev/null
run siegburg
run koeln
"$bin" --data-dir "$dir/siegburg" create service title.de="Sperrmüll abholen lassen" valid_for.+=053820060060 >/dev/null
"$bin" --data-dir "$dir/siegburg" publish --all >/dev/null
token=$("$bin" --data-dir "$dir/siegburg" --json invite --for 053150000000 --trust | field token)
"$bin" --data-dir "$dir/koeln" --json join "$token" >/dev/null
identical koeln "Stadt Siegburg" 1
"$bin" --data-dir "$dir/koeln" compare "Stadt Siegburg"
echo "join-drill: $(since "$started") s from two empty directories to identical"
