# SPDX-License-Identifier: Apache-2.0
"""Proves that the sources keep the order of the house, and that the check would tell."""

import os
import unittest

from test.house import includes

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"


def file(path, *lines, namespace="grpc_cxl::internal"):
    return {path: SPDX + "".join(line + "\n" for line in lines) + f"namespace {namespace} {{\n}}\n"}


class IncludesTest(unittest.TestCase):

    def test_the_house_is_in_order(self):
        root = os.path.dirname(os.path.realpath("README.md"))
        files = includes.sources(root)
        self.assertGreater(len(files), 300)
        self.assertEqual(includes.problems(files), [])

    def test_every_wrong_file_is_found(self):
        wrong = (
            file("grpc_cxl/ring/a.h", '#include "grpc_cxl/link/b.h"'),
            file("grpc_cxl/endpoint/a.cc", '#include "grpc_cxl/direct/b.h"'),
            file("grpc_cxl/calls/a.cc", '#include "grpc_cxl/options.h"'),
            file("grpc_cxl/attic/a.cc"),
            file("grpc_cxl/wait_policy.h", '#include "grpc_cxl/base/b.h"', namespace="grpc_cxl"),
            file("grpc_cxl/options.h", '#include "grpc_cxl/arena/b.h"', namespace="grpc_cxl"),
            file("grpc_cxl/options.h", '#include "grpc_cxl/environment.h"', namespace="grpc_cxl"),
            file("grpc_cxl/options.h", "#include <sys/mman.h>", namespace="grpc_cxl"),
            file("grpc_cxl/ring/a.cc", "#include <sys/mman.h>"),
            file("grpc_cxl/polling/a.cc", "#include <linux/futex.h>"),
            file("grpc_cxl/doorbell/a.cc", "#include <sys/eventfd.h>"),
            file("grpc_cxl/event_engine/a.cc", "#include <sys/socket.h>"),
            file("grpc_cxl/calls/a.h", "#include <grpc/event_engine/event_engine.h>"),
            file("grpc_cxl/endpoint/a.h", "#include <grpcpp/server.h>"),
            file("grpc_cxl/link/a.cc", "mmap(nullptr, 1, 0, 0, fd, 0);"),
            file("grpc_cxl/calls/a.cc", "syscall(SYS_futex, &word);"),
            file("grpc_cxl/doorbell/a.cc", "::eventfd(0, EFD_CLOEXEC);"),
            file("grpc_cxl/link/a.cc", "::socket(AF_UNIX, SOCK_STREAM, 0);"),
            file("grpc_cxl/payload/a.cc", "#include <grpc/event_engine/slice.h>"),
            file("grpc_cxl/calls/a.cc", "#include <grpc/slice.h>"),
            file("grpc_cxl/options.cc", "std::getenv(\"GRPC_CXL_DIR\");", namespace="grpc_cxl"),
            file("grpc_cxl/ring/a.h", namespace="grpc_cxl"),
            file("grpc_cxl/options.h", namespace="grpc_cxl::internal"),
            {"test/ring/a.cc": "int a;\n"},
            {"docs/a.svg": "<svg></svg>\n"},
            {"test/ring/a.cc": SPDX + 400 * "\n"},
        )
        for files in wrong:
            with self.subTest(files):
                self.assertTrue(includes.problems(files))

    def test_what_is_allowed(self):
        right = (
            file("grpc_cxl/event_engine/cxl_address.cc", "#include <sys/un.h>",
                 '#include "grpc_cxl/base/b.h"', '#include "grpc_cxl/event_engine/b.h"'),
            file("grpc_cxl/arena/a.h", '#include "grpc_cxl/arena_backing.h"',
                 "#include <sys/mman.h>"),
            file("grpc_cxl/link/a.h", "int socket() const;"),
            file("grpc_cxl/tools/a.cc", '#include "grpc_cxl/environment.h"'),
            file("grpc_cxl/options.h", "#include <string>", '#include "absl/time/time.h"',
                 "#include <grpcpp/server.h>", '#include "grpc_cxl/wait_policy.h"',
                 namespace="grpc_cxl"),
            file("grpc_cxl/options.cc", '#include "grpc_cxl/link/b.h"', namespace="grpc_cxl"),
        )
        for files in right:
            with self.subTest(files):
                self.assertEqual(includes.problems(files), [])


if __name__ == "__main__":
    unittest.main()
