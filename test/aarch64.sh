#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Compiles grpc_cxl for AArch64 with Debian's cross compiler, and runs the tests of the rooms that
# know no gRPC under qemu-user.
#
#   test/aarch64.sh [FLAGS AND TARGETS OF `bazel test`]
#
# Bazel is made to believe that it runs on such a machine: with the cross compiler for `gcc`, and a
# `dpkg` that makes debian_prefix.sh fetch arm64 packages. Its output base is its own, beside the
# clone's, so that no other build notices; it stays, and makes the next run quick.
#
# What it cannot show: a missing acquire or release. qemu-user has the memory order of its host.
set -euo pipefail
cd "$(dirname "$0")/.."

# Cases that qemu-user cannot run, and why.
not_run() {
  cat <<'END'
*DeathTest.*  a program that starts itself: the kernel runs no AArch64
ArenaTest.IsInNoDumpNorInChildrenItIsKeptFrom  qemu-user ignores what madvise() is told, as in the next four
ArenaTest.NoPageFaultIsLeftForTheFirstMessages  pages are not populated
ArenaTest.PagesTakeMemoryOnUseAndGiveItBack  nor given back
CallMemoryTest.*  likewise
*RingPagesTest.*  likewise
WatchdogLimitTest.*  limits the address space (RLIMIT_AS), which qemu-user ignores
END
}

for program in aarch64-linux-gnu-g++ qemu-aarch64; do
  command -v "$program" >/dev/null || {
    echo "aarch64.sh: there is no $program: install it (as root: apt-get install g++-aarch64-linux-gnu qemu-user) and try again." >&2
    exit 1
  }
done

base=$(./bazelw info output_base)-aarch64
tools=$base-tools
mkdir -p "$tools"
for tool in ar cpp dwp gcc gcov ld ld.gold nm objcopy objdump strip; do
  ln -sfn "$(command -v "aarch64-linux-gnu-$tool")" "$tools/$tool"
done
cat >"$tools/dpkg" <<END
#!/bin/sh
[ "\$*" != --print-architecture ] || exec echo arm64
exec $(command -v dpkg) "\$@"
END
chmod +x "$tools/dpkg"

# bazel COMMAND ARGUMENTS...
bazel() {
  local command=$1
  shift
  # Under nice, its server may be slow to start.
  ./bazelw --output_base="$base" --local_startup_timeout_secs=1200 "$command" --repo_env=PATH="$tools:$PATH" --repo_env=CC="$tools/gcc" "$@" </dev/null
}
trap 'bazel shutdown' EXIT

targets=()
for argument; do
  case $argument in //* | :*) targets=("$@") ;; esac
done
if [ ${#targets[@]} -eq 0 ]; then
  # Regions and simulated caches are in flush mode, which needs x86-64's instructions.
  bazel query 'kind(cc_test, //test/...) except attr(tags, "\bgrpc\b", //test/...)
    except attr(env, GRPC_CXL_CHECK_FLUSHES, //test/...) except //test/region/...' >"$tools/tests"
  mapfile -t targets <"$tools/tests"
  targets+=("$@" //grpc_cxl/...)
fi

echo "aarch64.sh: not run, for these reasons:"
not_run
# -c opt: without, GCC makes each access that may be weaker a seq_cst one. No sandbox, whose thousands
# of links take longer than compilations: the other builds have one.
bazel test -c opt --spawn_strategy=local --symlink_prefix=/ --run_under="$(command -v qemu-aarch64)" \
  --test_timeout=300,1200,3600,7200 --test_filter="-$(not_run | sed 's/ .*//' | paste -sd :)" "${targets[@]}"
