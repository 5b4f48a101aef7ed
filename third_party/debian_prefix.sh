#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Unpacks gRPC, what it needs and what the tools and examples need from Debian's packages
# into a private folder.
#
#   debian_prefix.sh DESTINATION
#   debian_prefix.sh --only="PACKAGE ..." DESTINATION
#
# The second form unpacks these packages instead, and nothing that they depend on.
#
# Nothing of the host system changes and root is not needed: apt runs on a state
# of its own, packages are unpacked with `dpkg -x`, never installed. Downloads are
# kept in ${GRPC_CXL_CACHE:-${XDG_CACHE_HOME:-~/.cache}/grpc_cxl} and shared by all
# clones; with a complete cache no network is used.
#
# debian_packages.lock names the packages that were tested. Each is taken while the mirror has that
# version, else the newest; standard error says which. GRPC_CXL_PACKAGES=newest takes the newest of
# all, and GRPC_CXL_PACKAGES=tested fails where a tested one is gone.
#
# The prefix serves Bazel (prefix.bzl) and, with the toolchain.cmake in its root, CMake. It may be
# moved until something is built with it.
#
# gRPC >= 1.80 is only in Debian's `experimental` suite; all else comes from `sid`,
# because experimental's newest Abseil may not be the one gRPC was built with.
set -eu

only=
case ${1:-} in
  --only=?*)
    only=${1#--only=}
    shift
    ;;
esac
case ${1:--} in
  -*)
    echo "usage: debian_prefix.sh [--only=\"PACKAGE ...\"] DESTINATION" >&2
    exit 2
    ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
dest=$1
packages="libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
  libgtest-dev libgmock-dev libbenchmark-dev
  libsqlite3-dev libcpp-httplib-dev libhdr-histogram-dev
  nlohmann-json3-dev libftxui-dev prometheus-cpp-dev"
[ -z "$only" ] || packages="only $only"
from_experimental="src:grpc:any src:protobuf:any src:utf8-range:any"
# The host's own C library headers are used for compiling.
not_unpacked="libc6-dev libc-dev-bin linux-libc-dev"

fail() {
  echo "grpc_cxl: $*" >&2
  exit 1
}

otherwise="or build with --repo_env=GRPC_CXL_PREFIX=/path to use an installed gRPC >= 1.80"
for tool in apt-get dpkg flock sha256sum; do
  command -v "$tool" >/dev/null ||
    fail "$tool is missing: this build takes gRPC from Debian's packages; run it on Debian 12 or newer, $otherwise."
done

wanted=${GRPC_CXL_PACKAGES:-}
case $wanted in
  "" | tested) lock=$here/debian_packages.lock ;;
  newest) lock=/dev/null ;;
  *) fail "GRPC_CXL_PACKAGES=$wanted: set it to tested or newest, or leave it unset." ;;
esac

arch=$(dpkg --print-architecture)
[ "$arch" = amd64 ] || lock=/dev/null  # tested there alone
# Of all that decides which packages are fetched.
recipe=$(echo "2 $packages $from_experimental" | cat - "$lock" | sha256sum | cut -c1-12)
# No fallback to /tmp: there, anybody could put packages in front of us.
[ -n "${GRPC_CXL_CACHE:-${XDG_CACHE_HOME:-${HOME:-}}}" ] ||
  fail "there is no place for downloads: set HOME, XDG_CACHE_HOME or GRPC_CXL_CACHE."
cache=${GRPC_CXL_CACHE:-${XDG_CACHE_HOME:-${HOME:-}/.cache}/grpc_cxl}/debs-$arch-$recipe

downloaded() {
  (cd "$cache" 2>/dev/null && sha256sum --quiet -c SHA256SUMS >/dev/null 2>&1)
}

download() {
  # The mirror is the host's own: whatever serves its release. On sid, os-release has the codename
  # of what will be the next one.
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  uri=$(apt-get indextargets --format '$(CREATED_BY)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)' |
    sed -nE "s#^Packages\\|($codename|sid)\\|main\\|##p" | head -n 1)
  [ -n "$uri" ] ||
    fail "apt knows no Debian mirror for '$codename main': add one to /etc/apt/sources.list, $otherwise."
  key=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -r "$key" ] || key=

  work=$(mktemp -d "$cache.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' HUP INT TERM
  mkdir -p "$work/lists/partial" "$work/debs/partial" "$work/etc"
  : >"$work/status"
  for suite in sid experimental; do
    echo "deb ${key:+[signed-by=$key] }$uri $suite main"
  done >"$work/etc/sources.list"
  # A pin of a version that the mirror no longer has is without effect.
  {
    sed -n 's#^[0-9a-f]* *\./\([^_]*\)_\(.*\)_[^_]*\.deb$#\1 \2#p' "$lock" | sed 's/%3a/:/' |
      while read -r name version; do
        printf 'Package: %s\nPin: version %s\nPin-Priority: 990\n\n' "$name" "$version"
      done
    printf 'Package: %s\nPin: release a=experimental\nPin-Priority: 900\n' "$from_experimental"
  } >"$work/etc/preferences"

  set -- -qq -o "Dir::Etc::sourcelist=$work/etc/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o "Dir::Etc::preferences=$work/etc/preferences" -o Dir::Etc::preferencesparts=/dev/null \
    -o "Dir::State=$work" -o "Dir::State::lists=$work/lists" -o "Dir::State::status=$work/status" \
    -o "Dir::Cache=$work" -o "Dir::Cache::archives=$work/debs" \
    -o "APT::Architecture=$arch" -o "APT::Architectures::=$arch" \
    -o APT::Install-Recommends=false -o "APT::Sandbox::User=root" -o Debug::NoLocking=1 \
    -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Get::List-Cleanup=false \
    -o APT::Update::Error-Mode=any -o DPkg::Post-Invoke::= -o APT::Update::Post-Invoke::=
  apt-get "$@" update >"$work/log" 2>&1 ||
    fail "Debian's sid and experimental package lists could not be fetched ($(grep -m1 '^[EW]:' "$work/log" || echo 'no reason given')): check the network and apt's mirror, $otherwise."

  if [ -n "$only" ]; then
    # shellcheck disable=SC2086
    (cd "$work/debs" && apt-get "$@" download $only) >"$work/log" 2>&1 ||
      fail "Debian's packages $only could not be fetched ($(grep -m1 '^E:' "$work/log" || echo 'no reason given')): check the network."
    keep_download
    return
  fi

  # Abseil's headers must be of the version that gRPC was built with; the newest may not be.
  grpc=$(apt-cache "$@" depends libgrpc++-dev | sed -n 's/^ *Depends: \(libgrpc++[0-9].*\)$/\1/p' | head -n 1)
  absl=$(apt-cache "$@" depends "$grpc" | sed -n 's/^ *Depends: \(libabsl[0-9]*\)$/\1/p' | head -n 1)
  version=$(apt-cache "$@" policy "$absl" | sed -n 's/^ *Candidate: //p')
  [ -n "$version" ] || fail "Debian's gRPC does not say which Abseil it was built with: build with --repo_env=GRPC_CXL_PREFIX=/path to use an installed gRPC >= 1.80."
  # shellcheck disable=SC2086
  apt-get "$@" --yes --download-only install $packages "libabsl-dev=$version" >"$work/log" 2>&1 ||
    fail "Debian's gRPC packages could not be fetched ($(grep -m1 -E '^E:|Depends:' "$work/log" || echo 'no reason given')): check the network, $otherwise."

  keep_download
}

