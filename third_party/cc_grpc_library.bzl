# SPDX-License-Identifier: Apache-2.0
"""cc_grpc_library as in gRPC's own workspace, for the gRPC of a prefix.

It is loaded as @com_github_grpc_grpc//bazel:cc_grpc_library.bzl: labels here are of that repository.
"""

def _grpc_stubs_impl(ctx):
    proto = ctx.attr.proto[ProtoInfo]
    root = "" if proto.proto_source_root in ["", "."] else proto.proto_source_root + "/"
    if "_virtual_imports" in root or ctx.attr.proto.label.package != ctx.label.package:
        fail("cc_grpc_library wants a proto_library of its own package, without strip_import_prefix and import_prefix.")
    names = []
    outputs = {".grpc.pb.cc": [], ".grpc.pb.h": []}
    for source in proto.direct_sources:
        names.append(source.path[len(root):])
        stem = source.basename[:-len(".proto")]
        for end in outputs:
            outputs[end].append(ctx.actions.declare_file(stem + end, sibling = source))

    descriptors = proto.transitive_descriptor_sets
    arguments = ctx.actions.args()
    arguments.add_joined("--descriptor_set_in", descriptors, join_with = ":", format_joined = "%s")
    arguments.add(ctx.executable._plugin, format = "--plugin=protoc-gen-grpc=%s")
    arguments.add("--grpc_out=" + ctx.bin_dir.path + "/" + root)
    arguments.add_all(names)
    ctx.actions.run(
        executable = ctx.executable._protoc,
        arguments = [arguments],
        inputs = descriptors,
        tools = [ctx.executable._plugin],
        outputs = outputs[".grpc.pb.cc"] + outputs[".grpc.pb.h"],
        mnemonic = "GrpcStubs",
        progress_message = "Generating gRPC stubs of %s" % ctx.attr.proto.label,
    )
    return [
        DefaultInfo(files = depset(outputs[".grpc.pb.cc"] + outputs[".grpc.pb.h"])),
        OutputGroupInfo(
            headers = depset(outputs[".grpc.pb.h"]),
            sources = depset(outputs[".grpc.pb.cc"]),
        ),
    ]

_grpc_stubs = rule(
    implementation = _grpc_stubs_impl,
    attrs = {
        "proto": attr.label(mandatory = True, providers = [ProtoInfo]),
        "_plugin": attr.label(
            default = Label("//src/compiler:grpc_cpp_plugin"),
            allow_single_file = True,
            cfg = "exec",
            executable = True,
        ),
        "_protoc": attr.label(
            default = Label("@com_google_protobuf//:protoc"),
            allow_single_file = True,
            cfg = "exec",
            executable = True,
        ),
    },
)

def cc_grpc_library(name, srcs, deps, grpc_only = False, **kwargs):
    """The C++ stubs of the services of a proto_library.

    Args:
      name: the library's name.
      srcs: one proto_library of this package.
      deps: its cc_proto_library, and what that does not bring along.
      grpc_only: must be True: messages come from cc_proto_library.
      **kwargs: passed to the cc_library.
    """
    if not grpc_only or len(srcs) != 1:
        fail("cc_grpc_library(%s): set grpc_only = True, give it one proto_library as srcs, and that one's cc_proto_library as deps." % name)
    stubs = name + "_stubs"
    common = {key: kwargs[key] for key in ["tags", "testonly"] if key in kwargs}
    _grpc_stubs(name = stubs, proto = srcs[0], visibility = ["//visibility:private"], **common)
    for group in ["headers", "sources"]:
        native.filegroup(
            name = stubs + "_" + group,
            srcs = [stubs],
            output_group = group,
            visibility = ["//visibility:private"],
            **common
        )
    native.cc_library(
        name = name,
        srcs = [stubs + "_sources"],
        hdrs = [stubs + "_headers"],
        # Generated code answers to its generators, not to our warnings.
        copts = kwargs.pop("copts", []) + ["-w"],
        deps = deps + [str(Label("//:grpc++"))],
        **kwargs
    )
