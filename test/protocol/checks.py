# SPDX-License-Identifier: Apache-2.0
"""Section 13 of docs/protocol.md: making each check, and breaking those of the server."""

BREAK = None  # the check whose value a client writes wrongly


class Ended(Exception):
    """The server ended the connection: "end"; refused it: "refuse 1"; or ended a stream: "fail"."""


def lie(check, wrong, right):
    return wrong if check == BREAK else right


def expect(holds, otherwise):
    if not holds:
        raise RuntimeError(otherwise)


def require(check, holds):
    expect(holds, f"the server's value breaks check {check}")
