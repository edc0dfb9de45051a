#!/usr/bin/env bash
# Installs what is missing for: build | network | deny | fuzz. Says what it does; does nothing where all is there.
set -euo pipefail

say() { printf 'tools: %s\n' "$*" >&2; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

case "${1:-build}" in
build)
  command -v cargo >/dev/null || { say "cargo is missing: install Rust (rustup.rs), then run make again"; exit 1; }
  if ! command -v cc >/dev/null; then
    say "installing a C compiler (build-essential)"
    as_root apt-get update -qq && as_root apt-get install -y -qq build-essential >/dev/null
  fi
  ;;
network)
  # What the tests in network namespaces need.
  missing=()
  for pair in ip:iproute2 nft:nftables python3:python3; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    as_root apt-get update -qq && as_root apt-get install -y -qq "${missing[@]}" >/dev/null
  fi
  ;;
deny)
  command -v cargo-deny >/dev/null || { say "installing cargo-deny (a few minutes, once)"; cargo install --quiet --locked cargo-deny; }
  ;;
fuzz)
  command -v cargo-fuzz >/dev/null || { say "installing cargo-fuzz (once)"; cargo install --quiet --locked cargo-fuzz; }
  ;;
*) say "unknown set $1"; exit 2 ;;
esac
