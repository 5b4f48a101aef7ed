# SPDX-License-Identifier: Apache-2.0
"""Three virtual machines, one memory device, and the services of the hotel spread over them.

Machines lose their power, are paused, sleep and get other times; processes are killed, stopped and
restarted. All the while calls go on, and what must never happen is looked for: a call that is
served twice, a byte that was not sent, a process that ends by itself, a path that does not recover,
memory that is lost. See README.md of examples/two_hosts.
"""

import argparse
import collections
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

import events
import guest
import journals

# The services of each machine, beside "traffic", which every machine has.
HOTEL = (("geo", "user", "frontend"), ("reservation", "search"), ("rate", "profile", "recommendation"))
MACHINES = len(HOTEL)
JOURNAL_BYTES = 256 << 20  # of each machine; takes memory as it is used

# Beside this file in the source tree, and in Bazel's.
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


class Violation(Exception):
    """What must never happen has."""


class CannotRun(Exception):
    """This machine lacks something; says what."""


class Soak:
    """Machines, what runs on them, and what they have said."""

    def __init__(self, flags, folder, memory):
        self.lease, self._flags, self._folder = flags.lease, flags, folder
        self._began = time.monotonic()
        self._region = memory + "/region"
        self._format()
        names = [f"{memory}/journal{i}" for i in range(MACHINES)]
        for name in names:
            with open(name, "wb") as file:
                file.truncate(JOURNAL_BYTES)
        self.journals = journals.Journals(names)
        self.guests = [guest.Guest(i, folder, self._region, name, flags.accelerator, flags.processors)
                       for i, name in enumerate(names)]
        self._patience = 60 if flags.accelerator == "kvm" else 240  # seconds
        self._starts = 0
        self._ending = {}  # (host, program) -> the exit code that it may end with
        self._served_at = collections.defaultdict(lambda: float("-inf"))  # (host, path) -> when last
        self._answers = set()
        self._next_look = 0
        self.calls = collections.Counter()

    def say(self, text):
        print(f"{time.monotonic() - self._began:8.1f} s  {text}", flush=True)

    def _tool(self, *arguments):
        return subprocess.run([f"{ROOT}/grpc_cxl/tools/cxl_region", *arguments], check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    def _format(self):
        self._tool("format", self._region, f"--hosts={MACHINES}",
                   f"--bytes={self._flags.megabytes << 20}", f"--lease={self.lease}s")

    def programs(self, host):
        return (HOTEL[host] if self._flags.hotel else ()) + ("traffic",)

    # Machines and processes.

    def boot(self, guests):
        """Switches machines on, and starts their programs."""
        for machine in guests:
            machine.switch_on()
        for machine in guests:
            machine.await_boot(self._patience)
            for program in self.programs(machine.number):
                self.start(machine.number, program)

    def start(self, host, program):
        command = f"start {program} /{program} --journal=$JOURNAL"
        if program == "traffic":
            self._starts += 1
            command += (f" --host={host} --hosts={MACHINES} --name={host}.{self._starts}"
                        f" --hotel={self._flags.hotel} --deadline={self._patience / 12}s --pause={self._flags.pause}s")
        self.run(self.guests[host], command)
        self._ending.pop((host, program), None)

    def kill(self, host, program, signal):
        """Sends a signal; waits for the process if that ends it."""
        exit_code = {"KILL": 137, "TERM": 0}.get(signal)
        if exit_code is not None:
            self._ending[host, program] = exit_code
        self.run(self.guests[host], f"kill -{signal} $(cat /tmp/{program})")
        if exit_code is not None:
            self._await(lambda: self._ending[host, program] is None,
                        lambda: f"{program} of machine {host} does not end after SIG{signal}")

    def power_lost(self, host):
        self._read(self.guests[host])
        self.guests[host].lose_power()

    def run(self, machine, command):
        if not machine.run(command):
            raise Violation(f"machine {machine.number} cannot: {command}")

    # What they say.

    def _read(self, machine):
        for line in machine.read_log():
            if line.startswith("traffic "):
                self._traffic(machine.number, line)
            elif line.startswith("ended "):
                self._ended(machine.number, *line.split()[1:])
            elif line.startswith("WRONG"):
                raise Violation(f"machine {machine.number}: {line}")

    def _traffic(self, host, line):
        for word in line.split()[2:]:
            name, value = word.split("=")
            if name == "answers":
                self._answers.update({value} - {"-"})
            else:
                self.calls["failed" if name == "failed" else "served"] += int(value)
                if name != "failed" and int(value) > 0:
                    self._served_at[host, name] = time.monotonic()
        if len(self._answers) > 1:
            raise Violation("foreign bytes: the hotel's answers differ between processes")

    def _ended(self, host, program, exit_code):
        if self._ending.get((host, program)) != int(exit_code):
            raise Violation(f"{program} of machine {host} ended by itself, or with the wrong exit "
                            f"code: {exit_code}")
        self._ending[host, program] = None

    def look(self):
        for machine in self.guests:
            self._read(machine)
        if time.monotonic() > self._next_look:
            self._next_look = time.monotonic() + 1
            self.journals.look()
            if self.journals.twice:
                raise Violation(f"served twice: {', '.join(self.journals.twice)}")

    def watch(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.look()
            time.sleep(0.05)

    def _await(self, condition, complaint):
        until = time.monotonic() + self._patience
        while not condition():
            if time.monotonic() > until:
                raise Violation(complaint())
            self.watch(0.05)

    def await_traffic(self):
        """Until calls have succeeded on every path. Returns after how many seconds."""
        began = time.monotonic()
        kinds = ["search", "recommend", "reserve"] if self._flags.hotel else []
        kinds += [f"{kind}-{host}" for kind in ("parcels", "http2") for host in range(MACHINES)]
        paths = [(machine.number, kind) for machine in self.guests for kind in kinds]
        # A line tells of the second before it.
        silent = lambda: [path for path in paths if self._served_at[path] < began + 1.2]
        self._await(lambda: not silent(),
                    lambda: "no calls succeed: " + ", ".join(f"{kind} of machine {host}"
                                                             for host, kind in silent()))
        return time.monotonic() - began

    def learn_pace(self):
        """await_traffic() for the first time: tells what to expect of recoveries, which begin and
        connect less, but behind gRPC's back-off, here."""
        seconds = self.await_traffic()
        self._patience = max(self._patience, 4 * seconds)
        return seconds

    # The region.

    def usage(self):
        """Of each host: processes, names, clients' and servers' connections, KiB in use."""
        report = self._tool("show", self._region)
        hosts = re.split(r"^host \d+$", report, flags=re.MULTILINE)[1:]
        return [tuple(len(re.findall(rf"^  {word} ", host, re.MULTILINE))
                      for word in ("process", "serves", "client", "server"))
                + (int(re.search(r"memory +(\d+) of", host)[1]),) for host in hosts]

    def await_usage(self, expected):
        found = [None]

        def is_it():
            found[0] = self.usage()
            return found[0] == expected

        self._await(is_it, lambda: f"memory is lost: {found[0]} instead of {expected}")

    def end(self):
        """Ends all programs in order, and lets the next process of each host clear up."""
        for host in range(MACHINES):
            self.kill(host, "traffic", "TERM")
        for host in range(MACHINES):
            for program in reversed(self.programs(host)[:-1]):
                self.kill(host, program, "TERM")
        for machine in self.guests:
            self.run(machine, f"/cxl_region clear $GRPC_CXL_REGION --host={machine.number}")
        self.await_usage([(0, 0, 0, 0, 0)] * MACHINES)
        self.journals.look()
        self.look()


def show(usage):
    return "; ".join(f"machine {i}: {processes} processes, {names} names, {servers} connections, {kib} KiB"
                     for i, (processes, names, _, servers, kib) in enumerate(usage))


def event_names(flags, dice):
    """Each kind as often as the others, without an end; with --minutes=0 once, in order."""
    if not flags.minutes:
        yield from flags.events
        return
    while True:
        yield from dice.sample(flags.events, len(flags.events))


def everything(flags, machines):
    """All of it, on machines that are off."""
    machines.boot(machines.guests)
    machines.say(f"calls succeed on every path after {machines.learn_pace():.1f} s")
    machines.watch(2)
    baseline = machines.usage()
    machines.say(f"in use: {show(baseline)}")
    dice = random.Random(flags.seed)
    happened = collections.Counter()
    until = time.monotonic() + flags.minutes * 60
    for event in event_names(flags, dice):
        if flags.minutes and time.monotonic() >= until:
            break
        before = machines.calls.copy()
        events.ALL[event](machines, dice)
        seconds = machines.await_traffic()
        new = machines.calls - before
        machines.say(f"    all paths work after {seconds:.1f} s; since the event began {new['served']} "
                     f"calls succeeded, {new['failed']} failed")
        happened[event] += 1
        machines.watch(dice.uniform(0, 2))
    machines.await_usage(baseline)
    machines.say("in use: the same as in the beginning")
    machines.end()
    machines.say("in use after all have ended: nothing")
    if machines.journals.served() < machines.calls["served"]:
        raise Violation("the journals lack calls that succeeded")
    machines.say(f"events: {', '.join(f'{count} {name}' for name, count in happened.items())}")
    machines.say(f"{machines.calls['served']} calls succeeded, {machines.calls['failed']} failed, each "
                 "because a peer was gone or silent")
    machines.say(f"{machines.journals.served()} calls served, those of services to each other included: "
                 "none twice")
    machines.say("no foreign byte, no process that ended by itself, no memory lost")


def parse(arguments):
    parser = argparse.ArgumentParser(prog="soak", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=30, help="for how long things happen; 0: each of --events once, in order")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--events", type=lambda text: text.split(","), default=list(events.ALL),
                        help="kinds of events, by default all: " + ",".join(events.ALL))
    parser.add_argument("--lease", type=float, default=2, help="seconds")
    parser.add_argument("--accelerator", choices=("kvm", "tcg"), default="tcg",
                        help="kvm: hardware virtualisation, where it works; tcg: emulation")
    parser.add_argument("--processors", type=int, default=2, help="of each machine")
    parser.add_argument("--megabytes", type=int, default=512,
                        help="of the memory device, a power of two")
    parser.add_argument("--pause", type=float, default=0.02, help="seconds between two calls of a path")
    parser.add_argument("--no-hotel", dest="hotel", action="store_false", help="parcels only: less to emulate")
    parser.add_argument("--cached", action="store_true", help="fetch nothing from the network")
    return parser.parse_args(arguments)


def prepare(flags, folder):
    """Makes what the machines boot."""
    if shutil.which("qemu-system-x86_64") is None:
        raise CannotRun("it needs QEMU (apt-get install qemu-system-x86)")
    result = subprocess.run(
        [f"{ROOT}/examples/two_hosts/image.sh", *(["--cached"] if flags.cached else []), folder,
         f"{ROOT}/examples/two_hosts/soak/programs.tar.gz"], stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode == 77:
        raise CannotRun(result.stdout.strip())
    result.check_returncode()


def run(arguments):
    """True if nothing happened that must not. Raises CannotRun."""
    flags = parse(arguments)
    # Sockets' paths are short, and memory is not on a disk.
    folder = tempfile.mkdtemp(prefix="soak.", dir="/tmp")
    memory = tempfile.mkdtemp(prefix="soak.", dir="/dev/shm")
    machines = None
    try:
        prepare(flags, folder)
        print(f"soak --seed={flags.seed} --minutes={flags.minutes} --lease={flags.lease} "
              f"--accelerator={flags.accelerator} --events={','.join(flags.events)}", flush=True)
        machines = Soak(flags, folder, memory)
        everything(flags, machines)
        shutil.rmtree(folder)
        return True
    except (Violation, guest.GuestError, OverflowError) as violation:
        machines.say(f"FAILED: {violation}")
        print(f"What the machines said is in {folder}.", flush=True)
        return False
    finally:
        for machine in machines.guests if machines else ():
            machine.lose_power()
        shutil.rmtree(memory)


def main():
    try:
        sys.exit(0 if run(sys.argv[1:]) else 1)
    except CannotRun as why:
        print(f"skipped: {why}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
