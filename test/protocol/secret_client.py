# SPDX-License-Identifier: Apache-2.0
"""A client that proves a shared secret: section 3.5 of docs/protocol.md."""

import hmac
import os
import socket
import struct

from protocol_client import HELLO_MAGIC, VERSION, Connection, lie, require

SECRET = b"the secret of protocol_test.cc"
SO_PEERPIDFD = 77


def process_number(end):
    try:
        pidfd = end.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD)
    except OSError:
        return 0
    number = os.fstat(pidfd).st_ino
    os.close(pidfd)
    return number


class SecretConnection(Connection):
    def __init__(self, name):
        self.FEATURES = lie("C55", 1, 3)
        super().__init__(name)

    def prove(self, name):
        challenge, _ = self.receive_message(48, 0)  # C59, C60
        nonce = os.urandom(32)
        context = challenge[16:] + nonce + struct.pack(
            "=QQ", process_number(self.socket), process_number(socket.socketpair()[0]))

        def proof(role):
            return hmac.digest(SECRET, role + context + name.encode(), "sha256")

        message = struct.pack("=QII", lie("C57", HELLO_MAGIC ^ 1, HELLO_MAGIC), VERSION, 2)
        message += nonce + lie("C58", bytes(32), proof(b"cxl-cli1"))
        self.socket.send(message + lie("C56", b"more", b""))
        answer, _ = self.receive_message(48, 0)
        require("C61", hmac.compare_digest(answer[16:], proof(b"cxl-srv1")))
