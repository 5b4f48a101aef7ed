#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes packaging/cmake/sources.cmake: what CMakeLists.txt builds, as the BUILD files say.

  packaging/cmake/sources.py

Run it after a change to a BUILD file below grpc_cxl/; //test/packaging:sources_test fails until
then. The BUILD files are read as Python, which plain ones are, so that neither Bazel nor a network
is needed.
"""

import ast
import builtins
import os

# Targets of other repositories, as CMake's packages call them; Abseil's are in cmake_name().
LIBRARIES = {
    "@boringssl//:crypto": "OpenSSL::Crypto",
    "@com_github_grpc_grpc//:grpc++": "gRPC::grpc++",
    "@com_google_protobuf//:protobuf": "protobuf::libprotobuf",
    "@tool_libraries//:ftxui": "ftxui::component",
    "@tool_libraries//:json": "nlohmann_json::nlohmann_json",
    "@tool_libraries//:prometheus": "prometheus-cpp::pull",
}

OUTPUT = "packaging/cmake/sources.cmake"
TOOLS = "grpc_cxl/tools"
# Beside the public headers, but not public.
NOT_INSTALLED = ("grpc_cxl/environment.h", "grpc_cxl/settings_credentials.h")


class Target:
    """A cc_library or cc_binary."""

    def __init__(self, package, kind, attributes):
        self.package = package
        self.kind = kind
        self.label = f"//{package}:{attributes['name']}"
        self.name = attributes["name"]
        self.sources = [f"{package}/{file}" for file in attributes.get("srcs", [])]
        self.headers = [f"{package}/{file}" for file in attributes.get("hdrs", [])]
        self.deps = [full_label(dep, package) for dep in attributes.get("deps", [])]
        self.testonly = attributes.get("testonly", False)


def full_label(label, package):
    """//a/b for //a/b:b, and so on: always with package and name."""
    if label.startswith(":"):
        return f"//{package}{label}"
    return label if ":" in label else f"{label}:{label.rsplit('/', 1)[-1]}"


def cmake_name(label):
    """The CMake target of a label of another repository; None if there is none."""
    package, _, name = label.partition(":")
    if not package.startswith("@com_google_absl//absl/"):
        return LIBRARIES.get(label)
    if package.endswith("/flags"):
        return "absl::flags" if name == "flag" else f"absl::flags_{name}"
    if package.endswith("/log") and name in ("globals", "initialize"):
        return f"absl::log_{name}"
    return f"absl::{name}"


def read_package(package, text):
    """The targets of one BUILD file."""
    targets = []

    def recorder(kind):
        def record(*_, **attributes):
            if kind in ("cc_library", "cc_binary"):
                targets.append(Target(package, kind, attributes))
        return record

    tree = ast.parse(text)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    unknown = {name: recorder(name) for name in names if not hasattr(builtins, name)}
    exec(compile(tree, f"{package}/BUILD.bazel", "exec"), unknown)  # pylint: disable=exec-used
    return targets


def read_tree(root):
    """label -> Target, of all packages below grpc_cxl/."""
    targets = {}
    for folder, _, files in os.walk(os.path.join(root, "grpc_cxl")):
        if "BUILD.bazel" in files:
            with open(os.path.join(folder, "BUILD.bazel"), encoding="utf-8") as file:
                for target in read_package(os.path.relpath(folder, root), file.read()):
                    targets[target.label] = target
    return targets


def closure(target, targets):
    """`target`, what it depends on below grpc_cxl/, and the labels of everything else it needs."""
    seen, others, todo = {}, set(), [target]
    while todo:
        one = todo.pop()
        if one.label not in seen:
            seen[one.label] = one
            todo += [targets[dep] for dep in one.deps if dep in targets]
            others |= {dep for dep in one.deps if dep not in targets}
    return list(seen.values()), others


def cmake_text(targets):
    """The text of sources.cmake."""
    sources, headers, libraries, tools, left_out = set(), set(), set(), {}, {}
    for label, target in sorted(targets.items()):
        is_tool = target.kind == "cc_binary"
        if target.testonly or is_tool != (target.package == TOOLS):
            continue  # libraries of TOOLS are parts of the tools that use them
        parts, others = closure(target, targets)
        nameless = sorted(other for other in others if cmake_name(other) is None)
        if nameless:
            left_out[label] = nameless
        elif is_tool:
            of_tool = [part for part in parts if part.package == TOOLS]
            tools[target.name] = (
                {file for part in of_tool for file in part.sources if file.endswith(".cc")},
                {cmake_name(dep) for part in of_tool for dep in part.deps if dep not in targets})
        else:
            sources |= {file for file in target.sources if file.endswith(".cc")}
            libraries |= {cmake_name(dep) for dep in target.deps if dep not in targets}
            if target.package == "grpc_cxl":
                headers |= set(target.headers) - set(NOT_INSTALLED)
    text = ["# SPDX-License-Identifier: Apache-2.0",
            "# Written by packaging/cmake/sources.py from the BUILD files. Not to be edited."]
    text += [f"# Not built with CMake: {label}, for want of {', '.join(missing)}."
             for label, missing in sorted(left_out.items())]
    text += _list("GRPC_CXL_PUBLIC_HEADERS", headers)
    text += _list("GRPC_CXL_SOURCES", sources)
    text += _list("GRPC_CXL_LIBRARIES", libraries)
    text += _list("GRPC_CXL_TOOLS_LIST", tools)
    for name, (files, needed) in sorted(tools.items()):
        text += _list(f"GRPC_CXL_{name}_SOURCES", files)
        text += _list(f"GRPC_CXL_{name}_LIBRARIES", needed)
    return "\n".join(text) + "\n"


def _list(name, values):
    return ["", f"set({name}"] + [f"    {value}" for value in sorted(values)] + [")"]


def main():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    with open(os.path.join(root, OUTPUT), "w", encoding="utf-8") as file:
        file.write(cmake_text(read_tree(root)))


if __name__ == "__main__":
    main()
