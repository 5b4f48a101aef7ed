# SPDX-License-Identifier: Apache-2.0
"""Proves that the checker finds every missing write-back and invalidation.

A first run of the rooms' tests in flush mode records the sites: the places in the code that
write lines back or get them anew, each with the calls that lead there (call_paths.py). Then one
call path is left out, no other use of the place, and a test that reaches it must fail (or hang,
which is what a missing invalidation in a loop comes to). Every place in the sources that looks like
a site must have been reached.

All call paths take many minutes: //test/coherence:checker_mutation_all_test. The test of every day
takes those to each place in an order by GRPC_CXL_MUTATION_SEED (default 1; "all" for all), until one
is missed.
"""

import concurrent.futures
import os
import re
import tempfile
import time
import unittest
import zlib

from test.coherence import call_paths
from test.coherence.checked_run import run

TESTS = (
    "test/ring/ring_test",
    "test/doorbell/doorbell_test",
    "test/blocks/block_test",
    "test/link/link_test",
    "test/link/far_link_test",
    "test/calls/calls_test",
    "test/calls/call_end_test",
    "test/calls/take_back_test",
    "test/region/region_node_test",
    "test/streams/streams_test",
    "test/streams/stream_tell_test",
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
# The number of calls that a server runs is a hint, which a late look makes worse and nothing wrong;
# so is a slot's word to who looks which calls to take back. Damaged entries are freed in
# //test/region:region_damage_test, without the checker.
UNPROVEN = {
    "grpc_cxl/blocks/block_pool.cc": ("view.Load(*returned",),
    "grpc_cxl/calls/client_calls_end.cc": (
        "word = view_.Load(server_slots_[slot].word, std::memory_order_relaxed)",),
    "grpc_cxl/calls/client_calls_wait.cc": ("static_cast<uint32_t>(CallWaiter::kParked)",),
    "grpc_cxl/calls/client_calls.h": ("peer_->capacity",),
    "grpc_cxl/calls/server_calls.h": ("mine_->capacity",),
    "grpc_cxl/region/dead_processes.cc": (
        "a lease has passed", "Free(mine.processes[i].incarnation)", "Free(entry.id)",
        "Free(mine.requests[i].id)"),
    "grpc_cxl/region/membership.cc": (
        "words.boot_id", "words.opened", "FlushLine(&entry)", ".beat, ++beat_"),
    "grpc_cxl/region/region.cc": ("Store(next, id + 1)", "view_.Publish(bytes(words))"),
    "grpc_cxl/region/region_answers.cc": (
        "Store(entry.state, static_cast<uint32_t>(AnswerState::kClosed))",),
    "grpc_cxl/region/region_connection.cc": ("[place_.my_index].state",),
}

# The same for single call paths to a place, each by pieces of its line and of the path's text.
UNPROVEN_PATHS = {
    "grpc_cxl/blocks/block_pool.cc": (
        # Allocate() stores the figure once more.
        ("mine_->pages_in_use", "BlockPool::TakeBackLocked < BlockPool::Allocate"),
        # For onlookers; the next block brings it along.
        ("mine_->pages_in_use", "BlockPool::Release"),
    ),
    "grpc_cxl/calls/client_calls.cc": (
        # The first try has just brought the line.
        ("cancels_seen", "ClientCalls::Acquire#2"),
        # The connection has ended: nobody reads it.
        ("acked", "ClientCalls::LookAtEnd"),
        # The look before has just brought the line. What the server has told since is a response
        # that comes at the connection's end, where it may be lost.
        ("view_.Load(shared", "ClientCalls::LookAtEnd < ClientCalls::LookOrEnd"),
    ),
    "grpc_cxl/calls/server_calls.cc": (
        # The look at `cancelled_generation` has just brought the line, and a client that takes its
        # call back waits for nothing, or has said before how.
        ("client_slots_[slot].waiter", "ServerCalls::Take#2"),
    ),
    "grpc_cxl/doorbell/doorbell.cc": (
        # A waker that sees it late wakes in vain; //test/doorbell shows that it is seen.
        ("mine_->epoch", "DoorbellSleeper::Awake < Link::Awake"),
        # A figure; //test/doorbell shows that it is seen.
        ("mine_->woke_at", "Link::"),
    ),
    "grpc_cxl/region/dead_processes.cc": (
        # Another machine that is this host is found by its beat, every 50 ms, by FreeUnused().
        ("FlushLine(&mine.processes[i])", "Membership::Join"),
        ("FlushLine(&mine.processes[i])", "RegionAnswers::Accept"),
        ("FlushLine(&mine.processes[i])", "RegionConnector::Ask"),
        ("FlushLine(&mine.processes[i])", "RegionListener::Listen"),
        # Join() has dropped the lines of all of the control.
        ("entry.incarnation", "WatchTheSilent"),
    ),
    "grpc_cxl/region/membership.cc": (
        # Matters between the last beat and the end only.
        ("FlushLine(&words)", "Membership::~Membership"),
        # By the last connection in place of the last caller.
        ("mine().processes[self_.index].incarnation", "::~shared_ptr"),
    ),
    "grpc_cxl/region/peer_lease.cc": (
        # The listener has just read the entry; a client that has ended since then is found by the
        # connection's next look.
        ("entry.incarnation", "RegionAnswers::Accept"),
    ),
    "grpc_cxl/region/region_connection.cc": (
        # Memory that is given back so early was not touched, or zeroed and written back.
        ("FlushMemory", "RegionAnswers::Accept"),
    ),
    "grpc_cxl/region/region.cc": (
        # The first look has just brought the line.
        ("header.layout_version", "Region::Open#2"),
        ("header.layout_version", "WatchTheSilent"),
    ),
    "grpc_cxl/region/region_entries.cc": (
        # As above.
        ("ReadEntry<", "OwnersOfEntries < WatchTheSilent"),
        # The dead client, on the same machine, had read the answer, which does not change while its
        # request stands.
        ("ReadEntry<AnswerRecord>", "FlushMemoryOf"),
        # A pid for people.
        ("ReadEntry<ProcessRecord>", "PidOf"),
        # The next beat, in the same line, brings it along.
        ("WriteEntry(region, entry, entry.incarnation", "Membership::Join"),
        # IsClientUsing() has just looked at the id, in the same line.
        ("ReadEntry<RequestRecord>", "RegionAnswers::IsClientUsing"),
    ),
    "grpc_cxl/ring/ring_reader.cc": (
        # A client that waits for space hears that its stream is refused.
        ("words_.want_space", "Refused::OnNews"),
    ),
    "grpc_cxl/ring/ring_writer.cc": (
        # Asks for memory, not for room: the first Write() looks again.
        ("words_.tail", "RingWriter::FreeSpace < ClientStreams::Open"),
        # A reader that sees it late wakes in vain; //test/ring shows that it is seen.
        ("want_space, uint64_t{0}", "Link::ClearWantSpace"),
        ("want_space, uint64_t{0}", "Stream"),
        # The store of `head`, in the same line, brings it along.
        ("want_space, position", "StreamWriter::Flush"),
        # What does not fit now, StreamWriter::GoOn() writes.
        ("words_.tail", "StreamWriter::Put"),
    ),
    "grpc_cxl/streams/client_streams.cc": (
        # The store of `total` brings the words of the first 13 slots along.
        ("client_news->of_slot", "StreamEnd::"),
        ("client_news->of_slot", "ClientStream::Cancel"),
    ),
    "grpc_cxl/streams/server_streams.cc": (
        # The load of `generation` has just brought the line; and the look after kTaken decides.
        ("cancelled,", "ServerStreams::Look"),
        # It looks again with the next news.
        ("closed,", "Refused::OnNews < ServerStreams::Publish"),
        # A client that waits for space hears that its stream is refused.
        ("", "StreamEnd::Next < Refused::OnNews"),
        # The next store of that line brings it along: Tell(), or that of the next stream.
        ("server_news->granted", "ServerStreams::Look"),
    ),
    "grpc_cxl/streams/stream_pipe.cc": (
        # The next look, with more room, sees it.
        ("peer_->tail", "StreamWriter::Flush"),
    ),
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


def is_unproven(path, line, calls=""):
    return (any(piece in line for piece in UNPROVEN.get(path, ())) or
            any(piece in line and call in calls
                for piece, call in UNPROVEN_PATHS.get(path, ())))


def of_the_library(paths):
    """Without calls of tests where the library makes the same ones."""
    return {path for path in paths
            if not any(path[0] == other[0] and path[1] == other[1][:len(path[1])] != other[1]
                       for other in paths)}


def by_place(texts, seed):
    """The call paths to each place, in an order by the seed."""
    places = {}
    for path in sorted(texts, key=lambda path: zlib.crc32(f"{seed} {texts[path]}".encode())):
        places.setdefault(path[0], []).append(path)
    return places


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
        cls.reached = {}  # call path -> test -> what the test calls it
        cls.seconds = {}  # test -> how long it takes
        cls.programs = {}
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        library = call_paths.library_names(source_root(), sorted({room(test) for test in TESTS}))
        for test in TESTS:
            cls.programs[test] = program = call_paths.Program(
                test, library, os.path.join(folder, test.replace("/", "_")))
            start = time.monotonic()
            end, sites = cls._record(test)
            cls.seconds[test] = time.monotonic() - start
            if end != "passed":
                raise AssertionError(f"{test} {end} with nothing left out")
            for site in sites:
                path = (site.partition("@")[0], program.frames(site))
                cls.reached.setdefault(path, {})[test] = site
        cls.texts = call_paths.readable(cls.reached)
        cls.places = {place for place, _ in cls.reached}

    @classmethod
    def _record(cls, test, **variables):
        """How a run ended, and its sites in the library; a test looks for itself, too."""
        with tempfile.NamedTemporaryFile("r") as record:
            end = run(test, 300, GRPC_CXL_RECORD_SITES=record.name,
                      GRPC_CXL_SITE_FUNCTIONS=cls.programs[test].functions, **variables)
            sites = set(record.read().splitlines())
        return end, {site for site in sites if site.startswith("grpc_cxl/")}

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
                            if not any(f"{path}:{line}" in self.places
                                       for line in range(first, last + 1))]
        self.assertGreater(looked_at, 50)
        self.assertEqual(missing, [], "no test under the checker comes here")

    def test_one_call_path_is_left_out_and_no_other(self):
        test = TESTS[0]
        _, sites = self._record(test)
        place = max(sites, key=lambda site: sum(
            other.startswith(site.partition("@")[0] + "@") for other in sites)).partition("@")[0]
        paths = sorted(site for site in sites if site.startswith(place + "@"))
        self.assertGreater(len(paths), 1)
        _, again = self._record(test, GRPC_CXL_DROP_SITE=paths[0])
        self.assertEqual([site for site in again if site.endswith(" dropped")],
                         [paths[0] + " dropped"])

    def test_every_site_is_missed(self):
        provable = {path: self.texts[path] for path in of_the_library(self.reached)
                    if not is_unproven(*path_and_line(path[0]), self.texts[path])}
        seed = os.environ.get("GRPC_CXL_MUTATION_SEED", "1")
        everything = seed == "all"
        places = by_place(provable, seed)
        print(f"{len(provable)} of {len(self.reached)} call paths, {len(places)} places, "
              f"by seed {seed}", flush=True)
        jobs = [[path] for path in provable] if everything else list(places.values())
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            missed = list(pool.map(self._leave_out_until_missed, jobs))
        self.assertGreater(len(missed), 50)
        self.assertEqual([self.texts[paths[0]] for paths, is_missed in zip(jobs, missed)
                          if not is_missed], [], "no test notices that it is left out")

    def _leave_out_until_missed(self, paths):
        """Whether a test notices one of the call paths."""
        return any(self._leave_out(path) for path in paths)

    def _leave_out(self, path):
        # The tests of its own room first, quick ones first.
        tests = sorted(self.reached[path],
                       key=lambda test: (room(test) != room(path[0]), self.seconds[test]))
        for test in tests:
            patience = max(LEAST_SECONDS, PATIENCE * self.seconds[test])
            end = run(test, patience, GRPC_CXL_DROP_SITE=self.reached[path][test],
                      GRPC_CXL_SITE_FUNCTIONS=self.programs[test].functions)
            if end != "passed":
                print(f"without {self.texts[path]}: {test} {end}", flush=True)
                return True
        print(f"without {self.texts[path]}: every test passes", flush=True)
        return False


if __name__ == "__main__":
    unittest.main(verbosity=2)
