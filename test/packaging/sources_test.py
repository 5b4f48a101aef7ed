# SPDX-License-Identifier: Apache-2.0
"""Proves that CMake builds what the BUILD files say, that docs/building.md shows the files of
test/consumer/ word for word, and that grpc_cxl(7) knows the variables of docs/configuration.md."""

import os
import re
import unittest

import sources

ROOT = os.path.dirname(os.path.realpath("README.md"))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


class SourcesTest(unittest.TestCase):

    def test_the_list_is_up_to_date(self):
        self.assertEqual(read(sources.OUTPUT), sources.cmake_text(sources.read_tree(ROOT)),
                         "run packaging/cmake/sources.py")

    def test_one_version(self):
        found = {file: re.findall(pattern, read(file)) for file, pattern in {
            "MODULE.bazel": r'name = "grpc_cxl",\s+version = "([^"]+)"',
            "CMakeLists.txt": r"project\(grpc_cxl VERSION (\S+)",
            "CHANGELOG.md": r"## (?:Unreleased \()?(\d[^)\s]*)",
            "grpc_cxl/base/library_version.h": r'kLibraryVersion\[\] = "([^"]+)"',
        }.items()}
        self.assertEqual({file: versions[:1] for file, versions in found.items()},
                         dict.fromkeys(found, found["MODULE.bazel"]))

    def test_what_the_list_has(self):
        build = """
load("@rules_cc//cc:defs.bzl", "cc_library")
[cc_library(name = n, srcs = [n + ".cc"], hdrs = [n + ".h"], deps = d) for n, d in [
    ("plain", ["@com_google_absl//absl/log:initialize", ":deep"]),
    ("deep", ["@other//:thing"]),
    ("tests", []),
]]
cc_library(name = "base", srcs = ["base.cc", "base.h"], deps = ["@com_google_absl//absl/flags:flag"])
cc_library(name = "only_tests", testonly = True, srcs = ["only_tests.cc"])
cc_binary(name = "example", srcs = ["example.cc"])
"""
        tool = """
cc_library(name = "parts", srcs = ["parts.cc"], deps = ["@boringssl//:crypto"])
cc_binary(name = "tool", srcs = ["tool.cc"], deps = [":parts", "//grpc_cxl:base"])
"""
        targets = {target.label: target
                   for package, text in (("grpc_cxl", build), ("grpc_cxl/tools", tool))
                   for target in sources.read_package(package, text)}
        text = sources.cmake_text(targets)
        lists = {name: values.split() for name, values in
                 re.findall(r"^set\((\w+)\n(.*?)\)$", text, re.MULTILINE | re.DOTALL)}
        self.assertEqual(lists["GRPC_CXL_SOURCES"], ["grpc_cxl/base.cc", "grpc_cxl/tests.cc"])
        self.assertEqual(lists["GRPC_CXL_PUBLIC_HEADERS"], ["grpc_cxl/tests.h"])
        self.assertEqual(lists["GRPC_CXL_LIBRARIES"], ["absl::flags"])
        self.assertEqual(lists["GRPC_CXL_TOOLS_LIST"], ["tool"])
        self.assertEqual(lists["GRPC_CXL_tool_SOURCES"],
                         ["grpc_cxl/tools/parts.cc", "grpc_cxl/tools/tool.cc"])
        self.assertEqual(lists["GRPC_CXL_tool_LIBRARIES"], ["OpenSSL::Crypto"])
        self.assertIn("//grpc_cxl:deep, for want of @other//:thing", text)
        self.assertIn("//grpc_cxl:plain, for want of @other//:thing", text)


class DocumentTest(unittest.TestCase):

    def test_the_recipes_are_the_consumers_files(self):
        blocks = re.findall(r"^\*\*([\w./]+)\*\*:\n\n```\w+\n(.*?)^```$", read("docs/building.md"),
                            re.MULTILINE | re.DOTALL)
        self.assertEqual(sorted(name for name, _ in blocks),
                         [".bazelrc", "CMakeLists.txt", "MODULE.bazel", "WORKSPACE", "money/BUILD.bazel",
                          "orders/BUILD.bazel"])
        for name, block in blocks:
            with self.subTest(name):
                spdx, text = read("test/consumer/" + name).split("\n", maxsplit=1)
                self.assertIn("SPDX", spdx)
                self.assertEqual(block, text)

    def test_the_man_page_has_all_variables(self):
        section = read("docs/configuration.md").split("\n## Environment variables\n")[1].split("\n## ")[0]
        table = re.findall(r"^\| `(GRPC_CXL_\w+)`", section, re.MULTILINE)
        page = read("packaging/man/grpc_cxl.7")
        self.assertGreater(len(table), 10)
        self.assertEqual([name for name in table if not re.search(name + r"\b", page)], [])


if __name__ == "__main__":
    unittest.main()
