#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Proves docs/building.md: the workspace in this folder builds and runs, with nothing but what the
# document tells its author to write.
set -eu
cd "$(dirname "$0")"
# Short lines: three thousand of them were a reader's first sight of this library once.
output=$(mktemp)
trap 'rm -f "$output"' EXIT
bazel=bazel
command -v bazel >/dev/null || bazel=bazelisk
$bazel build --color=no --curses=no --show_progress_rate_limit=60 "$@" //... 2>"$output" || {
  cat "$output"
  exit 1
}
[ "$(wc -l <"$output")" -lt 100 ] || {
  cat "$output"
  echo "a build prints $(wc -l <"$output") lines" >&2
  exit 1
}
bazel-bin/orders/shop
$bazel shutdown
