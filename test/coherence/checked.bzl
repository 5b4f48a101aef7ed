# SPDX-License-Identifier: Apache-2.0
"""Tests that run a second time in flush mode, where each side has a private copy."""

load("@rules_cc//cc:defs.bzl", "cc_test")

# What makes a test run so, together with the library :checker.
CHECKED_ENV = {
    "GRPC_CXL_COHERENCE": "flush",
    "GRPC_CXL_CHECK_FLUSHES": "1",
}

def cc_checked_test(name, checked_args = [], deps = [], **kwargs):
    """A cc_test, and NAME_checked: the same in flush mode, under the checker.

    Args:
      name: of the plain test.
      checked_args: arguments of the second run.
      deps: of both.
      **kwargs: of both.
    """
    checker = "//test/coherence:checker"
    all_deps = deps if checker in deps else deps + [checker]
    cc_test(name = name, deps = all_deps, **kwargs)
    cc_test(name = name + "_checked", args = checked_args, env = CHECKED_ENV, deps = all_deps, **kwargs)
