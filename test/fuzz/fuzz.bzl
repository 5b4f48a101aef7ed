"""Fuzz targets that are ordinary tests as well."""

load("@rules_cc//cc:defs.bzl", "cc_test")

def cc_fuzz_test(name, srcs, corpus, deps = [], runs = None, **kwargs):
    """A test of one `LLVMFuzzerTestOneInput`.

    `bazel test` runs the corpus and a fixed number of seeded random inputs, the same every
    time (//test/fuzz:driver). `bazel run --config=fuzz` searches with libFuzzer for as long
    as it is told to: `bazel run --config=fuzz //test/ring:ring_fuzz -- -max_total_time=60`.

    Args:
      name: the target's name.
      srcs: the file with `LLVMFuzzerTestOneInput`.
      corpus: a folder of this package with inputs to begin with.
      deps: what the fuzzed code needs.
      runs: how many random inputs; the driver's default if None. libFuzzer does not look at it.
      **kwargs: passed to the cc_test.
    """
    cc_test(
        name = name,
        size = kwargs.pop("size", "small"),
        srcs = srcs,
        data = native.glob([corpus + "/**"]),
        args = [native.package_name() + "/" + corpus] + (["--runs=%d" % runs] if runs else []),
        linkopts = select({
            "//test/fuzz:libfuzzer": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        deps = deps + select({
            "//test/fuzz:libfuzzer": [],
            "//conditions:default": ["//test/fuzz:driver"],
        }),
        **kwargs
    )
