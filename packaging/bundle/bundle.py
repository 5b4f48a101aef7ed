#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds programs and makes a bundle of them, to be run on other machines and by other users.

  ./bazelw run //packaging:bundle -- [--output=FOLDER|FILE.tar.gz] TARGET...
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.parse

import bundling


def built_programs(events, target):
    """The files that `target` is, from Bazel's build events."""
    sets = {event["id"]["namedSet"]["id"]: event["namedSetOfFiles"]
            for event in events if "namedSetOfFiles" in event}
    todo = [group["id"] for event in events if "targetCompleted" in event.get("id", {})
            for output in event.get("completed", {}).get("outputGroup", [])
            if output["name"] == "default" for group in output.get("fileSets", [])]
    files = []
    while todo:
        one = sets[todo.pop()]
        files += [urllib.parse.unquote(urllib.parse.urlparse(file["uri"]).path)
                  for file in one.get("files", [])]
        todo += [group["id"] for group in one.get("fileSets", [])]
    programs = [file for file in files if os.access(file, os.X_OK)]
    if len(programs) != 1:
        raise bundling.BundleError(f"{target} is no program: name a cc_binary.")
    return programs[0]


def build(target, mode, workspace, folder):
    """Builds `target`, whose label is relative to `folder`; returns the program."""
    bazelw = os.path.join(workspace, "bazelw")
    bazel = bazelw if os.path.exists(bazelw) else "bazel"
    with tempfile.NamedTemporaryFile("r") as events:
        result = subprocess.run(
            [bazel, "build", "-c", mode, f"--build_event_json_file={events.name}", "--", target],
            cwd=folder)
        if result.returncode != 0:
            raise bundling.BundleError(f"{target} was not built, see above.")
        return built_programs([json.loads(line) for line in events], target)


def main():
    parser = argparse.ArgumentParser(
        prog="bazel run @grpc_cxl//packaging:bundle --", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--output", help="a folder, or a file .tar or .tar.gz; by default a folder "
                        "in the current one, called after the first target")
    parser.add_argument("--compilation_mode", "-c", default="opt", choices=("opt", "dbg", "fastbuild"))
    parser.add_argument("targets", nargs="+", metavar="TARGET", help="label of a cc_binary")
    arguments = parser.parse_args()
    workspace = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if workspace is None:
        sys.exit("bundle: run me with `bazel run`.")
    folder = os.environ["BUILD_WORKING_DIRECTORY"]
    try:
        programs = [build(target, arguments.compilation_mode, workspace, folder)
                    for target in arguments.targets]
        output = os.path.join(folder, arguments.output or os.path.basename(programs[0]) + ".bundle")
        launcher = os.path.join(os.path.dirname(__file__), "launcher.elf")
        bundling.make_bundle(programs, launcher, output)
    except bundling.BundleError as error:
        sys.exit(f"bundle: {error}")
    print(output)


if __name__ == "__main__":
    main()
