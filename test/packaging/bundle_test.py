# SPDX-License-Identifier: Apache-2.0
"""Proves that the programs of a bundle run for anybody, anywhere, on nothing but the bundle, and
that they do not notice it."""

import contextlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import unittest

import bundling

LAUNCHER = "packaging/bundle/launcher.elf"
NOBODY = 65534


class BundleTest(unittest.TestCase):

    def setUp(self):
        # In /tmp, because other users may not look into Bazel's folders.
        self.root = tempfile.mkdtemp(dir="/tmp")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        os.chmod(self.root, 0o755)
        with tarfile.open("test/packaging/greeter.tar.gz") as tar:
            tar.extractall(self.root)
        self.bundle = os.path.join(self.root, "greeter")
        self.names = os.path.join(self.root, "names")
        os.mkdir(self.names)

    @contextlib.contextmanager
    def server(self, command, **how):
        """The process, once it listens."""
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **how) as process:
            try:
                self.assertIn("Listening", process.stdout.readline())
                yield process
            finally:
                process.terminate()
        self.assertEqual(process.returncode, 0)

    def greeting(self, command, **how):
        return subprocess.run(command, check=True, capture_output=True, text=True, **how).stdout

    def test_as_another_user_from_another_folder(self):
        how = {"env": {"GRPC_CXL_DIR": self.names}, "cwd": "/"}
        if os.getuid() == 0:
            how.update(user=NOBODY, group=NOBODY, extra_groups=[])
            os.chown(self.names, NOBODY, NOBODY)
        os.chmod(self.names, 0o700)
        with self.server([f"{self.bundle}/server"], **how) as server:
            self.assertEqual(self.greeting([f"{self.bundle}/client", "--name=Ada"], **how),
                             "Hello, Ada!\n")
            self.assertEqual(os.readlink(f"/proc/{server.pid}/exe"), f"{self.bundle}/server")
            with open(f"/proc/{server.pid}/comm", encoding="utf-8") as file:
                self.assertEqual(file.read(), "server\n")
            with open(f"/proc/{server.pid}/cmdline", encoding="utf-8") as file:
                self.assertEqual(file.read(), f"{self.bundle}/server\0")
            with open(f"/proc/{server.pid}/maps", encoding="utf-8") as file:
                mapped = {line.split()[-1] for line in file if ".so" in line or " r-xp " in line}
        strange = [file for file in mapped if file.startswith("/") and self.bundle not in file]
        self.assertEqual(strange, [])
        self.assertRegex(self.greeting(["readelf", "-d", f"{self.bundle}/lib/programs/server"]),
                         r"\(R(UN)?PATH\).*\[\]")

    def test_in_an_empty_root(self):
        if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode != 0:
            self.skipTest("this system lets nobody make user namespaces")
        # Not even /proc: the program runs, and fails at its own work.
        alone = ["unshare", "-r", "chroot", self.root, "/greeter/client", "--address=unix:/nowhere"]
        self.assertIn("The call failed with status 14",
                      subprocess.run(alone, capture_output=True, text=True).stderr)
        # grpc_cxl wants /proc.
        os.mkdir(f"{self.root}/proc")
        how = {"env": {"GRPC_CXL_DIR": "/names", "PATH": os.environ["PATH"]}}
        enter = ["unshare", "-rm", "sh", "-c", 'mount --rbind /proc "$0/proc" && exec chroot "$0" "$1"',
                 self.root]
        with self.server(enter + ["/greeter/server"], **how):
            self.assertEqual(self.greeting(enter + ["/greeter/client"], **how), "Hello, world!\n")

    def test_through_a_link_with_any_name(self):
        os.symlink(f"{self.bundle}/client", f"{self.root}/greet")
        result = subprocess.run(["greet", "--address=unix:/nowhere"], executable=f"{self.root}/greet",
                                capture_output=True, text=True)
        self.assertIn("The call failed with status 14", result.stderr)

    def test_a_part_of_a_bundle(self):
        os.rename(f"{self.bundle}/lib", f"{self.bundle}/gone")
        result = subprocess.run([f"{self.bundle}/client"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 127)
        self.assertIn("copy the bundle as a whole", result.stderr)

    def test_mistakes(self):
        client = f"{self.bundle}/lib/programs/client"
        os.mkdir(f"{self.root}/mine")
        with open(f"{self.root}/mine/file", "w", encoding="utf-8"):
            pass
        for programs, output, expected in (
                (["/nowhere"], "out", "No such file"),
                (["packaging/bundle/bundling.py"], "out", "is no program"),
                ([client, client], "out", "two programs client"),
                ([f"{self.bundle}/client"], "mine", "exists and is no bundle"),
                ([f"{self.bundle}/client"], "nowhere/out", "No such file"),
        ):
            with self.subTest(expected):
                with self.assertRaisesRegex(bundling.BundleError, expected):
                    bundling.make_bundle(programs, LAUNCHER, f"{self.root}/{output}")
                self.assertEqual(sorted(os.listdir(self.root)), ["greeter", "mine", "names"])


if __name__ == "__main__":
    unittest.main()
