#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds programs, and makes a bundle of them: for other machines and other users. A shell script,
# because a launcher of Python's may change PATH, after which Bazel would build everything anew.
set -eu

usage() {
  cat <<'END'
usage: bazel run @grpc_cxl//packaging:bundle -- [-c MODE] [--output=PATH] TARGET...

  TARGET         label of a cc_binary
  --output=PATH  a folder, or a file .tar or .tar.gz; by default the folder NAME.bundle in the
                 current one, called after the first target
  -c MODE        opt (default), dbg or fastbuild
END
}

wrong() {
  echo "bundle: $*" >&2
  usage >&2
  exit 2
}

mode=opt
output=
targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage && exit ;;
    --output=?*) output=${1#*=} ;;
    --output) output=${2-} && shift ;;
    -c) mode=${2-} && shift ;;
    -*) wrong "there is no option $1" ;;
    *) targets+=("$1") ;;
  esac
  shift || wrong "an option lacks its value"
done
[ ${#targets[@]} -gt 0 ] || wrong "name the programs"
case $mode in opt | dbg | fastbuild) ;; *) wrong "there is no mode '$mode'" ;; esac
[ -n "${BUILD_WORKSPACE_DIRECTORY-}" ] || wrong "run this with bazel run"

files=$(echo "$0".runfiles/*/packaging/bundle/)
bazel=bazel
[ ! -x "$BUILD_WORKSPACE_DIRECTORY/bazelw" ] || bazel=$BUILD_WORKSPACE_DIRECTORY/bazelw
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$BUILD_WORKING_DIRECTORY"
arguments=()
for target in "${targets[@]}"; do
  "$bazel" build -c "$mode" --build_event_json_file="$work/${#arguments[@]}" -- "$target" || {
    echo "bundle: $target was not built, see above." >&2
    exit 1
  }
  arguments+=("--built=$work/${#arguments[@]}")
done
python3 "$files/bundling.py" --launcher="$files/launcher.elf" \
  --output="${output:-${targets[0]##*[:/]}.bundle}" "${arguments[@]}"
