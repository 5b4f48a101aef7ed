# SPDX-License-Identifier: Apache-2.0
"""The repositories of repositories.bzl for MODULE.bazel, this one's and those of its users."""

load("//third_party:repositories.bzl", "grpc_repositories")

def _dependencies_impl(_ctx):
    grpc_repositories()

dependencies = module_extension(implementation = _dependencies_impl)
