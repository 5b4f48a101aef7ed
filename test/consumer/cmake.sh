#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Proves docs/building.md: builds and installs the library and its tools with CMake, moves what was
# installed, and builds the program of this folder with it, by find_package and by pkg-config. Nothing
# is read from this repository then. Exit code 77: skipped, and a line says why.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)

for tool in cmake pkg-config; do
  command -v "$tool" >/dev/null || {
    echo "skipped: there is no $tool (Debian's package $tool)"
    exit 77
  }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$repository/test/consumer" "$work/shop"
sources=$work/shop
step() {
  echo "--- $* ($SECONDS s)"
}

step "gRPC of Debian's packages"
"$repository/third_party/debian_prefix.sh" "$work/grpc"

step "the library"
# As quick as can be: CI is short of time.
cmake -S "$repository" -B "$work/build" -DCMAKE_TOOLCHAIN_FILE="$work/grpc/toolchain.cmake" \
  -DCMAKE_PROJECT_grpc_cxl_INCLUDE="$repository/test/consumer/quick.cmake" \
  -DCMAKE_CXX_FLAGS="-O0 -Wall -Wextra -Werror" \
  -DCMAKE_INSTALL_PREFIX=/usr --log-level=WARNING
cmake --build "$work/build" -j "$(nproc)" -- --no-print-directory
DESTDIR=$work/root cmake --install "$work/build" >/dev/null
rm -r "$work/build"
mv "$work/root/usr" "$work/grpc_cxl"
find "$work/grpc_cxl/include/grpc_cxl" -mindepth 2 | grep . && exit 1  # nothing of the rooms

step "its tools"
"$work/grpc_cxl/bin/cxl_stat" --version >/dev/null
"$work/grpc_cxl/bin/cxl_region" format "$work/region" --bytes=16777216
"$work/grpc_cxl/bin/cxl_region" show "$work/region" | grep "16 hosts"

step "the program, with find_package"
cmake -S "$sources" -B "$work/build" -DCMAKE_TOOLCHAIN_FILE="$work/grpc/toolchain.cmake" \
  -DCMAKE_PREFIX_PATH="$work/grpc_cxl" --log-level=WARNING
cmake --build "$work/build" -j "$(nproc)" -- --no-print-directory
"$work/build/shop"

step "the program, with pkg-config"
lib=$(dirname "$(find "$work/grpc/usr/lib" -name 'libgrpc++.so')")
PKG_CONFIG_PATH=$lib/pkgconfig:$(dirname "$(find "$work/grpc_cxl" -name grpc_cxl.pc)")
export PKG_CONFIG_PATH
read -ra flags < <(pkg-config --cflags --libs grpc_cxl)  # asked once: with gRPC's it takes seconds
echo '#include "grpc_cxl/options.h"' >"$work/options.cc"
g++ -std=c++20 -fsyntax-only "$work/options.cc" "${flags[@]}"
mapfile -t objects < <(find "$work/build/" -name '*.o')
g++ "${objects[@]}" -o "$work/shop_by_hand" "${flags[@]}" \
  -Wl,--allow-shlib-undefined,-rpath-link,"$lib",--disable-new-dtags,-rpath,"$lib" \
  -Wl,--dynamic-linker,"$(echo "$lib"/ld-linux*)"
"$work/shop_by_hand" | tail -n 1
step "all of it"
