#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the Debian packages libgrpc-cxl-dev and grpc-cxl-tools.
#
#   packaging/debian/build.sh [--prefix=FOLDER] [OUTPUT FOLDER]
#
# They are built with the gRPC that third_party/debian_prefix.sh fetches, or has put into FOLDER, and
# can be installed where Debian has that one. The maintainer is DEBFULLNAME <DEBEMAIL>, as with
# Debian's own tools.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)

fail() {
  echo "build.sh: $*" >&2
  exit 1
}

# need PROGRAM PACKAGE
need() {
  command -v "$1" >/dev/null || fail "there is no $1: install it (as root: apt-get install $2) and try again."
}

prefix=
case ${1-} in
  --prefix=*) prefix=$(realpath "${1#*=}") && shift ;;
  -*)
    sed -n '3,9s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
output=$(realpath -m "${1-.}")
need cmake cmake
need g++ g++
need make make
need strip binutils
need dpkg-deb dpkg
for tool in dpkg-architecture dpkg-buildflags dpkg-shlibdeps dpkg-gencontrol; do need $tool dpkg-dev; done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "$prefix" ]; then
  prefix=$work/grpc
  "$repository/third_party/debian_prefix.sh" "$prefix"
fi
[ -s "$prefix/shlibs" ] || fail "$prefix was not made by this version of third_party/debian_prefix.sh: make it anew."
multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
lib=$prefix/usr/lib/$multiarch

# The programs' loader and libraries are the system's, not those of the prefix.
export DEB_BUILD_MAINT_OPTIONS=hardening=+all
cmake -S "$repository" -B "$work/build" --log-level=WARNING \
  -DCMAKE_TOOLCHAIN_FILE="$prefix/toolchain.cmake" \
  -DCMAKE_PROJECT_grpc_cxl_INCLUDE="$repository/test/consumer/quick.cmake" \
  -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_LIBDIR="lib/$multiarch" -DCMAKE_INSTALL_RPATH= \
  -DCMAKE_CXX_FLAGS="$(dpkg-buildflags --get CPPFLAGS) $(dpkg-buildflags --get CXXFLAGS) -g0 -ffile-prefix-map=$work=." \
  -DCMAKE_EXE_LINKER_FLAGS="-L$lib -Wl,-rpath-link,$lib -Wl,--allow-shlib-undefined $(dpkg-buildflags --get LDFLAGS)"
cmake --build "$work/build" -j "$(nproc)" -- --no-print-directory
[ -e "$work/build/cxl_stat" ] || fail "cxl_stat was not built: $prefix lacks libraries; make it anew."

upstream=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' "$work/build/CMakeCache.txt")
commit=$(git -C "$repository" log -1 --format=%ct 2>/dev/null || date +%s)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$commit}
version=$upstream~git$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d)-1
maintainer="${DEBFULLNAME:-The grpc_cxl Authors} <${DEBEMAIL:-grpc_cxl@packages.invalid}>"
grpc() {
  sed -n "s/^#define GRPC_CPP_VERSION_$1 //p" "$prefix/usr/include/grpcpp/version_info.h"
}

# What dpkg's tools read.
mkdir -p "$work/debian" "$output"
cd "$work"
sed "s/@MAINTAINER@/$maintainer/" "$repository/packaging/debian/control" >debian/control
cat >debian/changelog <<END
grpc-cxl ($version) unstable; urgency=medium

  * What has changed is in changelog.gz beside this file.

 -- $maintainer  $(date -R -u -d "@$SOURCE_DATE_EPOCH")
END

# pack PACKAGE COMPONENT
pack() {
  local root=$work/$1 doc=$work/$1/usr/share/doc/$1 page
  DESTDIR=$root cmake --install build --component "$2" >/dev/null
  # As dh_strip does.
  find "$root" -name '*.a' -exec strip -D --strip-debug -R .comment -R .note {} +
  find "$root" -path '*/bin/*' -exec strip -R .comment -R .note {} +
  install -d "$doc" "$root/DEBIAN"
  install -m 644 "$repository/packaging/debian/copyright" "$doc/"
  gzip -9nc debian/changelog >"$doc/changelog.Debian.gz"
  gzip -9nc "$repository/CHANGELOG.md" >"$doc/changelog.gz"
  for page in "$root"/usr/share/man/*/*; do gzip -9n "$page"; done
  : >debian/substvars
  if [ -d "$root/usr/bin" ]; then
    dpkg-shlibdeps -L"$prefix/shlibs" -l"$lib" -Tdebian/substvars "$root"/usr/bin/*
  fi
  dpkg-gencontrol -p"$1" -P"$root" -Tdebian/substvars -fdebian/files \
    -Vgrpc:Version="$(grpc MAJOR).$(grpc MINOR)" -Vgrpc:NextVersion="$(grpc MAJOR).$(($(grpc MINOR) + 1))"
  (cd "$root" && find usr -type f -exec md5sum {} + | LC_ALL=C sort -k 2) >"$root/DEBIAN/md5sums"
  chmod -R u+w,go=rX "$root"
  dpkg-deb --root-owner-group --build "$root" "$output"
  built+=("$output/$1_${version}_$(dpkg-architecture -qDEB_HOST_ARCH).deb")
}

built=()
pack libgrpc-cxl-dev development
pack grpc-cxl-tools tools
if command -v lintian >/dev/null; then
  # They are not meant for upload.
  lintian --fail-on=warning --suppress-tags=initial-upload-closes-no-bugs "${built[@]}"
else
  echo "build.sh: not checked, for want of lintian (apt-get install lintian)."
fi
