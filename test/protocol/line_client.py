# SPDX-License-Identifier: Apache-2.0
"""A client that the server calls back: section 3.6 of docs/protocol.md."""

import hashlib
import os
import socket
import struct

from protocol_client import HELLO_MAGIC, VERSION, Connection, Ended, lie, require

SERVES_BACK = 16


class LineConnection(Connection):
    FEATURES = 1 | 4 | SERVES_BACK

    def __init__(self, name):
        self.KEY = os.urandom(12)
        super().__init__(name)
        self.line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.other_process = None
        claim = lie("C63", bytes(32), hashlib.sha256(self.KEY).digest())

        def make_line():
            self.line.connect(name.replace("/", "+") + ".sock")
            self.line.send(struct.pack("=QII", HELLO_MAGIC, VERSION, SERVES_BACK) + claim)

        if not lie("C64", True, False):
            return make_line()
        # It ends with this process, at the latest: it holds what the test reads from.
        self.end_other_process, ours = socket.socketpair()
        self.other_process = os.fork()
        if self.other_process == 0:
            self.end_other_process.close()
            make_line()
            ours.send(b"connected")
            ours.recv(1)
            os._exit(0)
        ours.close()
        self.end_other_process.recv(16)

    def refuse_call(self):
        """Waits for the server's Hello on the line, and answers that there is nobody to call."""
        message = self.line.recv(4096)
        if self.other_process is not None:
            self.end_other_process.close()
            os.waitpid(self.other_process, 0)
        if len(message) == 320:
            raise Ended(f"refuse {struct.unpack_from('=I', message, 20)[0]}")
        require("C65", len(message) == 32 and message[20:] == self.KEY and
                struct.unpack_from("=QI", message) == (HELLO_MAGIC, VERSION))
        self.line.send(struct.pack("=QIIII", HELLO_MAGIC, VERSION, 0, os.getpid(), 7).ljust(320,
                                                                                          b"\0"))

    def close(self):
        self.line.close()
        super().close()
