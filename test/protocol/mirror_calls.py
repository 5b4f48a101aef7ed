#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls of every kind by protocol_client.py on the server of protocol_test.cc.

    mirror_calls.py --directory=DIR              prints "good"
    mirror_calls.py --directory=DIR --break=C7   first the same with one wrong value, of check C7:
                                                 prints what the server does: "end", "fail" or
                                                 "refuse 1"
    mirror_calls.py --directory=DIR --odd        first what no check is for
    mirror_calls.py --list                       the checks whose values can be broken
"""

import argparse
import copy
import os
import re
import signal
import select
import socket
import struct

import checks
import line_client
import protocol_client
import secret_client
import stream_client
from http2_calls import Http2Calls
from line_client import LineConnection
from protocol_client import (ARENA_MAGIC, LOOKING, PAGE, PARKED, PATIENCE, POLLED, SLOTS, TAKEN,
                             VERSION, Connection, Ended, expect, lie)
from secret_client import SecretConnection
from stream_client import KINDS, ORDERS, SIZES, StreamConnection, StreamSlot


def image(pixels, copies=1):  # mirror.proto
    size, more = len(pixels), b""
    while size >= 0x80:
        more += bytes([size & 0x7f | 0x80])
        size >>= 7
    return b"\x0a" + more + bytes([size]) + pixels + b"\x10" + bytes([copies])


def check_reflection(message, pixels):
    expect(message == b"\x0a" + image(pixels)[1:-2], f"a message of {len(message)} bytes")


def connect(name="protocol/usual", make=Connection):
    connection = make(name)
    header = connection.look_until(lambda: connection.load32(28) or None)  # 4.3
    magic, arena, ring = struct.unpack_from("=QQQ", connection.arena)
    expect((header, magic, arena, ring) == (VERSION, ARENA_MAGIC, connection.arena_bytes,
                                            connection.ring), "the arena's header")
    connection.look_until(lambda: connection.load32(connection.calls + PAGE + 16) or None)
    return connection


class Bystander:
    """A connection that goes on while others misbehave."""

    def __init__(self):
        self.connection = connect()
        self.stream = Http2Calls(self.connection)
        self.check()

    def check(self):
        check_reflection(self.connection.call(image(b"direct")).message, b"direct")
        check_reflection(self.stream.call(image(b"stream")), b"stream")


def expect_end(connection, action):
    try:
        action()
        connection.look_until(lambda: None)
    except Ended:
        return


def be_odd():
    """What no check is for: the server serves the call behind it, or ends this connection."""
    # gRPC would abort, were it given one of these.
    for entry in (b"", b"v"), (b"Key", b"v"), (b":path", b"/x"), (b"k\0y", b"v"), (b"k", b"\n"):
        connection = connect()
        expect_end(connection, lambda: connection.call(image(b""), metadata=[entry]))
    connection = connect()
    expect_end(connection, lambda: connection.send(b"x" * 1000))  # no HTTP/2

    connection = connect()
    check_reflection(connection.call(image(b"late"), timeout=(1 << 64) - 2).message, b"late")
    for _ in range(100_000):  # wake-ups without end
        try:
            connection.socket.send(b"\0", socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass
    select.select([], [connection.socket], [], PATIENCE)  # the next one fits
    connection.store(connection.client + 264, (1 << 64) - 1)  # when it woke the server
    check_reflection(connection.call(image(b"woken")).message, b"woken")
    connection.socket.setblocking(True)
    try:
        socket.send_fds(connection.socket, [b"x" * 60_000], [connection.socket.fileno()])
    except PermissionError:
        pass  # from Linux 6.16 on, the server has the kernel refuse files
    check_reflection(connection.call(image(b"files")).message, b"files")
    connection.store(connection.calls + 32, 4711)  # says that it has read what it has not
    check_reflection(connection.call(image(b"read")).message, b"read")
    connection.ask(4)
    connection.granted = 100  # as if
    expect_end(connection, lambda: connection.call(image(b"x" * 24_000), lend=True))
    connection = connect()
    # A client that returns what was not lent gets no block any more. Direct calls do without,
    # HTTP/2 ends.
    connection.store(connection.client + 640, 3)
    response = connection.call(image(b"part " * 200, 20))
    check_reflection(response.message, b"part " * 200 * 20)
    expect(response.lent == 0, "a block")
    stream = Http2Calls(connection)
    expect_end(connection, lambda: stream.call(image(b"part " * 200, 20)))


def make_streams():
    connection = connect(make=StreamConnection)
    slots = [StreamSlot(connection, index) for index in (0, 1)]
    for slot, size, lend in ((0, 10, False), (1, 100_000, False), (0, 100_000, True)):
        pixels = os.urandom(size)
        messages = slots[slot].call(image(pixels, 2), lend)
        expect(len(messages) == 1, "one message")
        check_reflection(messages[0], pixels * 2)
    broken = lie("C67", KINDS, lie("C68", SIZES, lie("C69", ORDERS, ())))
    for records in broken:
        hostile = StreamSlot(connect(make=StreamConnection))
        hostile.write(records)
        expect_end(hostile.connection, hostile.post)
    check_reflection(slots[1].call(image(b"goes on"))[0], b"goes on")
    connection.close()
    if broken:
        raise Ended("end")


def make_calls():
    usual, small = connect(), connect("protocol/small")
    streams = {connection: Http2Calls(connection) for connection in (usual, small)}

    # Metadata both ways, a status, and each way to wait.
    for waiter in (LOOKING, PARKED, POLLED):
        response = usual.call(image(b"light"), waiter,
                              metadata=[(b"key", b"value"), (b"k-bin", b"\0\xff")])
        check_reflection(response.message, b"light")
        expect(response.code == 0, "status")
        expect(response.initial.get(b"seen-key") == b"value", "initial metadata")
        expect(response.trailing.get(b"seen-k-bin") == b"\0\xff", "trailing metadata")
        response = usual.call(image(b""), waiter, slot=1, metadata=[(b"fail", b"broken mirror")])
        expect((response.code, response.text, response.details, response.message) ==
               (9, b"broken mirror", b"details", b""), "an error")

    # All slots at once.
    for slot in range(SLOTS):
        usual.post(slot, image(b"%d" % slot))
    for slot in range(SLOTS):
        check_reflection(usual.finish(slot).message, b"%d" % slot)

    # Another call area (8.1), whose words and slots are its own.
    usual.store32(usual.calls + 40, lie("C62", usual.areas, 1))
    usual.wake()
    other = copy.copy(usual)
    for base in "calls", "requests", "responses":
        setattr(other, base, getattr(usual, base) + usual.area)
    other.generations, other.posted, other.acked = [0] * SLOTS, 0, 0
    other.look_until(lambda: other.load32(other.calls + PAGE + 16) or None)
    for slot in 0, 5:
        check_reflection(other.call(image(b"other"), LOOKING, slot=slot).message, b"other")

    # The stream path, with and without loans; messages larger than the ring.
    for connection, copies in ((usual, 3), (usual, 3), (small, 2)):
        pixels = os.urandom(10000)
        check_reflection(streams[connection].call(image(pixels, copies)), pixels * copies)
    expect(usual.returned > 0, "a part of the stream in a block")

    # Blocks both ways, many more than fit the areas.
    for i in range(24):
        pixels = os.urandom(100_000)
        response = usual.call(image(pixels), i % 3, lend=True)
        check_reflection(response.message, pixels)
        expect(response.lent == len(response.message), "a response in a block")
    usual.look_until(lambda: usual.take_back() or (None if usual.lent else True))

    # Less of the area, and all of it again; all responses are read.
    for pages in 4, usual.payload // PAGE:
        usual.ask(pages)
        pixels = os.urandom(usual.granted * PAGE // 8)
        usual.store(usual.calls + 32, usual.calls_made)
        check_reflection(usual.call(image(pixels), lend=True).message, pixels)
    expect(usual.granted == usual.payload // PAGE, "all pages granted again")

    # Parts; a request whose message would lie in a block, if there were any.
    for waiter in (LOOKING, PARKED, POLLED):
        response = small.call(image(b"part " * 200, 20), waiter, lend=True)
        check_reflection(response.message, b"part " * 200 * 20)
        expect(response.lent == 0, "a response without a block")

    # A call that is cancelled: in the slot that it leaves, the next one runs.
    usual.post(2, image(b""), metadata=[(b"wait", b"")], waiter=LOOKING)
    usual.look_until(lambda: usual.state(2)[0] == TAKEN or None)
    if lie("C30", True, False):
        usual.post(2, image(b""), waiter=LOOKING)
    usual.cancel(2)
    expect(usual.finish(2, LOOKING).code == 1, "CANCELLED")
    usual.look_until(lambda: usual.load(usual.calls + PAGE + 8) == usual.cancelled or None)
    check_reflection(usual.call(image(b"again"), slot=2).message, b"again")

    # A call that is taken back before the server sees it (8.8).
    usual.store32(usual.calls + 8192 + 128 * 3 + 12, usual.generations[3] + 1)
    expect(usual.call(image(b"late"), slot=3) is None, "kRefused")

    usual.store32(usual.calls + 24, 4711)  # 8.9
    usual.wake()
    usual.look_until(lambda: usual.load32(usual.calls + PAGE + 24) == 4711 or None)
    usual.close()
    small.close()
    make_streams()

    served = connect(make=LineConnection)
    served.post(0, image(b"back"), metadata=[(b"back", b"")])
    served.refuse_call()
    expect(served.finish(0).code == 14, "UNAVAILABLE")
    served.close()

    secret = SecretConnection("protocol/secret")
    secret.look_until(lambda: secret.load32(secret.calls + PAGE + 16) or None)
    check_reflection(secret.call(image(b"secret")).message, b"secret")
    secret.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--directory")
    parser.add_argument("--break", dest="check")
    parser.add_argument("--odd", action="store_true")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    source = ""
    for path in (__file__, line_client.__file__, protocol_client.__file__, secret_client.__file__,
                 stream_client.__file__):
        with open(path, encoding="utf-8") as file:
            source += file.read()
    lies = sorted(set(re.findall(r'lie\("(C\d+)"', source)), key=lambda check: int(check[1:]))
    if arguments.list:
        return print("\n".join(lies))
    signal.alarm(3 * PATIENCE)
    os.chdir(arguments.directory)
    if arguments.check:
        expect(arguments.check in lies, f"there is no way to break {arguments.check}")
        bystander = Bystander()
        checks.BREAK = arguments.check
        try:
            make_calls()
        except Ended as end:
            print(end)
        checks.BREAK = None
        os.seteuid(os.getuid())  # of C1
        bystander.check()
    if arguments.odd:
        bystander = Bystander()
        be_odd()
        bystander.check()
    make_calls()
    print("good")


if __name__ == "__main__":
    main()
