#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Proves docs/building.md: the workspace in this folder builds and runs, with nothing but what the
# document tells its author to write.
#
#   bazel.sh [--quick] [FLAGS OF BAZEL]
#
# --quick analyses everything, and compiles messages and stubs alone: not grpc_cxl once more, which
# takes minutes.
set -eu
cd "$(dirname "$0")"
quick=
if [ "${1-}" = --quick ]; then
  quick=1
  shift
fi
bazel=bazel
command -v bazel >/dev/null || bazel=bazelisk
output=$(mktemp)
trap 'rm -f "$output"; $bazel shutdown' EXIT

build() {
  "$bazel" build --color=no --curses=no --show_progress_rate_limit=60 "$@" 2>"$output" || {
    cat "$output"
    exit 1
  }
  echo "bazel build $* printed $(wc -l <"$output") lines"
  # Three thousand of them were a reader's first sight of this library once.
  [ "$(wc -l <"$output")" -lt 100 ] || {
    cat "$output"
    exit 1
  }
}

if [ -n "$quick" ]; then
  build "$@" --nobuild //...
  build "$@" //money:money_cc_proto //orders:orders_cc_grpc
else
  build "$@" //...
  bazel-bin/orders/shop
fi
