#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Proves docs/building.md, "Debian packages": makes them, installs them into a fresh Debian sid, and
# there builds and runs the program of this folder, by find_package and by pkg-config, and reads the
# man pages.
#
#   debian.sh [FOLDER WITH PACKAGES]
#
# Makes no packages if there are some. Needs root, mmdebstrap, and 4 GB in ${TMPDIR:-/var/tmp}. Exit
# code 77: skipped, and a line says why.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
skip() {
  echo "skipped: $*"
  exit 77
}
command -v mmdebstrap >/dev/null || skip "there is no mmdebstrap (Debian's package mmdebstrap)"
[ "$(id -u)" = 0 ] || skip "it needs root, for a root file system of its own"

work=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
trap 'rm -rf --one-file-system "$work"' EXIT
step() {
  echo "--- $* ($SECONDS s)"
}

packages=${1-}
if [ -z "$packages" ]; then
  step "the packages"
  packages=$work/packages
  "$repository/packaging/debian/build.sh" "$packages"
fi

step "Debian sid"
uri=$(apt-get indextargets --format '$(CREATED_BY)|$(COMPONENT)|$(REPO_URI)' | sed -n 's#^Packages|main|##p' | head -n 1)
mkdir "$work/in"
cp -r "$packages"/*.deb "$repository/test/consumer" "$work/in/"
# gRPC is in experimental, all else in sid.
printf 'Package: src:grpc:any src:protobuf:any src:utf8-range:any\nPin: release a=experimental\nPin-Priority: 900\n' >"$work/pin"
cat >"$work/in/run" <<'END'
set -e
cd /in/consumer
cmake -B /in/build
cmake --build /in/build -j "$(nproc)"
/in/build/shop
g++ $(find /in/build -name '*.o') -o /in/shop $(pkg-config --libs grpc_cxl)
/in/shop | tail -n 1
cxl_stat --version
cxl_stat doctor || true
cxl_region format /in/region --bytes=16777216
for page in cxl_stat cxl_region grpc_cxl; do man --warnings $page 2>&1 >/dev/null | (! grep .); done
END
apt-config dump | grep -E '^Acquire::(http|https|Check)' >"$work/apt" || :  # as this host fetches
mmdebstrap --variant=minbase --mode=root --aptopt="$work/apt" --format=null \
  --include=ca-certificates,cmake,g++,make,man-db,pkgconf,protobuf-compiler-grpc \
  --setup-hook='mkdir -p "$1/etc/apt/preferences.d" && cp '"$work"'/pin "$1/etc/apt/preferences.d/"' \
  --customize-hook='cp -r '"$work"'/in "$1/in"' \
  --customize-hook='chroot "$1" sh -c "apt-get install -y --no-install-recommends /in/*.deb"' \
  --customize-hook='chroot "$1" sh /in/run' \
  sid "" "deb $uri sid main" "deb $uri experimental main"
step "all of it"
