# SPDX-License-Identifier: Apache-2.0
"""Checks the models of small protocols with SPIN, where that is installed.

A model lives beside what it describes. Each must hold, and fail as soon as one part is left out.
"""

import concurrent.futures
import os
import shutil
import subprocess
import tempfile
import unittest

from record_skip import record_skip  # test/support

DOORBELL = "grpc_cxl/doorbell/doorbell.pml"
RING = "grpc_cxl/ring/ring.pml"
SLOT = "grpc_cxl/calls/call_slot.pml"
REGION = "grpc_cxl/region/region.pml"
VIEW = "grpc_cxl/coherence/shared_view.pml"

HOLD = (
    (DOORBELL, ""),
    (DOORBELL, "WEAK"),
    (VIEW, "MESSAGE"),
    (VIEW, "DEKKER"),
    (VIEW, "REUSE"),
    (VIEW, "MESSAGE NO_DROP"),
    (VIEW, "LINE"),
    (VIEW, "ENTRY"),
    (RING, ""),
    (RING, "WEAK"),
    (RING, "NON_COHERENT"),
    (SLOT, ""),
    (SLOT, "WEAK"),
    (SLOT, "NON_COHERENT"),
    (REGION, ""),
)
FAIL = (
    (DOORBELL, "NO_FENCE_2"),
    (DOORBELL, "NO_FENCE_B"),
    (VIEW, "MESSAGE NO_PUBLISH"),
    (VIEW, "MESSAGE NO_FENCE"),
    (VIEW, "MESSAGE NO_ACQUIRE"),
    (VIEW, "LINE HEAD_FIRST"),
    (VIEW, "DEKKER NO_WRITE_BACK"),
    (VIEW, "DEKKER NO_DROP"),
    (VIEW, "REUSE NO_FLUSH"),
    (VIEW, "ENTRY NO_PUBLISH"),
    (VIEW, "ENTRY NO_ACQUIRE"),
    (VIEW, "ENTRY NO_DROP"),
    (VIEW, "ENTRY NO_ZERO"),
    (RING, "WEAK NO_RELEASE_HEAD"),
    (RING, "NO_ACQUIRE_HEAD"),
    (RING, "NO_RELEASE_TAIL"),
    (RING, "NON_COHERENT NO_PUBLISH"),
    (RING, "NON_COHERENT NO_ACQUIRE"),
    (SLOT, "NO_FENCE_2"),
    (SLOT, "NO_FENCE_B"),
    (SLOT, "WEAK NO_RELEASE_POSTED"),
    (SLOT, "WEAK NO_RELEASE_DONE"),
    (SLOT, "NON_COHERENT NO_PUBLISH"),
    (SLOT, "NON_COHERENT NO_ACQUIRE"),
    (SLOT, "NON_COHERENT NO_WRITE_BACK"),
    (SLOT, "NON_COHERENT NO_DROP"),
    (REGION, "NO_ACKNOWLEDGEMENT"),
    (REGION, "NO_LOCK"),
    (REGION, "NO_CLEAR_UP"),
)


def check(model, parts):
    """What SPIN says of a model with some parts left out: "" when it holds."""
    path = os.path.realpath(model)
    with tempfile.TemporaryDirectory() as folder:
        def run(*command):
            return subprocess.run(command, cwd=folder, check=True, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
        run("spin", *("-D" + part for part in parts.split()), "-a", path)
        run("cc", "-O0", "-w", "-DSAFETY", "-o", "pan", "pan.c")
        said = run("./pan", "-m100000", "-w20")
    if "errors: 0" in said and "max search depth too small" not in said:
        return ""
    return said


def check_all(models):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return zip(models, pool.map(lambda one: check(*one), models))


class ModelsTest(unittest.TestCase):

    def test_models_hold(self):
        for model, said in check_all(HOLD):
            with self.subTest(model=model):
                self.assertEqual(said, "")

    def test_without_a_part_they_fail(self):
        for model, said in check_all(FAIL):
            with self.subTest(model=model):
                self.assertRegex(said, "assertion violated|invalid end state")


if __name__ == "__main__":
    if shutil.which("spin") and shutil.which("cc"):
        unittest.main(verbosity=2)
    else:
        record_skip("models", "SPIN (Debian: spin) and a C compiler are not both installed")
