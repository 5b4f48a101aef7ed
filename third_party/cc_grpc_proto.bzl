# SPDX-License-Identifier: Apache-2.0
"""Generated C++ for one .proto file: messages and gRPC stubs."""

def cc_grpc_proto(name, src, imports = [], deps = [], **kwargs):
    """A cc_library with the messages and stubs of `src`.

    Args:
      name: the library's name.
      src: a .proto file of this package.
      imports: the .proto files that it imports.
      deps: the libraries of these.
      **kwargs: passed to the cc_library.
    """
    stem = src[:-len(".proto")]
    generated = [stem + end for end in [".pb.h", ".pb.cc", ".grpc.pb.h", ".grpc.pb.cc"]]
    native.genrule(
        name = name + "_generated",
        srcs = [src] + imports,
        outs = generated,
        cmd = " ".join([
            "$(execpath @com_google_protobuf//:protoc)",
            "--plugin=protoc-gen-grpc=$(execpath @com_github_grpc_grpc//src/compiler:grpc_cpp_plugin)",
            "--cpp_out=$(BINDIR)",
            "--grpc_out=$(BINDIR)",
            "-I.",
            "$(execpath %s)" % src,
        ]),
        tags = kwargs.get("tags", []),
        tools = [
            "@com_google_protobuf//:protoc",
            "@com_github_grpc_grpc//src/compiler:grpc_cpp_plugin",
        ],
    )
    native.cc_library(
        name = name,
        srcs = [f for f in generated if f.endswith(".cc")],
        hdrs = [f for f in generated if f.endswith(".h")],
        # Generated code answers to its generators, not to our warnings.
        copts = ["-w"],
        deps = deps + ["@com_github_grpc_grpc//:grpc++", "@com_google_protobuf//:protobuf"],
        **kwargs
    )
