# SPDX-License-Identifier: Apache-2.0
"""Proves that a compiler says what is missing when gRPC or its C++ is too old."""

import os
import subprocess
import tempfile
import unittest


def compiled(grpc, standard):
    """What the compiler says to the header with that version of gRPC."""
    with tempfile.TemporaryDirectory() as include:
        os.mkdir(os.path.join(include, "grpcpp"))
        with open(os.path.join(include, "grpcpp/version_info.h"), "w", encoding="utf-8") as file:
            for part, number in zip(("MAJOR", "MINOR"), grpc):
                file.write(f"#define GRPC_CPP_VERSION_{part} {number}\n")
        return subprocess.run(
            [os.environ.get("CXX", "c++"), "-fsyntax-only", f"-std={standard}", "-I", include,
             "-x", "c++", "grpc_cxl/check_requirements.h"], stderr=subprocess.PIPE, text=True).stderr


class RequirementsTest(unittest.TestCase):

    def test_old_and_new(self):
        for grpc, standard, expected in (
                ((1, 79), "c++20", "grpc_cxl needs gRPC 1.80 or newer"),
                ((0, 99), "c++20", "grpc_cxl needs gRPC 1.80 or newer"),
                ((1, 83), "c++17", "grpc_cxl needs C++20: compile with -std=c++20"),
        ):
            with self.subTest(grpc=grpc, standard=standard):
                self.assertIn(expected, compiled(grpc, standard))
        for grpc in ((1, 80), (2, 0)):
            with self.subTest(grpc=grpc):
                self.assertNotIn("#error", compiled(grpc, "c++20"))


if __name__ == "__main__":
    unittest.main()
