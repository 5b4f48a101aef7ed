# SPDX-License-Identifier: Apache-2.0
"""A virtual machine of the soak, and what can happen to it."""

import json
import os
import signal
import socket
import subprocess
import time


class GuestError(Exception):
    """A machine does not do what every machine does."""


class Guest:
    """A machine without a network, with the region's device and a journal's."""

    def __init__(self, number, folder, region, journal, accelerator, processors):
        self.number = number
        self._folder, self._processors = folder, processors
        self._devices = {"region": region, "journal": journal}
        self._accelerator = accelerator
        self._boots = 0
        self._process = self._commands = self._monitor = None
        self._log, self._log_rest = None, ""

    def switch_on(self):
        """Lets it boot; await_boot() is next."""
        self._boots += 1
        name = self._name()
        arguments = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
                     "-no-reboot", "-nic", "none", "-machine", "q35", "-m", "768",
                     "-accel", self._accelerator,
                     "-cpu", "host" if self._accelerator == "kvm" else "max",
                     "-smp", str(self._processors),
                     "-kernel", self._folder + "/kernel", "-initrd", self._folder + "/initramfs",
                     "-append", f"console=ttyS0 quiet panic=-1 no_timer_check tsc=reliable role=soak host={self.number}",
                     "-serial", f"file:{name}.log",
                     "-serial", f"unix:{name}.commands,server=on,wait=off",
                     "-qmp", f"unix:{name}.monitor,server=on,wait=off"]
        for slot, (device, path) in enumerate(self._devices.items(), 16):
            arguments += ["-object", f"memory-backend-file,id={device},share=on,"
                                     f"size={os.path.getsize(path)},mem-path={path}",
                          "-device", f"ivshmem-plain,memdev={device},addr={slot:#x}"]
        with open(f"{name}.qemu", "w", encoding="utf-8") as errors:
            self._process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=errors,
                                             stderr=errors)
        self._log, self._log_rest = None, ""

    def await_boot(self, timeout):
        """Waits until it obeys."""
        name = self._name()
        until = time.monotonic() + timeout
        said = []
        while not any("guest: obeys" in line for line in said):
            if self._process.poll() is not None or time.monotonic() > until:
                with open(f"{name}.qemu", encoding="utf-8") as errors:
                    raise GuestError(f"machine {self.number} does not boot: {errors.read()}"
                                     f"{chr(10).join(said)}")
            time.sleep(0.05)
            said += self.read_log()
        self._commands = _connect(f"{name}.commands").makefile("rwb", buffering=0)
        self._monitor = _connect(f"{name}.monitor").makefile("rwb", buffering=0)
        self.monitor("qmp_capabilities")

    def read_log(self):
        """The lines that it has printed since the last time."""
        if self._log is None:
            path = self._name() + ".log"
            if not os.path.exists(path):
                return []
            self._log = open(path, encoding="utf-8", errors="replace", newline="\n")
        lines = (self._log_rest + self._log.read()).split("\n")
        self._log_rest = lines.pop()
        return [line.rstrip("\r") for line in lines]

    def run(self, command):
        """Runs a line of shell in it, and waits for it. True if it succeeded."""
        self._commands.write(command.encode() + b"\n")
        while True:
            answer = self._commands.readline()
            if not answer:
                raise GuestError(f"machine {self.number} is gone")
            if answer.startswith(b"exit "):
                return answer.split()[1] == b"0"

    def monitor(self, command):
        """Has QEMU obey: "stop", "cont", "system_wakeup"."""
        self._monitor.write(json.dumps({"execute": command}).encode() + b"\n")
        while True:
            line = self._monitor.readline()
            if not line:
                raise GuestError(f"QEMU of machine {self.number} is gone")
            answer = json.loads(line)
            if "error" in answer:
                raise GuestError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def signal(self, number):
        """SIGSTOP and SIGCONT: without QEMU the machine stands still, but its clocks go on."""
        self._process.send_signal(number)

    def _name(self):
        return f"{self._folder}/{self.number}.{self._boots}"

    def lose_power(self):
        """Nothing in it gets to do anything more."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait()
        for file in (self._commands, self._monitor):
            if file is not None:
                file.close()
        self._process = self._commands = self._monitor = None


def _connect(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(120)
    connection.connect(path)
    return connection
