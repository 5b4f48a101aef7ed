# SPDX-License-Identifier: Apache-2.0
"""Runs a test program under the checker."""

import os
import subprocess


def run(test, seconds, output=subprocess.DEVNULL, **variables):
    """How a run of `test` ended: passed, failed or hung."""
    drop = ("GTEST_", "TEST_", "XML_OUTPUT_FILE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(drop)}
    environment.update(GRPC_CXL_COHERENCE="flush", GRPC_CXL_CHECK_FLUSHES="1",
                       GRPC_CXL_CACHE_SEED="0", GTEST_FAIL_FAST="1",
                       TEST_TMPDIR=os.environ["TEST_TMPDIR"])
    environment.update(variables)
    try:
        # The path is the test's own name for itself, which its death tests need.
        ended = subprocess.run([test], env=environment, timeout=seconds, check=False,
                               stdout=output, stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired:
        return "hung"
    return "passed" if ended.returncode == 0 else "failed"
