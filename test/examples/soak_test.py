# SPDX-License-Identifier: Apache-2.0
"""The short form of //examples/two_hosts/soak, without the hotel: of three machines that share a
region's memory, one is paused for 16 leases while others end connections and make new ones, and one
loses its power. No call is served twice, no byte is foreign, every path recovers, and no memory is
lost.

Needs QEMU, and a kernel that has been fetched before. Without, it is skipped, and the record of the
test says why.
"""

import sys
import tempfile

import journals
import soak
from record_skip import record_skip  # test/support


def check_journals():
    """That a call served twice is found, also on another machine, and that an unfinished line is none."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [f"{folder}/0", f"{folder}/1"]
        for path, lines in zip(paths, ((b"0.1.1 Geo/Nearby", b"0.1", b"0.1", b"0.1.2 Geo/Nearby"),
                                       (b"0.1.2 Rate/GetRates", b"0.1.1 Geo/Nearby"))):
            with open(path, "wb") as file:
                file.write(len(lines).to_bytes(64, "little"))
                file.write(b"".join(line.ljust(64, b"\0") for line in lines))
                file.truncate(4096)
        found = journals.Journals(paths)
        found.look()
        assert found.served() == 0  # they may still be written
        found.look()
        assert found.twice == ["0.1.1 Geo/Nearby"], found.twice
        assert found.served() == 4, found.served()


def main():
    check_journals()
    try:
        good = soak.run(["--cached", "--minutes=0", "--lease=0.5", "--seed=1", "--processors=1",
                         "--no-hotel", "--megabytes=128", "--events=pause,power_loss"])
    except soak.CannotRun as why:
        record_skip("soak", str(why))
        return
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
