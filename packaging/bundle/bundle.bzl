# SPDX-License-Identifier: Apache-2.0
"""Bundles as targets:

    load("@grpc_cxl//packaging/bundle:bundle.bzl", "bundle")

    bundle(
        name = "shop_bundle",  # makes shop_bundle.tar.gz
        programs = [":client", ":server"],
    )
"""

def _bundle_impl(ctx):
    output = ctx.actions.declare_file(ctx.label.name + ".tar.gz")
    programs = [program[DefaultInfo].files_to_run.executable for program in ctx.attr.programs]
    arguments = ctx.actions.args()
    arguments.add(ctx.file._launcher, format = "--launcher=%s")
    arguments.add(output, format = "--output=%s")
    arguments.add_all(programs)
    ctx.actions.run(
        executable = ctx.executable._tool,
        arguments = [arguments],
        inputs = programs + [ctx.file._launcher],
        outputs = [output],
        # The libraries lie where the programs say, outside of what Bazel would send along.
        execution_requirements = {"no-remote": "1"},
        mnemonic = "Bundle",
        progress_message = "Bundling %s" % ctx.label,
        use_default_shell_env = True,
    )
    return [DefaultInfo(files = depset([output]), runfiles = ctx.runfiles([output]))]

bundle = rule(
    doc = "A tar of programs with the loader and the libraries that they need; see docs/building.md.",
    implementation = _bundle_impl,
    attrs = {
        "programs": attr.label_list(mandatory = True, providers = [CcInfo]),
        "_launcher": attr.label(
            default = Label("//packaging/bundle:launcher"),
            allow_single_file = True,
        ),
        "_tool": attr.label(
            default = Label("//packaging/bundle:bundling_tool"),
            cfg = "exec",
            executable = True,
        ),
    },
)
