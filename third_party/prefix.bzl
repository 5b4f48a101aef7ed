# SPDX-License-Identifier: Apache-2.0
"""One repository with gRPC and its dependencies, built from installed files.

The files come from Debian's packages, unpacked into the repository itself, or
from the prefix that `--repo_env=GRPC_CXL_PREFIX=/path` names. `//third_party:
repositories.bzl` puts the usual labels in front of it.
"""

_MINIMUM_GRPC = (1, 80)

# What the prefix must provide; anything else in its include folder stays hidden,
# so that a prefix of /usr does not put the C library's headers in front.
_HEADERS = [
    "absl",
    "benchmark",
    "gmock",
    "google",
    "grpc",
    "grpc++",
    "grpcpp",
    "gtest",
    "upb",
    "utf8_range.h",
    "utf8_validity.h",
]

_HOTEL = "//examples/hotel_reservation"
_CXL_STAT = "//grpc_cxl/tools:cxl_stat"

# libcrypto proves shared secrets; gRPC links it as well. The others are for tools and examples: a
# prefix may lack them, then the targets that use them do not build, and the error says which file
# is missing. Each has include folders of its own, so that they are no inputs of other compilations.
#
# name -> its headers, the first of which tells whether it is there; its libraries, the first of
# which tells whether they are there (none when it has headers alone); the macros that go with these
# (none when the prefix has the headers alone); and who needs it.
_OTHER_LIBRARIES = {
    "ftxui": (["ftxui"], ["ftxui-component", "ftxui-dom", "ftxui-screen"], [], _CXL_STAT),
    "hdr_histogram": (["hdr"], ["hdr_histogram"], [], _HOTEL),
    "httplib": (
        ["httplib.h", "brotli", "openssl", "zconf.h", "zlib.h", "zstd.h", "zstd_errors.h"],
        ["cpp-httplib"],
        # Debian's library is built with these; they change the layout of its classes.
        ["CPPHTTPLIB_%s_SUPPORT" % what for what in ["OPENSSL", "ZLIB", "BROTLI", "ZSTD"]] +
        ["CPPHTTPLIB_USE_NON_BLOCKING_GETADDRINFO"],
        _HOTEL,
    ),
    "json": (["nlohmann"], [], [], _CXL_STAT),
    "libcrypto": (["openssl"], ["crypto"], [], "grpc_cxl"),
    "prometheus": (["prometheus"], ["prometheus-cpp-pull", "prometheus-cpp-core"], [], _CXL_STAT),
    "sqlite3": (["sqlite3.h"], ["sqlite3"], [], _HOTEL),
}

_OTHER_LIBRARY = """
cc_library(
    name = "{name}",
    hdrs = glob(["libraries/{name}/**"]),
    defines = {defines},
    includes = ["libraries/{name}/include", "libraries/{name}/arch"],
    linkopts = {link},
)
"""

_MISSING_LIBRARY = """
genrule(
    name = "{name}_missing",
    outs = ["libraries/{name}/{header}"],
    cmd = "echo >&2 'grpc_cxl: {include} has no {header}, which {user} needs: install " +
          "it there, or leave GRPC_CXL_PREFIX unset.'; exit 1",
)

cc_library(
    name = "{name}",
    hdrs = ["libraries/{name}/{header}"],
)
"""

_BUILD = """\
package(default_visibility = ["//visibility:public"])

exports_files(["bin/protoc", "bin/grpc_cpp_plugin"])

cc_library(
    name = "headers",
    hdrs = glob(["include/**"]),
    includes = ["include"],
)

cc_library(
    name = "absl",
    linkopts = {link} + ["-Wl,--push-state,--as-needed"] + {absl} + ["-Wl,--pop-state"],
    deps = [":headers"],
)

cc_library(
    name = "protobuf",
    linkopts = ["-lprotobuf"],
    deps = [":absl"],
)

cc_library(
    name = "grpc++",
    linkopts = ["-lgrpc++", "-lgrpc", "-lgpr"],
    deps = [":protobuf"],
)

cc_library(
    name = "grpc++_reflection",
    linkopts = ["-lgrpc++_reflection"],
    deps = [":grpc++"],
)

cc_library(
    name = "grpc_authorization_provider",
    linkopts = ["-lgrpc_authorization_provider"],
    deps = [":grpc++"],
)

cc_library(
    name = "gtest",
    linkopts = {link} + ["-lgmock", "-lgtest"] + {absl} + {runtime},
    deps = [":headers"],
)

cc_library(
    name = "gtest_main",
    linkopts = ["-lgtest_main"],
    deps = [":gtest"],
)

# Debian ships this one as a static library only.
cc_library(
    name = "status_matchers",
    linkopts = ["-labsl_status_matchers"],
    deps = [":absl", ":gtest"],
)

cc_library(
    name = "benchmark",
    linkopts = {link} + ["-lbenchmark"],
    deps = [":headers"],
)
"""

