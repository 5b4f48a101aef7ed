# SPDX-License-Identifier: Apache-2.0
"""A client written from docs/protocol.md alone, whose sections the comments name.

x86-64 and 64-bit ARM; the arena must be coherent (section 11). One thread.
"""

import collections
import ctypes
import errno
import fcntl
import mmap
import os
import platform
import select
import socket
import stat
import struct
import time

import checks
from checks import Ended, expect, lie, require

VERSION = 7
HELLO_MAGIC, ARENA_MAGIC = 0x6c78635f63707267, 0x616e6572615f6c78  # 3.1, 4.3
PAGE, SLOTS, WRAP = 4096, 64, 1 << 64
IDLE, TAKEN, PART, DONE, REFUSED = range(5)  # 8.2
LOOKING, PARKED, POLLED = range(3)  # 8.6
METHOD = b"/grpc_cxl.protocol_test.Mirror/Reflect"
PATIENCE = 30  # seconds

LIBC = ctypes.CDLL(None, use_errno=True)
MEMBARRIER, FUTEX = {"x86_64": (324, 202), "aarch64": (283, 98)}[platform.machine()]
MEMBARRIER_CMD_GLOBAL_EXPEDITED, FUTEX_WAIT = 2, 0

Response = collections.namedtuple("Response", "code text details initial trailing message lent")


def fence():  # 1.3; the calling thread is one of those that membarrier orders
    if LIBC.syscall(MEMBARRIER, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0) != 0:
        raise OSError(ctypes.get_errno(), "membarrier")


