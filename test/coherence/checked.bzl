# SPDX-License-Identifier: Apache-2.0
"""Tests that run a second time in flush mode, where each side has a private copy."""

load("@rules_cc//cc:defs.bzl", "cc_library", "cc_test")

# What makes a test run so, together with the library :checker.
CHECKED_ENV = {
    "GRPC_CXL_COHERENCE": "flush",
    "GRPC_CXL_CHECK_FLUSHES": "1",
}

def cc_checked_test(name, srcs, checked_args = [], copts = [], deps = [], tags = [], **kwargs):
    """A cc_test, and NAME_checked: the same in flush mode, under the checker.

    Args:
      name: of the plain test.
      srcs: of both, compiled once.
      checked_args: arguments of the second run.
      copts: of both.
      deps: of both.
      tags: of both.
      **kwargs: of both.
    """
    checker = "//test/coherence:checker"
    cases = name + "_cases"
    cc_library(
        name = cases,
        testonly = True,
        srcs = srcs,
        copts = copts,
        tags = tags,
        deps = deps if checker in deps else deps + [checker],
        alwayslink = True,
    )
    cc_test(name = name, tags = tags, deps = [":" + cases], **kwargs)
    cc_test(
        name = name + "_checked",
        args = checked_args,
        env = CHECKED_ENV,
        tags = tags,
        deps = [":" + cases],
        **kwargs
    )
