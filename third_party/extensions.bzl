# SPDX-License-Identifier: Apache-2.0
"""The repositories of repositories.bzl for MODULE.bazel, this one's and those of its users."""

load("//third_party:opentelemetry.bzl", "opentelemetry_repository")
load("//third_party:repositories.bzl", "grpc_repositories")

def _dependencies_impl(_ctx):
    grpc_repositories()
    opentelemetry_repository(name = "io_opentelemetry_cpp")

dependencies = module_extension(implementation = _dependencies_impl)
