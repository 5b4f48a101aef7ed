# SPDX-License-Identifier: Apache-2.0
"""@com_google_protobuf for a prefix: the labels that proto_library, cc_proto_library and users of
the well-known types name, as in protobuf's own workspace."""

# Target -> its file and the targets that this imports.
_WELL_KNOWN = {
    "any_proto": ("any", []),
    "api_proto": ("api", ["source_context_proto", "type_proto"]),
    "compiler_plugin_proto": ("compiler/plugin", ["descriptor_proto"]),
    "descriptor_proto": ("descriptor", []),
    "duration_proto": ("duration", []),
    "empty_proto": ("empty", []),
    "field_mask_proto": ("field_mask", []),
    "source_context_proto": ("source_context", []),
    "struct_proto": ("struct", []),
    "timestamp_proto": ("timestamp", []),
    "type_proto": ("type", ["any_proto", "source_context_proto"]),
    "wrappers_proto": ("wrappers", []),
}

_BUILD = """\
package(default_visibility = ["//visibility:public"])

alias(name = "protobuf", actual = "@grpc_cxl_prefix//:protobuf")

alias(name = "protoc", actual = "@grpc_cxl_prefix//:bin/protoc")

# Code for the well-known types is in the library already. This spelling is for Bazel 4 to 7.
proto_lang_toolchain(
    name = "cc_toolchain",
    blacklisted_protos = {protos},
    command_line = "--cpp_out=$(OUT)",
    runtime = "@grpc_cxl_prefix//:protobuf",
)
"""

_PROTO = """
proto_library(
    name = "{name}",
    srcs = ["{source}"],
    deps = {deps},
)
"""

def _protobuf_impl(ctx):
    prefix = ctx.path(Label("@grpc_cxl_prefix//:BUILD.bazel")).dirname
    build = _BUILD.format(
        protos = repr([":" + name for name in _WELL_KNOWN]),
    )
    for name, (stem, deps) in _WELL_KNOWN.items():
        source = "google/protobuf/%s.proto" % stem
        ctx.symlink("%s/include/%s" % (prefix, source), source)
        build += _PROTO.format(name = name, source = source, deps = repr([":" + dep for dep in deps]))
    ctx.file("BUILD.bazel", build)

protobuf_repository = repository_rule(implementation = _protobuf_impl)
