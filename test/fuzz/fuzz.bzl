# SPDX-License-Identifier: Apache-2.0
"""Fuzz targets that are ordinary tests as well."""

load("@rules_cc//cc:defs.bzl", "cc_test")

def cc_fuzz_test(name, srcs, corpus, deps = [], runs = None, **kwargs):
    """A test of one `LLVMFuzzerTestOneInput`.

    Runs the corpus and a fixed number of seeded random inputs, the same every time. To search
    for longer: `bazel run` with other --runs and --seed, or by hand with clang's
    -fsanitize=fuzzer in place of //test/fuzz:driver.

    Args:
      name: the target's name.
      srcs: the file with `LLVMFuzzerTestOneInput`.
      corpus: a folder of this package with inputs to begin with.
      deps: what the fuzzed code needs.
      runs: how many random inputs; the driver's default if None.
      **kwargs: passed to the cc_test.
    """
    cc_test(
        name = name,
        size = kwargs.pop("size", "small"),
        srcs = srcs,
        data = native.glob([corpus + "/**"]),
        args = [native.package_name() + "/" + corpus] + (["--runs=%d" % runs] if runs else []),
        deps = deps + ["//test/fuzz:driver"],
        tags = kwargs.pop("tags", []) + ["one_thread"],
        **kwargs
    )
