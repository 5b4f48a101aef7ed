# SPDX-License-Identifier: Apache-2.0
"""Unary calls over HTTP/2 on the stream path of protocol_client.Connection (section 5.3).

As little of RFC 9113 as a server of gRPC is content with.
"""

import struct

from protocol_client import METHOD

DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
ACK = END_STREAM = 1
END_HEADERS = 4
LARGE = 1 << 30  # for windows that never fill; frames are as large as they can be


def frame(kind, flags, stream, body):
    return len(body).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + body


class Http2Calls:
    def __init__(self, connection):
        self.connection = connection
        self.last_stream = -1
        connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
                        frame(SETTINGS, 0, 0, struct.pack(">HIHI", 4, LARGE, 5, (1 << 24) - 1)) +
                        frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", LARGE)))

    def next_frame(self):
        self.connection.receive()
        stream = self.connection.stream
        end = 9 + int.from_bytes(stream[:3], "big")
        if len(stream) < 9 or len(stream) < end:
            return None
        self.connection.stream = stream[end:]
        return (*struct.unpack(">BBI", stream[3:9]), stream[9:end])

    def call(self, message):
        """The response's message, whose request lies in a block if there are blocks."""
        self.last_stream += 2
        headers = {b":method": b"POST", b":scheme": b"http", b":path": METHOD,
                   b":authority": b"test", b"te": b"trailers", b"content-type": b"application/grpc"}
        block = b"".join(b"\0" + bytes([len(key)]) + key + bytes([len(value)]) + value
                         for key, value in headers.items())
        self.connection.send(frame(HEADERS, END_HEADERS, self.last_stream, block))
        message = struct.pack(">BI", 0, len(message)) + message
        self.connection.send(frame(DATA, END_STREAM, self.last_stream, message), lend=True)
        data = b""
        while True:
            kind, flags, stream, body = self.connection.sleep_until(self.next_frame)
            if kind in (SETTINGS, PING) and not flags & ACK:
                self.connection.send(frame(kind, ACK, 0, body if kind == PING else b""))
            if stream != self.last_stream:
                continue
            if kind == DATA:
                data += body
            if kind == RST_STREAM or flags & END_STREAM:
                return data[5:]
