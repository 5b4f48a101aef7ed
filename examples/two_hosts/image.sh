#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a guest boots: Debian's kernel for clouds, and a file system of busybox, init.sh and a bundle
# of programs (packaging/bundle).
#
#   image.sh --fetch                       fetches kernel and busybox into the cache
#   image.sh [--cached] FOLDER BUNDLE      makes FOLDER/kernel and FOLDER/initramfs; --cached: of
#                                          what has been fetched, without a look at the network
#
# Exit code 77, with the reason on stdout, where it cannot be done. The cache is GRPC_CXL_CACHE,
# else ~/.cache/grpc_cxl.
set -euo pipefail

skip() {
  echo "$*"
  exit 77
}
[ "$(uname -m)" = x86_64 ] || skip "the guests are x86-64, and so must this machine be"
readonly here=$(dirname "$0")
readonly home=${HOME:-$(getent passwd "$(id -u)" | cut -d : -f 6)}
readonly cache=${GRPC_CXL_CACHE:-${XDG_CACHE_HOME:-$home/.cache}/grpc_cxl}/two_hosts
readonly work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Unpacks a Debian package into $cache/NAME, which is complete or does not exist.
unpack() {
  local name=$1
  [ -e "$cache/$name" ] && return
  echo "fetching Debian's $name ..." >&2
  mkdir -p "$cache" "$work/download"
  (cd "$work/download" && apt-get -qq download "$name" 2>"$work/apt.log") ||
    skip "Debian's package $name cannot be downloaded: $(tail -1 "$work/apt.log")"
  dpkg-deb -x "$work/download/$name"_*.deb "$work/$name"
  mv -T "$work/$name" "$cache/$name" 2>/dev/null || [ -e "$cache/$name" ]
}

if [ "$1" = --cached ]; then
  shift
  kernel_package=$(cd "$cache" 2>/dev/null && ls -d linux-image-* 2>/dev/null | sort -V | tail -1) || true
  [ -n "$kernel_package" ] && [ -e "$cache/busybox-static" ] ||
    skip "there is no kernel for guests in $cache (examples/two_hosts/image.sh --fetch gets it)"
else
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
    skip "the guests' kernel comes from Debian packages, which needs apt-get and dpkg-deb"
  kernel_package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
    sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
  [ -n "$kernel_package" ] ||
    skip "apt knows no linux-image-cloud-amd64 (apt-get update, on Debian)"
  unpack "$kernel_package"
  unpack busybox-static
  [ "$1" != --fetch ] || exit 0
fi

readonly folder=$1 bundle=$2 root=$work/root busybox=$cache/busybox-static/bin/busybox
mkdir -p "$root"/{bin,proc,sys,dev,tmp}
cp "$busybox" "$root/bin/busybox"
cp -L "$here/init.sh" "$root/init"
chmod +x "$root/init"
tar -xzf "$bundle" -C "$root" --strip-components=1
# Not compressed: an emulated processor would take longer to unpack it than to read it.
(cd "$root" && find . | "$busybox" cpio -o -H newc 2>/dev/null) >"$folder/initramfs"
cp "$cache/$kernel_package"/boot/vmlinuz-* "$folder/kernel"