keep_download() {
  # The folder gets its name only when it is complete.
  rm -rf "$work/debs/partial" "$work/debs/lock"
  (cd "$work/debs" && sha256sum ./*.deb) >"$work/SHA256SUMS"
  mv "$work/SHA256SUMS" "$work/debs/"
  rm -rf "$cache"
  mv "$work/debs" "$cache"
}

{ mkdir -p "${cache%/*}" && touch "${cache%/*}/lock"; } 2>/dev/null ||
  fail "cannot write to the download cache ${cache%/*}: set GRPC_CXL_CACHE to a folder that you can write to."
exec 9>"${cache%/*}/lock"
flock 9  # two clones that build for the first time: the second one uses the first one's download
downloaded || download
exec 9>&-
untested=
[ -s "$lock" ] && untested=$(grep -Fvxf "$lock" "$cache/SHA256SUMS" | sed 's#.*/##; s#\.deb$##' | tr '\n' ' ')
if [ -n "$untested" ]; then
  for name in $untested; do
    grep -qF "./$name.deb" "$lock" && fail "$cache/$name.deb is not what was tested, though its version is the same: delete $cache and try again."
  done
  [ "$wanted" != tested ] || fail "Debian's mirror no longer has what was tested, but ${untested% }: update grpc_cxl, or leave GRPC_CXL_PACKAGES unset."
  echo "grpc_cxl: not tested with these, which Debian's mirror has now: ${untested% }" >&2
fi

mkdir -p "$dest" || fail "$dest cannot be made: name a folder that you can write to."
[ -z "$(ls -A "$dest")" ] || [ -e "$dest/toolchain.cmake" ] ||
  fail "$dest is not empty: name a folder that does not exist yet."
for deb in "$cache"/*.deb; do
  name=${deb##*/}
  name=${name%%_*}
  case " $not_unpacked " in *" $name "*) continue ;; esac
  dpkg -x "$deb" "$dest" || fail "$deb could not be unpacked: delete $cache and try again."
done

# Which package has which shared library, as dpkg-shlibdeps -L reads it.
for deb in "$cache"/*.deb; do
  dpkg-deb -I "$deb" shlibs 2>/dev/null | grep -v "^#" || :
done >"$dest/shlibs"

# Its programs run with its own C library, wherever it lies.
mkdir -p "$dest/usr/libexec/grpc_cxl"
for program in "$dest"/usr/bin/*; do
  [ ! -L "$program" ] || continue
  case $(od -An -tx1 -N4 "$program") in *7f*45*4c*46*) ;; *) continue ;; esac
  mv "$program" "$dest/usr/libexec/grpc_cxl/"
  cat >"$program" <<'EOF'
#!/bin/sh
program=$(readlink -f "$0")
usr=${program%/bin/*}
for loader in "$usr"/lib/*/ld-linux* "$usr"/lib/*/ld64*; do
  [ -e "$loader" ] && exec "$loader" --library-path "${loader%/*}" "$usr/libexec/grpc_cxl/${program##*/}" "$@"
done
echo "$0: its C library is missing: make the prefix anew with debian_prefix.sh" >&2
exit 127
EOF
  chmod +x "$program"
done

# protoc looks for timestamp.proto and the like beside its executable, which is the loader then.
for loader in "$dest"/usr/lib/*/ld-linux* "$dest"/usr/lib/*/ld64*; do
  [ ! -e "$loader" ] || ln -sfn ../../include "${loader%/*}/include"
done

# pkg-config finds it, wherever it lies.
find "$dest/usr" -name '*.pc' -type f | while read -r file; do
  up=$(echo "${file#"$dest/usr/"}" | sed 's#[^/]*$##; s#[^/]*/#/..#g')
  sed -i "s#=/usr\$#=\${pcfiledir}$up#; s#=/usr/#=\${pcfiledir}$up/#" "$file"
done

cp "$here/debian_prefix.cmake" "$dest/toolchain.cmake"
