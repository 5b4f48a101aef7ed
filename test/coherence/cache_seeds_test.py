# SPDX-License-Identifier: Apache-2.0
"""Runs the rooms' tests with caches that evict and fetch lines of their own accord.

What they do follows from a seed (CacheAdversary in cache_adversary.h); a failure names it. CI takes
a few seeds. For many: --test_env=GRPC_CXL_CACHE_SEEDS=1000, or 5000:6000 for those from 5000 on.
"""

import concurrent.futures
import os
import tempfile
import unittest

from test.coherence.checked_run import run

# call_end_test is not among them: it stops each side before a write-back and says what the other
# must not see, which holds with lazy caches only.
TESTS = (
    "test/ring/ring_test",
    "test/doorbell/doorbell_test",
    "test/blocks/block_test",
    "test/link/link_test",
    "test/link/far_link_test",
    "test/calls/calls_test",
    "test/region/region_node_test",
    "test/streams/streams_test",
)
# With what is left out of them: see their BUILD files.
ENDPOINTS = (
    ("test/endpoint/endpoint_test", ""),
    ("test/endpoint/endpoint_end_test", ""),
    ("test/endpoint/endpoint_payload_test", "-*InPlaceFromTheTrusted*"),
)
# Take long: with the first seed only, unless more are asked for.
WHOLE_CALLS = (
    ("test/e2e/calls_test", "-*/tcp*:*/unix*:*_tcp*:*_unix*"),
    ("test/e2e/region_test", ""),
)
SECONDS = 240


def seeds():
    first, _, end = os.environ.get("GRPC_CXL_CACHE_SEEDS", "4").rpartition(":")
    return range(int(first), int(end)) if first else range(1, int(end) + 1)


class CacheSeedsTest(unittest.TestCase):

    def test_all_pass_whatever_the_caches_do(self):
        few = seeds() if "GRPC_CXL_CACHE_SEEDS" in os.environ else seeds()[:1]
        runs = [(test, all_but, seed) for seed in few for test, all_but in WHOLE_CALLS]
        runs += [(test, all_but, seed) for seed in seeds()
                 for test, all_but in tuple((test, "") for test in TESTS) + ENDPOINTS]
        with concurrent.futures.ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
            failures = [failure for failure in pool.map(self._run, runs) if failure]
        print(f"{len(runs)} runs")
        self.assertEqual(failures, [])

    def _run(self, test_and_seed):
        test, all_but, seed = test_and_seed
        with tempfile.TemporaryFile("w+") as output:
            end = run(test, SECONDS, output, GRPC_CXL_CACHE_SEED=str(seed),
                      **({"GTEST_FILTER": all_but} if all_but else {}))
            if end == "passed":
                return None
            output.seek(0)
            print(output.read()[-4000:])
        again = ("GRPC_CXL_COHERENCE=flush GRPC_CXL_CHECK_FLUSHES=1 "
                 f"GRPC_CXL_CACHE_SEED={seed} bazel-bin/{test}")
        print(f"{test} {end} with seed {seed}. Once more: {again}", flush=True)
        return f"{end}: {again}"


if __name__ == "__main__":
    unittest.main(verbosity=2)
