#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a folder, or a tar, of programs with the loader and the libraries that they need.

  bundling.py --launcher=FILE --output=FOLDER|FILE.tar.gz [--built=EVENTS]... PROGRAM...

EVENTS is a file of Bazel's --build_event_json_file, for one target.

A bundle runs anywhere on a Linux of the same processor, wherever it lies:

  NAME                 starts the program (launcher.cc)
  lib/ld-linux-*       the loader
  lib/*.so.*           all libraries, the C library included
  lib/programs/NAME    the program
"""

import argparse
import gzip
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import urllib.parse

TAR = re.compile(r"\.(tar|tar\.gz|tgz)$")
LOADERS = {62: "ld-linux-x86-64.so.2", 183: "ld-linux-aarch64.so.1"}  # by ELF machine

_PT_DYNAMIC, _PT_INTERP = 2, 3
_DT_NULL, _DT_RPATH, _DT_RUNPATH = 0, 15, 29


class BundleError(Exception):
    """What it says is for the user."""


class Program:
    """An ELF program for 64-bit little-endian machines."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)
        try:
            with open(path, "rb") as file:
                self.bytes = bytearray(file.read())
        except OSError as error:
            raise BundleError(f"{path}: {error.strerror}") from error
        if self.bytes[:6] != b"\x7fELF\x02\x01":
            raise BundleError(f"{path} is no program: name a cc_binary.")
        self.machine, = struct.unpack_from("<H", self.bytes, 18)
        self.interpreter = None  # none: linked statically
        self._dynamic = range(0)
        offset, = struct.unpack_from("<Q", self.bytes, 32)
        size, count = struct.unpack_from("<HH", self.bytes, 54)
        for i in range(count):
            kind, _, begin, _, _, length = struct.unpack_from("<IIQQQQ", self.bytes, offset + i * size)
            if kind == _PT_INTERP:
                self.interpreter = bytes(self.bytes[begin:begin + length]).rstrip(b"\0").decode()
            elif kind == _PT_DYNAMIC:
                self._dynamic = range(begin, begin + length, 16)
        if self.interpreter and os.path.basename(self.interpreter) != LOADERS.get(self.machine):
            raise BundleError(f"{path} wants the loader {self.interpreter}; bundles know "
                              f"{' and '.join(LOADERS.values())}.")

    def libraries(self):
        """name -> file, of all libraries that this program needs, as its loader finds them."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("LD_")}
        result = subprocess.run([self.interpreter, "--list", os.path.abspath(self.path)],
                                capture_output=True, env=environment, text=True)
        found = dict(re.findall(r"^\s*(\S+) => (/\S+)", result.stdout, re.MULTILINE))
        missing = re.findall(r"^\s*(\S+) => not found", result.stdout, re.MULTILINE)
        if result.returncode != 0 or missing:
            raise BundleError(f"{self.path} does not run here: "
                              f"{' '.join(missing) + ' not found' if missing else result.stderr.strip()}")
        found.pop(self.interpreter, None)
        return {name: file for name, file in found.items() if name != LOADERS[self.machine]}

    def without_search_paths(self):
        """Its bytes, with nothing left of where libraries were when it was linked."""
        changed = bytearray(self.bytes)
        for at in self._dynamic:
            tag, = struct.unpack_from("<Q", changed, at)
            if tag == _DT_NULL:
                break
            if tag in (_DT_RPATH, _DT_RUNPATH):
                struct.pack_into("<Q", changed, at + 8, 0)  # the empty string, which counts as none
        return changed


def make_folder(paths, launcher, folder):
    """Fills the empty `folder` with a bundle of the programs at `paths`."""
    programs = [Program(path) for path in paths]
    names = [program.name for program in programs]
    for name in names:
        if names.count(name) > 1 or name == "lib":
            raise BundleError(f"A bundle cannot have two programs {name}." if name != "lib" else
                              "A bundle has a folder lib: give the program lib another name.")
    libraries = {}
    for program in programs:
        if program.interpreter is None:
            _write(os.path.join(folder, program.name), program.bytes, 0o755)
            continue
        needed = program.libraries()
        needed[LOADERS[program.machine]] = program.interpreter
        for name, file in needed.items():
            if os.path.realpath(libraries.setdefault(name, file)) != os.path.realpath(file):
                raise BundleError(f"{program.name} needs another {name} than the programs before it "
                                  f"({file}, {libraries[name]}): make a bundle of its own.")
        _copy(launcher, os.path.join(folder, program.name), 0o755)
        _write(os.path.join(folder, "lib/programs", program.name), program.without_search_paths(), 0o755)
    for name, file in libraries.items():
        _copy(file, os.path.join(folder, "lib", name), 0o755 if name in LOADERS.values() else 0o644)
    for where, folders, _ in os.walk(folder):
        for path in [where] + [os.path.join(where, name) for name in folders]:
            os.chmod(path, 0o755)


def make_bundle(paths, launcher, output):
    """A bundle as the folder `output`, or as the tar `output` if it is called like one."""
    output = os.path.abspath(output)
    is_tar = TAR.search(output)
    if is_tar is None and os.path.exists(output) and not _may_be_replaced(output):
        raise BundleError(f"{output} exists and is no bundle: name another place.")
    try:
        work = tempfile.mkdtemp(prefix=".bundle.", dir=os.path.dirname(output))
    except OSError as error:
        raise BundleError(f"{os.path.dirname(output)}: {error.strerror}") from error
    try:
        folder = os.path.join(work, TAR.sub("", os.path.basename(output)))
        os.mkdir(folder)
        make_folder(paths, launcher, folder)
        if is_tar is None:
            shutil.rmtree(output, ignore_errors=True)
            os.rename(folder, output)
        else:
            _make_tar(folder, os.path.join(work, "tar"), output.endswith("gz"))
            os.rename(os.path.join(work, "tar"), output)
    finally:
        shutil.rmtree(work)


def _may_be_replaced(folder):
    return os.path.isdir(folder) and (
        not os.listdir(folder) or os.path.isdir(os.path.join(folder, "lib/programs")))


def _make_tar(folder, file, compressed):
    """The same bytes for the same content."""
    def plain(info):
        info.uid = info.gid = info.mtime = 0
        info.uname = info.gname = ""
        return info

    with open(file, "wb") as raw:
        stream = gzip.GzipFile("", "wb", 6, raw, mtime=0) if compressed else raw
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for where, folders, names in os.walk(folder):
                folders.sort()
                for path in [where] + [os.path.join(where, name) for name in sorted(names)]:
                    name = os.path.relpath(path, os.path.dirname(folder))
                    archive.add(path, name, recursive=False, filter=plain)
        if compressed:
            stream.close()


def _copy(source, path, mode):
    with open(source, "rb") as file:
        _write(path, file.read(), mode)


def _write(path, content, mode):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)


def built_program(path):
    """The program that is the one target built, from Bazel's build events."""
    with open(path, encoding="utf-8") as lines:
        events = [json.loads(line) for line in lines]
    sets = {event["id"]["namedSet"]["id"]: event["namedSetOfFiles"]
            for event in events if "namedSetOfFiles" in event}
    targets = [event for event in events if "targetCompleted" in event.get("id", {})]
    todo = [part["id"] for target in targets
            for group in target.get("completed", {}).get("outputGroup", [])
            if group["name"] == "default" for part in group.get("fileSets", [])]
    files = []
    while todo:
        one = sets[todo.pop()]
        files += [urllib.parse.unquote(urllib.parse.urlparse(file["uri"]).path)
                  for file in one.get("files", [])]
        todo += [part["id"] for part in one.get("fileSets", [])]
    if len(targets) != 1 or len(files) != 1:
        labels = [target["id"]["targetCompleted"]["label"] for target in targets]
        raise BundleError(f"{' '.join(labels)}: name one cc_binary at a time.")
    return files[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--launcher", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--built", action="append", default=[])
    parser.add_argument("programs", nargs="*")
    arguments = parser.parse_args()
    try:
        programs = [built_program(file) for file in arguments.built] + arguments.programs
        make_bundle(programs, arguments.launcher, arguments.output)
        if arguments.built:  # somebody looks on
            print(f"bundle: made {os.path.abspath(arguments.output)}")
    except BundleError as error:
        sys.exit(f"bundle: {error}")


if __name__ == "__main__":
    main()
