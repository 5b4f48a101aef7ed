# SPDX-License-Identifier: Apache-2.0
"""Proves that the checker finds every missing write-back and invalidation.

A first run of the rooms' tests in flush mode records the sites: the places in the code that
write lines back or get them anew. Then each site is left out in turn, and a test that reaches it
must fail (or hang, which is what a missing invalidation in a loop comes to). Every place in the
sources that looks like a site must have been reached.
"""

import concurrent.futures
import os
import re
import tempfile
import time
import unittest

from test.coherence.checked_run import run

TESTS = (
    "test/ring/ring_test",
    "test/doorbell/doorbell_test",
    "test/blocks/block_test",
    "test/link/link_test",
    "test/link/far_link_test",
    "test/calls/calls_test",
    "test/calls/call_end_test",
    "test/region/region_node_test",
)

# Beside a checker's memory: a region is formatted before it has users.
UNCHECKED = re.compile(r"grpc_cxl/region/region_format\.cc")

SITE = re.compile(r"\b(?:(view_|view\(\)|view|region_?)(?:\.|->)"
                  r"(?:Load|LoadUnlessNew|Store|Refresh|Publish|Acquire|FetchXor|FetchAdd|Flush\w*|Free)"
                  r"|ReadEntry<\w+>|(?<!void )WriteEntry)\(")

# Sites whose absence no test can notice, by a piece of their line: the memory was flushed when it
# was mapped, so that a first look finds 0, which only delays; no caller parks where nobody could
# wake it; the next store of the same line, or the next look at an entry of one's own, every 50 ms,
# brings the word along; what a process finds of others in its own entry, that look finds as well;
# and another machine that leaves while a host waits to see whether it lives is no test's.
# The number of calls that a server runs is a hint, which a late look makes worse and nothing wrong.
UNPROVEN = {
    "grpc_cxl/blocks/block_pool.cc": ("view.Load(*returned",),
    "grpc_cxl/calls/client_calls.cc": ("static_cast<uint32_t>(CallWaiter::kParked)",),
    "grpc_cxl/calls/client_calls.h": ("peer_->capacity",),
    "grpc_cxl/calls/server_calls.h": ("mine_->capacity",),
    "grpc_cxl/region/membership.cc": (
        "words.boot_id", "words.opened", "a lease has passed", "FlushLine(&entry)", ".beat, ++beat_",
        "Free(mine.processes[i].incarnation)"),
    "grpc_cxl/region/region.cc": ("Store(next, id + 1)", "view_.Publish(bytes(words))"),
    "grpc_cxl/region/region_connection.cc": ("[place_.my_index].state",),
}

# A test that is to fail may take this much longer than when it passes, and at least so long.
PATIENCE = 5
LEAST_SECONDS = 4

# Most of the time goes into tests that hang, which sleep.
WORKERS = 2 * (os.cpu_count() or 1)


def source_root():
    return os.path.dirname(os.path.realpath("README.md"))


def path_and_line(site):
    path, _, number = site.rpartition(":")
    with open(os.path.join(source_root(), path), encoding="utf-8") as source:
        return path, source.read().split("\n")[int(number) - 1]


def room(path):
    return path.split("/")[1]


def is_unproven(path, line):
    return any(piece in line for piece in UNPROVEN.get(path, ()))


def sites_in(path, text):
    """(first line, last line) of everything in a source that looks like a site."""
    found = []
    text = re.sub(r"//.*", "", text)
    for match in SITE.finditer(text):
        line = text[text.rfind("\n", 0, match.start()) + 1:text.find("\n", match.end())]
        if UNCHECKED.match(f"{path}: {match.group(0)}") or is_unproven(path, line):
            continue
        depth, end = 1, match.end()
        while depth > 0:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        if not re.search(r"\bsite\)$", text[match.end():end]):  # a wrapper: its caller is the site
            found.append((text.count("\n", 0, match.start()) + 1, text.count("\n", 0, end) + 1))
    return found


class CheckerMutationTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.reached = {}  # site -> tests
        cls.seconds = {}  # test -> how long it takes
        for test in TESTS:
            with tempfile.NamedTemporaryFile("r") as record:
                start = time.monotonic()
                end = run(test, 300, GRPC_CXL_RECORD_SITES=record.name)
                cls.seconds[test] = time.monotonic() - start
                if end != "passed":
                    raise AssertionError(f"{test} {end} with nothing left out")
                for site in record.read().split():
                    if not site.startswith("grpc_cxl/"):
                        continue  # the test looks for itself
                    cls.reached.setdefault(site, set()).add(test)

    def test_every_place_in_the_sources_is_reached(self):
        root = source_root()
        missing, looked_at = [], 0
        for name in sorted({room(test) for test in TESTS}):
            folder = os.path.join("grpc_cxl", name)
            for file in sorted(os.listdir(os.path.join(root, folder))):
                path = os.path.join(folder, file)
                if not file.endswith((".h", ".cc")):
                    continue
                with open(os.path.join(root, path), encoding="utf-8") as source:
                    places = sites_in(path, source.read())
                looked_at += len(places)
                missing += [f"{path}:{first}" for first, last in places
                            if not any(f"{path}:{line}" in self.reached
                                       for line in range(first, last + 1))]
        self.assertGreater(looked_at, 50)
        self.assertEqual(missing, [], "no test under the checker comes here")

    def test_every_site_is_missed(self):
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            sites = [site for site in sorted(self.reached) if not is_unproven(*path_and_line(site))]
            ends = list(pool.map(self._leave_out, sites))
        self.assertGreater(len(ends), 50)
        unnoticed = [site for site, noticed in ends if not noticed]
        for site in unnoticed:
            print(f"without {site}: every test passes", flush=True)
        self.assertEqual(unnoticed, [], "no test notices that it is left out")

    def _leave_out(self, site):
        # The tests of its own room first, quick ones first.
        tests = sorted(self.reached[site],
                       key=lambda test: (room(test) != room(site), self.seconds[test]))
        for test in tests:
            patience = max(LEAST_SECONDS, PATIENCE * self.seconds[test])
            end = run(test, patience, GRPC_CXL_DROP_SITE=site)
            if end != "passed":
                print(f"without {site}: {test} {end}", flush=True)
                return site, True
        return site, False


if __name__ == "__main__":
    unittest.main(verbosity=2)
