#!/usr/bin/env bash
# Runs `cargo test` with these arguments and counts what ran. Tests that were ignored or skipped are named; with
# ORTSNETZ_NOTHING_SKIPPED=1 they make the run fail, so that nothing passes in silence.
set -euo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo test "$@" 2>&1 | tee "$log"
count() { sed -nE "s/^test result: .* ([0-9]+) $1;.*/\\1/p" "$log" | awk '{ sum += $1 } END { print sum + 0 }'; }
passed=$(count passed)
ignored=$(count ignored)
# A test that lacks something says so past the capture of its output (see `skipped` in the tests).
skipped=$(grep -cF 'SKIPPED ' "$log" || true)
echo "$passed tests passed, $ignored ignored, $skipped skipped"
grep -E '^test .* \.\.\. ignored' "$log" || true
grep -oE 'SKIPPED .*' "$log" || true
if [ "$passed" = 0 ]; then
  echo "test.sh: no test ran; is the filter right?" >&2
  exit 1
fi
if [ "${ORTSNETZ_NOTHING_SKIPPED:-}" = 1 ] && [ $((ignored + skipped)) -gt 0 ]; then
  echo "test.sh: $ignored ignored and $skipped skipped tests; install what they name, or make them run" >&2
  exit 1
fi
