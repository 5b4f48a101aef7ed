# SPDX-License-Identifier: Apache-2.0
"""Streams of protocol_client.py's connections (section 8.14 of docs/protocol.md)."""

import struct

from checks import Ended, lie, require
from protocol_client import METHOD, WRAP, Connection

HEAD, MESSAGE, BLOCK, END = range(1, 5)
IDLE, REFUSED, POLLED = 3, 4, 2
RING, AREA = 65536, 2113536


def request(message=b"", lent=0):  # 8.4
    return struct.pack("=Q6I", WRAP - 1, len(METHOD), 0, 0, len(message), 0, lent) + METHOD + message


def record(kind, data=b"", size=None):
    return struct.pack("=II", kind, len(data) if size is None else size) + data


CALL = record(HEAD, request()) + record(MESSAGE) + record(END)

# What breaks a check, each in a stream of its own.
KINDS = record(9), record(HEAD, request()) + record(0)
SIZES = (record(HEAD, size=(16 << 20) + 1), record(HEAD, request()) + record(END, size=1 << 31),
         record(HEAD, request()) + record(BLOCK, bytes(9)))
ORDERS = (record(MESSAGE), record(END), record(HEAD, b"no request"),
          record(HEAD, request(message=b"x")), record(HEAD, request(lent=1)),
          record(HEAD, request()) * 2, CALL + record(HEAD, request()), CALL + record(MESSAGE),
          CALL + record(BLOCK, bytes(8)), CALL + record(END))


class StreamConnection(Connection):
    FEATURES = Connection.FEATURES | 32

    def map_arena(self, file, call_area):  # 4.2
        super().map_arena(file, call_area + AREA)
        self.streams = self.calls + self.areas * self.area


class StreamSlot:
    """A slot of a StreamConnection, for one stream after another."""

    def __init__(self, connection, index=0):
        self.connection = connection
        granted = connection.calls + 6144 + 8
        connection.look_until(lambda: connection.load32(granted) > index or None)
        self.index = index = lie("C66", 15, index)
        self.client, self.server = (connection.streams + at + 384 * index for at in (0, 8192))
        self.ring_out, self.ring_in = (connection.streams + at + RING * index
                                       for at in (16384, 1064960))
        self.head = self.tail = self.generation = 0
        self.raw = b""

    def tell(self):
        words = self.connection.calls + 2048
        of_slot = words + 12 + 4 * self.index
        self.connection.store32(of_slot, (self.connection.load32(of_slot) + 1) % (1 << 32))
        self.connection.store(words, self.connection.load(words) + 1)
        self.connection.wake()

    def space(self):
        return RING - (self.head - self.connection.load(self.server + 128)) or None

    def write(self, data):
        while data:
            space = self.connection.look_until(self.space)
            piece = data[:min(space, RING - self.head % RING)]
            at = self.ring_out + self.head % RING
            self.connection.arena[at:at + len(piece)] = piece
            self.head += len(piece)
            self.connection.store(self.client, self.head)
            self.tell()
            data = data[len(piece):]

    def post(self):
        self.generation += 1
        self.connection.store32(self.client + 268, POLLED)
        self.connection.store32(self.client + 256, self.generation)
        self.tell()

    def next_record(self):  # or None
        head = self.connection.load(self.server)
        require("C20", (head - self.tail) % WRAP <= RING)
        while self.tail != head:
            at = self.ring_in + self.tail % RING
            size = min(head - self.tail, self.ring_in + RING - at)
            self.raw += self.connection.arena[at:at + size]
            self.tail += size
        self.connection.store(self.client + 128, self.tail)
        self.tell()  # of space, if the server has asked for it
        if len(self.raw) < 8:
            return None
        kind, size = struct.unpack_from("=II", self.raw)
        require("C67", HEAD <= kind <= END)
        if len(self.raw) < 8 + size:
            return None
        data, self.raw = self.raw[8:8 + size], self.raw[8 + size:]
        return kind, data

    def state(self):
        word = self.connection.load32(self.server + 256)
        return word % 256 if word >> 8 == self.generation % (1 << 24) else 0

    def call(self, message, lend=False):
        """The messages of the response; of a method with one request."""
        self.write(record(HEAD, request()))
        self.post()
        message += lie("C71", bytes(5 << 20), b"")
        if lend:
            self.write(record(BLOCK, struct.pack("=II", *self.connection.lend(message))))
        else:
            self.write(record(MESSAGE, message))
        self.write(record(END))
        kinds, messages = [], []
        while END not in kinds:
            kind, data = self.connection.sleep_until(self.next_record)
            kinds.append(kind)
            if kind == BLOCK:
                data = self.connection.borrow(*struct.unpack("=II", data))
            if kind in (MESSAGE, BLOCK):
                messages.append(data)
        require("C70", HEAD not in kinds[1:] and len(data) >= 48)
        self.connection.store32(self.client + 264, self.generation)  # `closed`
        self.tell()
        self.connection.look_until(lambda: self.state() == IDLE or None)
        if struct.unpack_from("=I", data)[0] == 8:
            raise Ended("fail")
        return messages