def _first_existing(ctx, candidates, what, prefix):
    for candidate in candidates:
        if ctx.path(candidate).exists:
            return ctx.path(candidate)
    fail(("grpc_cxl: %s has no %s (looked for %s): point GRPC_CXL_PREFIX at the folder into which gRPC " +
          "was installed, with shared libraries (for CMake: -DBUILD_SHARED_LIBS=ON).") %
         (prefix, what, ", ".join(candidates)))

def _grpc_version(ctx, include):
    text = ctx.read(str(include) + "/grpcpp/version_info.h")
    version = []
    for part in ["MAJOR", "MINOR"]:
        number = text.partition("GRPC_CPP_VERSION_%s " % part)[2].partition("\n")[0].strip()
        if not number.isdigit():
            fail("grpc_cxl: cannot read gRPC's version from %s/grpcpp/version_info.h." % include)
        version.append(int(number))
    return tuple(version)

def _other_library(ctx, name, include, lib, multiarch, link):
    """The BUILD text of one of _OTHER_LIBRARIES; links its headers to where it says."""
    headers, libraries, defines, user = _OTHER_LIBRARIES[name]
    if not ctx.path("%s/%s" % (include, headers[0])).exists:
        if name == "libcrypto" and ctx.path("/usr/include/openssl/hmac.h").exists:
            # gRPC was built with the host's OpenSSL.
            return "cc_library(name = \"libcrypto\", linkopts = [\"-lcrypto\"])\n"
        return _MISSING_LIBRARY.format(name = name, header = headers[0], include = include, user = user)
    for header in headers:
        for folder, source in [("include", include), ("arch", "%s/%s" % (include, multiarch))]:
            if ctx.path("%s/%s" % (source, header)).exists:
                ctx.symlink("%s/%s" % (source, header), "libraries/%s/%s/%s" % (name, folder, header))
    there = libraries and [
        suffix
        for suffix in ["so", "a"]
        if ctx.path("%s/lib%s.%s" % (lib, libraries[0], suffix)).exists
    ]
    link = link + ["-l" + library for library in libraries] if there else []
    defines = defines if there else []
    return _OTHER_LIBRARY.format(name = name, defines = repr(defines), link = repr(link))

