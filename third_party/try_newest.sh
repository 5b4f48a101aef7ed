#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whether grpc_cxl works with the newest of Debian's packages; for a job that runs each week.
#
#   third_party/try_newest.sh [--write] [TARGETS AND FLAGS OF `bazel test`]
#
# Prints what has changed since debian_packages.lock was written, and tests with that: everything, if
# nothing else is said. --write makes it the new lock if the tests pass. Exit code 0: nothing has
# changed, or it works; 1: it does not.
set -euo pipefail
cd "$(dirname "$0")/.."
lock=third_party/debian_packages.lock
write=
if [ "${1-}" = --write ]; then
  write=1
  shift
fi
[ $# -gt 0 ] || set -- //...

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A cache of its own: what was fetched a week ago is not the newest.
export GRPC_CXL_CACHE=$work GRPC_CXL_PACKAGES=newest
third_party/debian_prefix.sh "$work/prefix"
third_party/debian_prefix.sh --only="opentelemetry-cpp-dev opentelemetry-cpp" "$work/prefix"
unset GRPC_CXL_CACHE GRPC_CXL_PACKAGES
{
  grep '^#' "$lock"
  cat "$work"/debs-*/SHA256SUMS | LC_ALL=C sort -k 2
} >"$work/lock"
diff <(grep -o '\./.*' "$lock") <(grep -o '\./.*' "$work/lock") && {
  echo "try_newest: nothing has changed."
  exit
}
./bazelw test --repo_env=GRPC_CXL_PREFIX="$work/prefix" "$@" </dev/null || {
  echo "try_newest: does not work with the packages marked > above."
  exit 1
}
echo "try_newest: works with the packages marked > above."
[ -z "$write" ] || cp "$work/lock" "$lock"