class Connection:
    FEATURES = 1 | 4
    KEY = bytes(12)  # 3.6

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if lie("C1", True, False):
            try:
                os.seteuid(65534)
            except OSError:
                raise Ended("no other user")
        self.socket.connect(name.replace("/", "+") + ".sock")  # 2.4
        self.shake_hands(name)
        # Sections 5 to 8: what only this side knows.
        self.epoch = self.woken = self.head = self.tail = self.server_tail = 0
        self.raw = self.stream = b""
        self.lent, self.taken_back, self.returned = {}, 0, 0
        self.generations = [0] * SLOTS
        self.calls_made = 0
        self.posted = self.cancelled = self.acked = 0

    def receive_message(self, size, files):  # and its files
        message, fds, _, _ = socket.recv_fds(self.socket, 4096, 2)
        require("C7", len(message) >= 16 and struct.unpack_from("=Q", message)[0] == HELLO_MAGIC)
        require("C8", struct.unpack_from("=I", message, 8)[0] == VERSION)
        if len(message) == 320 and (refusal := struct.unpack_from("=I", message, 20)[0]) != 0:
            raise Ended(f"refuse {refusal}")
        require("C9", len(message) == size)
        require("C12", len(fds) == files)
        return message, fds

    def prove(self, name):
        """What comes between Hello and Welcome: nothing."""

    def shake_hands(self, name):  # 3
        hello = struct.pack("=QIII12s", lie("C3", HELLO_MAGIC ^ 1, HELLO_MAGIC),
                            lie("C4", VERSION + 1, VERSION), self.FEATURES, os.getpid(), self.KEY)
        hello = lie("C2", hello[:15], lie("C5", hello + bytes(4), hello))
        self.socket.send(hello)
        _, uid, _ = struct.unpack("3i", self.socket.getsockopt(socket.SOL_SOCKET,
                                                               socket.SO_PEERCRED, 12))
        require("C6", uid in (0, os.getuid()))
        self.prove(name)
        welcome, fds = self.receive_message(320, 1)
        features = struct.unpack_from("=I", welcome, 12)[0]
        (self.arena_bytes, self.ring, self.payload, sealed, self.buffer, coherence,
         granted) = struct.unpack_from("=QQQIIII", welcome, 24)
        require("C11", coherence == 0)
        if sealed:
            require("C13", fcntl.fcntl(fds[0], fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK)
        file = os.fstat(fds[0])
        require("C14", stat.S_ISREG(file.st_mode) and file.st_size == self.arena_bytes > 0)
        require("C15", sealed or file.st_blocks * 512 >= file.st_size)
        require("C16", self.ring & self.ring - 1 == 0 and 4096 <= self.ring <= 1 << 30)
        require("C17", self.payload % PAGE == 0 and self.payload <= 1 << 30)
        self.granted, self.asked = min(granted, self.payload // PAGE), 0
        require("C18", self.buffer % PAGE == 0 and 0 < self.buffer <= 1 << 20)
        self.area = 24576 + 2 * SLOTS * self.buffer
        self.areas = max(1, min(8, (8 << 20) // (2 * SLOTS * self.buffer))) if features & 4 else 1
        self.map_arena(fds[0], self.areas * self.area if features & 1 else 0)

    def map_arena(self, file, call_area):  # 4.2
        entries = -(-4 * self.payload // PAGE // PAGE) * PAGE
        sizes = [PAGE, PAGE, PAGE, self.ring, self.ring, entries, entries, call_area, self.payload,
                 self.payload]
        begins = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
        (_, self.server, self.client, self.ring_out, self.ring_in, self.returns_out,
         self.returns_in, self.calls, self.area_out, self.area_in, needed) = begins
        require("C19", self.arena_bytes >= needed)
        self.arena = mmap.mmap(file, self.arena_bytes, mmap.MAP_SHARED)
        os.close(file)
        self.requests = self.calls + 24576
        self.responses = self.requests + SLOTS * self.buffer

    # Words (1.2), which the processor moves as a whole: all are aligned.
    def load(self, at, kind=ctypes.c_uint64):  # acquire
        value = kind.from_buffer(self.arena, at).value
        fence()
        return value

    def store(self, at, value, kind=ctypes.c_uint64):  # release
        fence()
        kind.from_buffer(self.arena, at).value = value

    def load32(self, at):
        return self.load(at, ctypes.c_uint32)

    def store32(self, at, value):
        self.store(at, value, ctypes.c_uint32)

    # Waiting.
    def wake(self):  # 6.2, b and c
        fence()
        epoch = self.load(self.server + 256)
        if epoch % 2 == 1 and epoch != self.woken:
            self.woken = epoch
            try:
                self.socket.send(b"\0", socket.MSG_DONTWAIT)
            except BrokenPipeError:
                raise Ended("end")

    def drain(self, seconds):
        """Waits for bytes on the socket, takes them; false when there were none."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return False
        try:
            if self.socket.recv(64):
                return True
        except ConnectionResetError:
            pass
        raise Ended("end")  # 9

    def sleep_until(self, find):  # 6.2, steps 1 to 5, until find() finds something
        while True:
            self.epoch = self.epoch + 1 | 1
            self.store(self.client + 256, self.epoch)
            fence()
            found = find()
            if found is None:
                expect(self.drain(PATIENCE), "no wake-up")
            self.epoch += 1
            self.store(self.client + 256, self.epoch)
            if found is not None:
                return found

    def look_until(self, find):
        end = time.monotonic() + PATIENCE
        while (found := find()) is None:
            expect(time.monotonic() < end, "nothing to see")
            self.drain(0.0002)
        return found

    # The stream path (5).
    def space(self):
        tail = self.load(self.server + 128)
        require("C21", (tail - self.server_tail) % WRAP <= (self.head - self.server_tail) % WRAP)
        self.server_tail = tail
        return self.ring - (self.head - tail) or None

    def publish(self, data):
        while data:
            if self.space() is None:  # 6.3
                self.store(self.client + 8, (self.head + 1 - self.ring) % WRAP or WRAP - 1)
                self.sleep_until(self.space)
                self.store(self.client + 8, 0)
            piece = data[:min(self.space(), self.ring - self.head % self.ring)]
            at = self.ring_out + self.head % self.ring
            self.arena[at:at + len(piece)] = piece
            self.head += len(piece)
            self.store(self.client, lie("C20", self.head + self.ring + 1, self.head))
            self.wake()
            data = data[len(piece):]

    def send(self, data, lend=False):  # 5.2
        if lend and (self.payload or lie("C23", True, False)):
            begin, size = self.lend(data) if self.payload else (0, len(data))
            size = lie("C25", self.payload - begin + 1, size)
            self.publish(struct.pack("=II", 1 << 31 | size, lie("C24", self.payload + PAGE, begin)))
        else:
            self.publish(struct.pack("=I", lie("C22", 0, len(data))) + data)

    def receive(self):  # takes what is there, and adds it to self.stream
        closed = self.load32(self.server + 384)  # 5.4
        head = self.load(self.server)
        require("C20", (head - self.tail) % WRAP <= self.ring)
        while self.tail != head:
            at = self.ring_in + self.tail % self.ring
            size = min(head - self.tail, self.ring_in + self.ring - at)
            self.raw += self.arena[at:at + size]
            self.tail += size
        self.store(self.client + 128, lie("C21", self.tail + (1 << 32), self.tail))
        fence()
        want = self.load(self.server + 8)
        if want != 0 and (self.tail - want) % WRAP < WRAP // 2:
            self.wake()
        while len(self.raw) >= 4:
            size = struct.unpack_from("=I", self.raw)[0]
            require("C22", size != 0)
            loan = size >> 31
            if len(self.raw) < (8 if loan else 4 + size):
                break
            if loan:
                begin = struct.unpack_from("=I", self.raw, 4)[0]
                self.stream += self.borrow(begin, size - (1 << 31))
            else:
                self.stream += self.raw[4:4 + size]
            self.raw = self.raw[8 if loan else 4 + size:]
        if closed:
            self.look_until(lambda: None)

    # Payload blocks (7).
    def take_back(self):
        returned = self.load(self.server + 640)
        require("C26", (returned - self.taken_back) % WRAP <= len(self.lent))
        while self.taken_back != returned:
            page = self.load32(self.returns_out + 4 * (self.taken_back % (self.payload // PAGE)))
            require("C28", page in self.lent)  # and C27
            del self.lent[page]
            self.taken_back += 1

    def lend(self, data):
        pages = -(-len(data) // PAGE)

        def first_fit():
            self.take_back()
            at = 0
            for first, count in sorted(self.lent.items()):
                if first - at >= pages:
                    break
                at = first + count
            return at if at + pages <= self.granted else None

        first = self.look_until(first_fit)  # a return wakes nobody
        self.lent[first] = pages
        begin = first * PAGE
        self.arena[self.area_out + begin:self.area_out + begin + len(data)] = data
        return begin, len(data)

    def ask(self, pages):  # 7.4
        self.asked += 1
        self.store(self.client + 520, self.asked << 32 | pages)
        self.wake()
        self.look_until(lambda: self.load(self.server + 648) >> 32 == self.asked or None)
        self.granted = self.load(self.server + 648) % (1 << 32)

    def borrow(self, begin, size):
        require("C52", self.payload)
        require("C24", begin < self.payload)
        require("C25", 0 < size <= self.payload - begin)
        data = self.arena[self.area_in + begin:self.area_in + begin + size]
        pages = self.payload // PAGE
        page = lie("C27", pages, lie("C28", pages - 1, begin // PAGE))
        self.store32(self.returns_in + 4 * (self.returned % pages), page)
        self.returned += 1
        self.store(self.client + 640, self.returned + lie("C26", 1000, 0))
        return data

    # Direct calls (8).
    def post(self, slot, message, metadata=(), waiter=POLLED, lend=False, timeout=WRAP - 1):
        metadata = [(lie("C44", b"Key", k), lie("C45", b"line\nbreak", v)) for k, v in metadata]
        method = lie("C34", b"/", lie("C35", METHOD[1:], lie("C36", METHOD + b"\0", METHOD)))
        entries = b"".join(
            struct.pack("=II", lie("C39", 1 << 20, len(k)), lie("C40", 1 << 20, len(v))) + k + v
            for k, v in metadata) + lie("C41", b"more", b"")
        block = (0, lie("C43", 1, 0))
        if lend and (self.payload or lie("C52", True, False)):
            begin, size = self.lend(message) if self.payload else (0, len(message))
            block = (lie("C53", self.payload + PAGE, begin),
                     lie("C54", self.payload - begin + 1, size))
            message = b""
        head = struct.pack("=Q6I", timeout, lie("C33", 1 << 20, len(method)),
                           lie("C37", 1 << 20, len(entries)),
                           lie("C38", len(entries) // 8 + 1, len(metadata)),
                           len(message) + lie("C42", 1, 0), *block)
        request = head + method + entries + message
        at = self.requests + slot * self.buffer
        self.arena[at:at + len(request)] = request
        client_slot = self.calls + 8192 + 128 * slot
        self.generations[slot] += 1
        self.calls_made += 1
        self.store32(client_slot, self.generations[slot])
        self.store32(client_slot + 4, lie("C29", self.buffer + 1, lie("C32", 31, len(request))))
        self.store32(client_slot + 8, waiter)
        self.posted ^= 1 << slot
        self.store(self.calls, self.posted)
        self.wake()

    def state(self, slot):  # 8.2: of the call that was posted last, with parts and the word itself
        word = self.load32(self.calls + 16384 + 128 * slot)
        is_ours = word >> 16 == self.generations[slot] % (1 << 16)
        return (word & 7, word >> 3 & 0x1fff, word) if is_ours else (IDLE, 0, word)

    def finish(self, slot, waiter=POLLED):  # 8.5, 8.6
        data, parts = b"", 0

        def find_news():
            state, before, _ = self.state(slot)
            if state in (IDLE, TAKEN) or (state, before) == (PART, parts - 1):
                return None
            require("C46", state not in (PART, DONE) or before == parts)
            require("C47", state <= REFUSED)
            return state

        def park():
            at = ctypes.c_uint32.from_buffer(self.arena, self.calls + 16384 + 128 * slot)
            timeout = (ctypes.c_long * 2)(*((0, 10**8) if checks.BREAK else (PATIENCE, 0)))
            while True:
                fence()  # between `waiter` and the word
                seen = self.state(slot)[2]
                if (state := find_news()) is not None:
                    return state
                result = LIBC.syscall(FUTEX, ctypes.byref(at), FUTEX_WAIT, seen, timeout, None, 0)
                if result != 0 and ctypes.get_errno() == errno.ETIMEDOUT:
                    self.drain(0)
                    expect(checks.BREAK, "nobody wakes the futex")

        while True:
            state = (park() if waiter == PARKED else
                     self.look_until(find_news) if waiter == LOOKING else
                     self.sleep_until(find_news))
            if state == REFUSED:
                return None
            size = self.load32(self.calls + 16384 + 128 * slot + 4)
            require("C48", size <= self.buffer and (size > 0 or state == DONE))
            at = self.responses + slot * self.buffer
            data += self.arena[at:at + size]
            parts += 1
            if state == PART or lie("C31", True, False):
                self.acked ^= 1 << slot
                self.store(self.calls + 16, self.acked)
                self.wake()
            if state == DONE:
                return self.decode(data)

    def decode(self, data):
        if len(data) < 48:  # the server did not understand the request
            self.look_until(lambda: None)
        (code, text, details, initial, initial_count, trailing, trailing_count, has_message, size,
         begin, lent) = struct.unpack_from("=8IQII", data)
        fields, at = [], 48
        for length in (text, details, initial, trailing, size):
            fields.append(data[at:at + length])
            at += length
        require("C49", at == len(data) and has_message == (code == 0))
        require("C50", lent == 0 or size == 0)
        message = self.borrow(begin, lent) if lent else fields[4]
        return Response(code, fields[0], fields[1], entries_of(fields[2], initial_count),
                        entries_of(fields[3], trailing_count), message, lent)

    def call(self, message, waiter=POLLED, slot=0, **kwargs):
        self.post(slot, message, waiter=waiter, **kwargs)
        return self.finish(slot, waiter)

    def cancel(self, slot):  # 8.7
        self.store32(self.calls + 8192 + 128 * slot + 12, self.generations[slot])
        self.cancelled ^= 1 << slot
        self.store(self.calls + 8, self.cancelled)
        self.wake()

    def close(self):  # 5.4
        self.store32(self.client + 384, 1)
        self.wake()
        try:
            self.look_until(lambda: None)
        except Ended:
            return


def entries_of(data, count):
    metadata, at = {}, 0
    for _ in range(count):
        key, value = struct.unpack_from("=II", data, at)
        metadata[data[at + 8:at + 8 + key]] = data[at + 8 + key:at + 8 + key + value]
        at += 8 + key + value
    require("C49", at == len(data))
    return metadata
