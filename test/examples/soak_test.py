# SPDX-License-Identifier: Apache-2.0
"""Three machines that share a region's memory: one loses its power, one is paused for 16 leases
while its memory is reused under load, a service is killed. No call is served twice, no byte is
foreign, every path recovers and no memory is lost. The long form: //examples/two_hosts/soak.

Needs QEMU, and a kernel that has been fetched before. Without, it is skipped, and the record of the
test says why.
"""

import sys

import soak
from record_skip import record_skip  # test/support


def main():
    try:
        good = soak.run(["--cached", "--minutes=0", "--lease=0.5", "--seed=1",
                         "--events=kill,pause,power_loss"])
    except soak.CannotRun as why:
        record_skip("soak", str(why))
        return
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
