# SPDX-License-Identifier: Apache-2.0
"""Has Bazel's record of a test say that it was skipped: exit code 0 alone counts as passed."""

import os
import xml.sax.saxutils


def record_skip(name, why):
    print(f"{name} skipped: {why}")
    if "XML_OUTPUT_FILE" in os.environ:
        with open(os.environ["XML_OUTPUT_FILE"], "w", encoding="utf-8") as file:
            file.write(f"""<testsuites><testsuite name="{name}" tests="1" skipped="1">
<testcase classname="{name}" name="all"><skipped message={xml.sax.saxutils.quoteattr(why)}/></testcase>
</testsuite></testsuites>""")
