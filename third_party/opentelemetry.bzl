# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry's C++ API and SDK, for //grpc_cxl:opentelemetry alone.

A repository of its own, so that only who builds that target fetches it. The files come from Debian's
packages, or from the prefix that `--repo_env=GRPC_CXL_PREFIX=/path` names. The labels are those of
OpenTelemetry's own Bazel workspace, under the name that gRPC's gives it.
"""

_LIBRARIES = ["trace", "metrics", "resources", "common"]

_BUILD = """\
package(default_visibility = ["//visibility:public"])

cc_library(
    name = "headers",
    hdrs = {headers},
    includes = ["include"],
)

cc_library(
    name = "libraries",
    linkopts = {link},
    deps = [":headers"],
)
"""

_MISSING = """\
genrule(
    name = "missing",
    outs = ["include/opentelemetry/version.h"],
    cmd = "echo >&2 '{why}'; exit 1",
)

"""

# package -> targets, and which of the above each is
_PACKAGES = {
    "api": {"api": "headers"},
    "exporters/memory": {"in_memory_span_exporter": "libraries"},
    "sdk/src/metrics": {"metrics": "libraries"},
    "sdk/src/trace": {"trace": "libraries"},
}

def _impl(ctx):
    prefix = ctx.os.environ.get("GRPC_CXL_PREFIX", "")
    why = "grpc_cxl: %s has no opentelemetry/version.h, which //grpc_cxl:opentelemetry needs: install it there." % prefix
    if not prefix:
        ctx.report_progress("Unpacking OpenTelemetry from Debian's packages")
        prefix = str(ctx.path("prefix"))
        for read in ["debian_prefix.cmake", "debian_packages.lock"]:
            ctx.path(Label("//third_party:" + read))  # what the script reads
        result = ctx.execute(
            [
                ctx.path(Label("//third_party:debian_prefix.sh")),
                "--only=opentelemetry-cpp-dev opentelemetry-cpp",
                prefix,
            ],
            timeout = 600,
        )
        if result.return_code != 0:
            why = result.stderr.strip().replace("'", "")

    build = None
    for root in [prefix + "/usr", prefix]:
        if ctx.path(root + "/include/opentelemetry/version.h").exists:
            multiarch = ctx.execute(["gcc", "-print-multiarch"]).stdout.strip()
            libs = ["%s/%s" % (root, d) for d in ["lib/" + multiarch, "lib64", "lib"]]
            libs = [d for d in libs if ctx.path(d + "/libopentelemetry_trace.so").exists]
            link = ["-lopentelemetry_" + name for name in _LIBRARIES] if libs else []
            if libs and libs[0] != "/usr/lib/" + multiarch:
                link = ["-L" + libs[0], "-Wl,--disable-new-dtags", "-Wl,-rpath," + libs[0]] + link
            ctx.symlink(root + "/include/opentelemetry", "include/opentelemetry")
            build = _BUILD.format(headers = "glob([\"include/**\"])", link = repr(link))
            break
    if build == None:
        headers = "[\"include/opentelemetry/version.h\"]"
        build = _BUILD.format(headers = headers, link = "[]") + _MISSING.format(why = why)
    ctx.file("BUILD.bazel", build)
    for package, targets in _PACKAGES.items():
        lines = ["package(default_visibility = [\"//visibility:public\"])"]
        lines += ["alias(name = \"%s\", actual = \"//:%s\")" % pair for pair in targets.items()]
        ctx.file(package + "/BUILD.bazel", "\n".join(lines) + "\n")

opentelemetry_repository = repository_rule(
    implementation = _impl,
    environ = ["GRPC_CXL_PREFIX", "GRPC_CXL_CACHE", "GRPC_CXL_PACKAGES"],
)
