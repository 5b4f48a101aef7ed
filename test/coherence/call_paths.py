# SPDX-License-Identifier: Apache-2.0
"""The call paths of a test program: which of its functions belong to them, and their names.

A path is what checked_sites.h makes of a site: a place in the code and the innermost frames of
functions of grpc_cxl, up to the first frame of a test. A call's place in its function is the
distance from where that begins, which is the same in all programs.
"""

import bisect
import os
import re
import subprocess

# They only pass a site on, or call what does: functions with a parameter of this type, and the
# classes named.
SITE = "15source_location"
PASSED_OVER = {"Checker", "OwnEntries"}

# What a symbol is of, first in its namespace: a class, or a function.
_OWNER = re.compile(r"_Z+NK?8grpc_cxl(?:8internal)?(?:12_GLOBAL__N_1)?(\d+)(\w+)")
_CLASS = re.compile(r"\b(?:class|struct|union)\s+(?:[A-Z_]{4,}(?:\([^)]*\))?\s+|alignas\([^)]*\)\s+)*(\w+)")
_FUNCTION = re.compile(r"^(?![#/} ])[^(=;\n]*?(?<![:\w~])(\w+)\(", re.MULTILINE)


def library_names(root, rooms):
    """Classes and functions of these rooms of grpc_cxl."""
    names = set()
    for room in rooms:
        folder = os.path.join(root, "grpc_cxl", room)
        for file in os.listdir(folder):
            if file.endswith((".h", ".cc")):
                with open(os.path.join(folder, file), encoding="utf-8") as source:
                    text = re.sub(r"//.*", "", source.read())
                names.update(_CLASS.findall(text), _FUNCTION.findall(text))
    return names


class Program:
    """A test program, and the file of GRPC_CXL_SITE_FUNCTIONS for it."""

    def __init__(self, path, library, functions):
        self.functions = functions
        symbols = {}
        said = subprocess.run(["nm", "--defined-only", path], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
        for line in said.splitlines():
            address, kind, name = line.split(" ", 2)
            if kind in "tTwWi":
                symbols[int(address, 16)] = name
        self._symbols = sorted(symbols.items())
        self._begins = [begin for begin, _ in self._symbols]
        with open(functions, "w", encoding="utf-8") as file:
            for begin, name in self._symbols:
                file.write(f"{begin:x} {self._sign(name, library)}\n")

    @staticmethod
    def _sign(name, library):
        if name == "main" or name.startswith(("_ZN7testing", "_ZNK7testing")):
            return "-"
        owner = _OWNER.match(name)
        if not owner or SITE in name:
            return "."
        first = owner.group(2)[:int(owner.group(1))]
        if first in PASSED_OVER:
            return "."
        return "+" if first in library else "-"

    def frames(self, site):
        """(symbol, distance) of each frame of a recorded site."""
        frames = []
        for address in filter(None, site.partition("@")[2].split(",")):
            begin, name = self._symbols[bisect.bisect_right(self._begins, int(address, 16) - 1) - 1]
            frames.append((name, int(address, 16) - begin))
        return tuple(frames)


def readable(paths):
    """Text of each of the paths, which are (place, frames). Several calls in a function that lead to
    a place are told apart by numbers: "Region::Open#2"."""
    calls = {}
    for place, frames in paths:
        for symbol, distance in frames:
            calls.setdefault((place, symbol), set()).add(distance)
    symbols = sorted({symbol for _, symbol in calls})
    said = subprocess.run(["c++filt", "-p"], input="\n".join(symbols), check=True, text=True,
                          stdout=subprocess.PIPE).stdout.splitlines()
    names = {symbol: re.sub(r"grpc_cxl::(internal::)?|\(anonymous namespace\)::|\[abi:\w+\]", "", name)
             for symbol, name in zip(symbols, said)}

    def frame(place, symbol, distance):
        distances = sorted(calls[place, symbol])
        number = f"#{distances.index(distance) + 1}" if len(distances) > 1 else ""
        return names[symbol] + number

    return {(place, frames): " < ".join([place] + [frame(place, *one) for one in frames])
            for place, frames in paths}
