#!/usr/bin/env bash
# Fuzzes every decoder of foreign bytes: fuzz/run.sh [SECONDS=60] [TARGET...]
#
# cargo-fuzz wants compiler flags that stable Rust keeps locked; RUSTC_BOOTSTRAP=1 opens them for this build only. New
# inputs go to fuzz/target/corpus; what deserves to stay is copied by hand to fuzz/corpus, which ordinary tests run too.
# `cargo run --manifest-path fuzz/Cargo.toml --example seeds` writes the seeds anew.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
shift || true
export RUSTC_BOOTSTRAP=1
sanitizer=${FUZZ_SANITIZER:-address}
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cargo fuzz list)

cargo fuzz build --sanitizer "$sanitizer"
failed=()
for target in "${targets[@]}"; do
  work=fuzz/target/corpus/$target
  mkdir -p "$work"
  printf 'fuzz: %s for %s s\n' "$target" "$seconds"
  log=fuzz/target/$target.log
  if cargo fuzz run --sanitizer "$sanitizer" "$target" "$work" "fuzz/corpus/$target" -- \
    -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20 -max_len=65536 -verbosity=0 -print_final_stats=1 \
    >"$log" 2>&1; then
    grep -E '^stat::(number_of_executed_units|peak_rss_mb)' "$log" || true
  else
    tail -n 40 "$log" >&2
    failed+=("$target")
  fi
done
if [ ${#failed[@]} -gt 0 ]; then
  printf 'fuzz: a finding in %s, see fuzz/artifacts\n' "${failed[*]}" >&2
  exit 1
fi
printf 'fuzz: %s targets, no finding\n' "${#targets[@]}"
