# SPDX-License-Identifier: Apache-2.0
"""The repositories grpc_cxl is built with, for its own WORKSPACE and for those of its users.

The labels are those of gRPC's own Bazel workspace, so the BUILD files also load
in a workspace that builds gRPC from source; such a workspace brings its own
repositories and does not call this.
"""

load("//third_party:opentelemetry.bzl", "opentelemetry_repository")
load("//third_party:prefix.bzl", "alias_repository", "files_repository", "grpc_cxl_prefix")
load("//third_party:protobuf.bzl", "protobuf_repository")

_ABSL = {
    "absl/base": ["config", "core_headers", "no_destructor"],
    "absl/cleanup": ["cleanup"],
    "absl/container": ["flat_hash_map", "inlined_vector"],
    "absl/crc": ["crc32c"],
    "absl/flags": ["flag", "parse", "usage"],
    "absl/functional": ["any_invocable", "function_ref"],
    "absl/log": ["check", "globals", "initialize", "log", "log_entry", "log_sink", "log_sink_registry"],
    "absl/status": ["status", "status_matchers", "statusor"],
    "absl/strings": ["cord", "str_format", "strings"],
    "absl/synchronization": ["synchronization"],
    "absl/time": ["time"],
    "absl/types": ["span"],
}

# Bazel 4 asks for these three and would download them. The first two re-export
# the native rules; newer Bazels bring their own.
_RULES_CC = {
    "BUILD.bazel": "",
    "cc/BUILD.bazel": "",
    "cc/defs.bzl": """
cc_binary = native.cc_binary
cc_import = native.cc_import
cc_library = native.cc_library
cc_proto_library = native.cc_proto_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
fdo_prefetch_hints = native.fdo_prefetch_hints
fdo_profile = native.fdo_profile
objc_import = native.objc_import
objc_library = native.objc_library

def _cc_flags_supplier_impl(ctx):
    return [platform_common.TemplateVariableInfo({"CC_FLAGS": ""})]

cc_flags_supplier = rule(implementation = _cc_flags_supplier_impl)

def _compiler_flag_impl(ctx):
    return [config_common.FeatureFlagInfo(value = "compiler")]

compiler_flag = rule(implementation = _compiler_flag_impl)
""",
}

_RULES_JAVA = {
    "BUILD.bazel": "",
    "java/BUILD.bazel": "",
    "java/defs.bzl": """
java_binary = native.java_binary
java_import = native.java_import
java_library = native.java_library
java_runtime = native.java_runtime
java_toolchain = native.java_toolchain
""",
}

_COVERAGE_TOOLS = {
    "BUILD.bazel": """
package(default_visibility = ["//visibility:public"])
filegroup(name = "coverage_report_generator")
filegroup(name = "lcov_merger")
""",
}

def grpc_repositories():
    """Declares what the BUILD files of this workspace name, but for the rules of Bazel's own."""
    grpc_cxl_prefix(name = "grpc_cxl_prefix")
    alias_repository(
        name = "com_google_absl",
        packages = _ABSL,
        default_target = "absl",
        targets = {"status_matchers": "status_matchers"},
    )
    alias_repository(
        name = "com_github_grpc_grpc",
        packages = {
            "": ["grpc++", "grpc++_reflection", "grpc_authorization_provider"],
            "bazel": [],
            "src/compiler": ["grpc_cpp_plugin"],
        },
        files = {Label("//third_party:cc_grpc_library.bzl"): "bazel/cc_grpc_library.bzl"},
        targets = {
            "grpc++": "grpc++",
            "grpc++_reflection": "grpc++_reflection",
            "grpc_authorization_provider": "grpc_authorization_provider",
            "grpc_cpp_plugin": "bin/grpc_cpp_plugin",
        },
    )
    protobuf_repository(name = "com_google_protobuf")
    alias_repository(
        name = "com_google_googletest",
        packages = {"": ["gtest", "gtest_main"]},
        targets = {"gtest": "gtest", "gtest_main": "gtest_main"},
    )
    alias_repository(name = "com_github_google_benchmark", packages = {"": ["benchmark"]}, default_target = "benchmark")
    # In gRPC's own workspace this is BoringSSL, here what the prefix's gRPC links: OpenSSL.
    alias_repository(
        name = "boringssl",
        packages = {"": ["crypto"]},
        targets = {"crypto": "libcrypto"},
    )
    # For //grpc_cxl/tools:cxl_stat alone.
    alias_repository(
        name = "tool_libraries",
        packages = {"": ["ftxui", "json", "prometheus"]},
        targets = {name: name for name in ["ftxui", "json", "prometheus"]},
    )
    # For //examples/hotel_reservation alone.
    alias_repository(
        name = "hotel_libraries",
        packages = {"": ["hdr_histogram", "httplib", "libcrypto", "sqlite3"]},
        targets = {name: name for name in ["hdr_histogram", "httplib", "libcrypto", "sqlite3"]},
    )

def grpc_cxl_repositories():
    """Declares every repository that the BUILD files of this workspace name; for a WORKSPACE."""
    grpc_repositories()
    if not native.existing_rule("io_opentelemetry_cpp"):
        opentelemetry_repository(name = "io_opentelemetry_cpp")  # for //grpc_cxl:opentelemetry alone
    if not native.existing_rule("rules_cc"):
        files_repository(name = "rules_cc", files = _RULES_CC)
    if not native.existing_rule("rules_java"):
        files_repository(name = "rules_java", files = _RULES_JAVA)
    if not native.existing_rule("remote_coverage_tools"):
        files_repository(name = "remote_coverage_tools", files = _COVERAGE_TOOLS)