def _prefix_impl(ctx):
    given = ctx.os.environ.get("GRPC_CXL_PREFIX", "")
    if given:
        prefix = given
        if not prefix.startswith("/"):
            fail("grpc_cxl: GRPC_CXL_PREFIX=%s is not an absolute path." % prefix)
        if not ctx.path(prefix).exists:
            fail("grpc_cxl: GRPC_CXL_PREFIX=%s does not exist." % prefix)
    else:
        ctx.report_progress("Unpacking gRPC from Debian's packages")
        prefix = str(ctx.path("prefix"))
        for read in ["debian_prefix.cmake", "debian_packages.lock"]:
            ctx.path(Label("//third_party:" + read))  # what the script reads
        result = ctx.execute([ctx.path(Label("//third_party:debian_prefix.sh")), prefix], timeout = 1800)
        if result.return_code != 0:
            fail(result.stderr.strip())
        if result.stderr:
            print(result.stderr.strip())  # buildifier: disable=print

    include = _first_existing(
        ctx,
        [d + "/grpcpp/version_info.h" for d in [prefix + "/usr/include", prefix + "/include"]],
        "gRPC headers",
        prefix,
    ).dirname.dirname
    version = _grpc_version(ctx, include)
    if version < _MINIMUM_GRPC:
        fail("grpc_cxl: %s holds gRPC %d.%d, but 1.80 or newer is needed (the first with a public event engine)." %
             (prefix, version[0], version[1]))
    for name in _HEADERS:
        if ctx.path(str(include) + "/" + name).exists:
            ctx.symlink(str(include) + "/" + name, "include/" + name)

    root = include.dirname
    multiarch = ctx.execute(["gcc", "-print-multiarch"]).stdout.strip()
    lib = _first_existing(
        ctx,
        ["%s/%s/libgrpc++.so" % (root, d) for d in ["lib/" + multiarch, "lib64", "lib"]],
        "shared gRPC library",
        prefix,
    ).dirname
    link = ["-L%s" % lib]
    if str(lib) != "/usr/lib/" + multiarch:
        # DT_RPATH, not DT_RUNPATH: it also serves the libraries' own dependencies.
        link += ["-Wl,--allow-shlib-undefined", "-Wl,-rpath-link,%s" % lib]
        link += ["-Wl,--disable-new-dtags", "-Wl,-rpath,%s" % lib]

    # A prefix that brings its own C library needs its own loader as well, and its static
    # libraries (GoogleTest) want symbols that the host's C and C++ libraries may not have.
    run = ""
    runtime = []
    for entry in lib.readdir():
        if entry.basename.startswith("ld-linux") or entry.basename.startswith("ld64"):
            link.append("-Wl,--dynamic-linker,%s" % entry)
            if not ctx.path("%s/libexec/grpc_cxl" % root).exists:  # else its programs do so themselves
                run = "%s --library-path %s " % (entry, lib)
            runtime = ["-l:libstdc++.so.6", "-l:libc.so.6"]
    for tool in ["protoc", "grpc_cpp_plugin"]:
        path = _first_existing(ctx, ["%s/bin/%s" % (root, tool)], tool, prefix)
        ctx.file("bin/" + tool, "#!/bin/sh\nexec %s%s \"$@\"\n" % (run, path), executable = True)

    absl = sorted([
        "-l" + entry.basename[len("lib"):-len(".so")]
        for entry in lib.readdir()
        if entry.basename.startswith("libabsl_") and entry.basename.endswith(".so") and
           "_test_" not in entry.basename
    ])
    build = _BUILD.format(link = repr(link), absl = repr(absl), runtime = repr(runtime))
    for name in _OTHER_LIBRARIES:
        build += _other_library(ctx, name, include, lib, multiarch, link)
    ctx.file("BUILD.bazel", build)

grpc_cxl_prefix = repository_rule(
    implementation = _prefix_impl,
    environ = ["GRPC_CXL_PREFIX", "GRPC_CXL_CACHE", "GRPC_CXL_PACKAGES"],
    local = False,
)

def _aliases_impl(ctx):
    for package, names in ctx.attr.packages.items():
        lines = ["package(default_visibility = [\"//visibility:public\"])"]
        for name in names:
            target = ctx.attr.targets.get(name, ctx.attr.default_target)
            lines.append("alias(name = \"%s\", actual = \"@grpc_cxl_prefix//:%s\")" % (name, target))
        ctx.file((package + "/" if package else "") + "BUILD.bazel", "\n".join(lines) + "\n")
    for label, path in ctx.attr.files.items():
        ctx.symlink(label, path)

alias_repository = repository_rule(
    doc = "Labels of a well-known repository, each an alias for a target of @grpc_cxl_prefix.",
    implementation = _aliases_impl,
    attrs = {
        "default_target": attr.string(),
        "files": attr.label_keyed_string_dict(doc = "file -> its path in the repository"),
        "packages": attr.string_list_dict(doc = "package -> target names"),
        "targets": attr.string_dict(doc = "target name -> name in @grpc_cxl_prefix, where it is not the default"),
    },
)

def _files_impl(ctx):
    for path, text in ctx.attr.files.items():
        ctx.file(path, text)

files_repository = repository_rule(
    doc = "A repository made of the given files.",
    implementation = _files_impl,
    attrs = {"files": attr.string_dict()},
)
