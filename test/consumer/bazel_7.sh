#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Proves what docs/building.md says of MODULE.bazel: with a Bazel 7, this folder's project and grpc_cxl
# are analysed as modules, and one test of grpc_cxl is built and run.
#
#   bazel_7.sh [--all] [FLAGS OF BAZEL]
#
# --all builds and runs the program as well, and with it the library, which takes minutes. Without
# network: Bazel's own modules must be given by --override_module, as Debian's package does in
# /etc/bazel/bazelrc; the four that this one leaves out are not needed, and replaced by empty ones.
# Exit code 77: skipped, and a line says why.
set -eu
cd "$(dirname "$0")"
all=
if [ "${1-}" = --all ]; then
  all=1
  shift
fi
bazel=${BAZEL:-bazel}
export USE_BAZEL_VERSION=${USE_BAZEL_VERSION:-7.7.1}
case $("$bazel" --version 2>/dev/null) in
  "bazel 7."*) ;;
  *)
    echo "skipped: $bazel is no Bazel 7 (Debian sid's package bazel-bootstrap, or set BAZEL)"
    exit 77
    ;;
esac

work=$(mktemp -d)
trap '"$bazel" shutdown; rm -rf "$work"' EXIT
flags=(--noenable_workspace --lockfile_mode=off --color=no --curses=no --show_progress_rate_limit=60)
for module in apple_support buildozer protobuf zlib; do
  mkdir "$work/$module"
  echo "module(name = \"$module\")" >"$work/$module/MODULE.bazel"
  flags+=("--override_module=$module=$work/$module")
done
"$bazel" build "${flags[@]}" "$@" --nobuild //...
"$bazel" test "${flags[@]}" "$@" --dynamic_mode=off @grpc_cxl//test/ring:ring_test
if [ -n "$all" ]; then
  "$bazel" run "${flags[@]}" "$@" //orders:shop
fi
