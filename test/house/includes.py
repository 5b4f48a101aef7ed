# SPDX-License-Identifier: Apache-2.0
"""Finds what is against the order of the house, as CONTRIBUTING.md describes it."""

import os
import re

# From the top down. A room sees its own files and the rows below.
ROWS = (
    ("public", "tools"),
    ("event_engine",),
    ("endpoint", "direct"),
    ("calls", "streams", "payload", "polling", "link"),
    ("ring", "blocks", "doorbell", "rendezvous", "region", "status"),
    ("coherence", "arena"),
    ("base",),
)

# Among the public files, but not public.
NOT_PUBLIC = ("environment.h", "opentelemetry_figures.h", "settings_credentials.h")

# Plain values of the options, which every room may see.
VALUES = ("arena_backing.h", "memory_distance.h", "priority_level.h", "wait_policy.h")

# Which rooms, or files, may use a system interface.
SYSTEM = (
    (r"#include <sys/mman\.h>", ("arena",)),
    (r"#include <linux/futex\.h>", ("doorbell",)),
    (r"#include <sys/(eventfd|epoll|timerfd)\.h>", ("polling",)),
    (r"#include <sys/(socket|un)\.h>",
     ("rendezvous", "doorbell", "link", "base/foreign_fd.cc", "event_engine/cxl_address.cc")),
    (r"\bmmap\(", ("arena",)),
    (r"\bSYS_futex\b", ("doorbell",)),
    (r"\beventfd\(", ("polling",)),
    (r"\bsocket\([^)]", ("rendezvous",)),  # a call, with arguments
    (r"#include <grpc/event_engine/", ("public", "event_engine", "endpoint", "direct")),
    (r"#include <grpc/", ("public", "event_engine", "endpoint", "direct", "payload")),
    (r"#include <grpcpp/", ("public", "direct", "payload")),
    (r'#include "opentelemetry/',
     tuple("opentelemetry" + end for end in (".h", ".cc", "_figures.h", "_figures.cc"))),
    (r"\bgetenv\b", ("environment.cc",)),
)

# Public, and nothing but checks of the preprocessor's.
NO_CODE = ("check_requirements.h",)

# What public headers may include beside each other.
FOREIGN = re.compile(r"<(grpc|grpcpp|google/protobuf)/|<sys/types\.h>|<[a-z_]+>|\"(absl|opentelemetry)/")

SOURCES = (".h", ".cc", ".proto", ".py", ".sh", ".bzl", ".bazel", ".cmake", ".svg", ".html")
LINES = 400

_INCLUDE = re.compile(r'#include "grpc_cxl/([^"]+)"')
_ANY_INCLUDE = re.compile(r'#include ([<"][^>"]+[>"])')


def problems(files):
    """One sentence for each thing that is wrong in `files`, a map from paths to texts."""
    found = []
    for path, text in sorted(files.items()):
        if path.startswith("grpc_cxl/") and path.endswith((".h", ".cc")):
            found += _order(path, text) + _system(path, text) + _namespace(path, text)
        found += _file(path, text)
    return found


def sources(root):
    """The sources below `root`, as problems() wants them."""
    files = {}
    for folder in ("grpc_cxl", "examples", "bench", "test", "third_party", "packaging", "docs",
                   ".ci"):
        for where, _, names in os.walk(os.path.join(root, folder)):
            for name in names:
                path = os.path.join(where, name)
                if name.endswith(SOURCES):
                    with open(path, encoding="utf-8") as file:
                        files[os.path.relpath(path, root)] = file.read()
    return files


def _inner(path):
    return path[len("grpc_cxl/"):]


def _room(inner):
    return inner.split("/")[0] if "/" in inner else "public"


def _row(room):
    return next((i for i, row in enumerate(ROWS) if room in row), None)


def _is_public(inner):
    return "/" not in inner and inner not in NOT_PUBLIC


def _order(path, text):
    inner = _inner(path)
    room = _room(inner)
    if _row(room) is None:
        return [f"{path}: {room} is no room: give it a place in test/house/includes.py"]
    found = []
    for included in _INCLUDE.findall(text):
        if included in VALUES:
            continue
        other = _room(included)
        if inner in VALUES:
            found.append(f"{path} includes {included}, but is to include nothing of the house")
        elif inner.endswith(".h") and _is_public(inner) and not _is_public(included):
            found.append(f"{path} is public and includes {included}, which is not")
        elif other not in (room, *_below(room)):
            found.append(f"{path} includes {included}: {other} is not below {room}")
    if inner.endswith(".h") and _is_public(inner):
        found += [f"{path} is public and includes {include}"
                  for include in _ANY_INCLUDE.findall(text)
                  if not include.startswith('"grpc_cxl/') and not FOREIGN.match(include)]
    return found


def _below(room):
    rooms = {name for row in ROWS[_row(room) + 1:] for name in row}
    return rooms | {"public"} if room == "tools" else rooms


def _system(path, text):
    inner = _inner(path)
    return [f"{path} uses {re.search(pattern, text).group(0)}, which is for {', '.join(places)}"
            for pattern, places in SYSTEM
            if re.search(pattern, text) and _room(inner) not in places and inner not in places]


def _namespace(path, text):
    inner = _inner(path)
    is_program = "int main(" in text
    names = set(re.findall(r"^namespace (grpc_cxl[\w:]*) {", text, re.MULTILINE))
    wanted = {"grpc_cxl"} if _is_public(inner) else {"grpc_cxl::internal"}
    if "/" not in inner and inner.endswith(".cc"):
        wanted |= {"grpc_cxl::internal"}
    if names <= wanted and (names or is_program or inner in NO_CODE):
        return []
    return [f"{path} is in namespace {', '.join(sorted(names)) or 'none'}, not {min(wanted)}"]


def _file(path, text):
    found = []
    if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(text.split("\n", 2)[:2]):
        found.append(f"{path} does not begin with its SPDX line")
    lines = text.count("\n")
    if lines > LINES and not path.endswith(".bazel"):
        found.append(f"{path} has {lines} lines; at most {LINES} are allowed")
    return found
