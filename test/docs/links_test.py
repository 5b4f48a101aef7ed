# SPDX-License-Identifier: Apache-2.0
"""Proves that every link, anchor and path in the documents exists, and that the check finds those
that do not.

The documents name files of every package, most of which are no inputs of this test. So it looks
at the source tree itself, to which README.md in the runfiles is a symbolic link, and is tagged
`external`: it runs every time.
"""

import os
import pathlib
import tempfile
import unittest

import links


class RepositoryTest(unittest.TestCase):

    def test_documents_tell_the_truth(self):
        root = os.path.dirname(os.path.realpath("README.md"))
        self.assertTrue(os.path.exists(os.path.join(root, "WORKSPACE")), f"no source tree at {root}")
        self.assertIn("README.md", links.documents(root))
        self.assertIn("docs/architecture.md", links.documents(root))
        self.assertIn("examples/two_hosts/README.md", links.documents(root))
        found = links.problems(root)
        self.assertFalse(found, "\n" + "\n".join(found))


class CheckTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = directory.name
        self.write("docs/guide.md", "# The guide\n\n## How, and `why`?\n")
        self.write("grpc_cxl/ring/ring.h", "")

    def write(self, path, text):
        file = pathlib.Path(self.root, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def problems_of(self, text, document="README.md"):
        self.write(document, text)
        return links.problems(self.root)

    def test_good_links_and_paths(self):
        self.assertEqual([], self.problems_of(
            "[guide](docs/guide.md), [why](docs/guide.md#how-and-why), [`ring.h`](grpc_cxl/ring/ring.h),\n"
            "[a text\nof two lines](docs/guide.md), [rooms](grpc_cxl/), [web](https://example.com/x.h)\n"
            "`grpc_cxl/ring/ring.h` `ring/ring.h` `grpc_cxl/ring/` `docs/guide.md` `<sys/mman.h>`\n"))
        self.assertEqual([], self.problems_of("[up](../README.md), `guide.md`, [here](#a)\n\n# A\n",
                                              "docs/more.md"))

    def test_link_to_nowhere(self):
        self.assertEqual(["README.md: the link to docs/gone.md leads nowhere"],
                         self.problems_of("[a](docs/gone.md)\n"))
        self.assertEqual(["README.md: the link to ../outside.md leads nowhere"],
                         self.problems_of("[a](../outside.md)\n"))
        self.assertEqual(["README.md: the link to gone.svg leads nowhere"],
                         self.problems_of("![a](gone.svg)\n"))

    def test_links_are_relative_to_their_document(self):
        self.assertEqual(["docs/more.md: the link to docs/guide.md leads nowhere"],
                         self.problems_of("[a](docs/guide.md)\n", "docs/more.md"))

    def test_anchor_without_heading(self):
        wrong = "README.md: docs/guide.md has no heading for the link to docs/guide.md#how"
        self.assertEqual([wrong], self.problems_of("[a](docs/guide.md#how)\n"))
        self.assertEqual(["README.md: README.md has no heading for the link to #b"],
                         self.problems_of("# A\n[a](#b)\n"))

    def test_missing_path(self):
        self.assertEqual(["README.md: there is no grpc_cxl/ring/gone.h",
                          "README.md: there is no ring/gone/",
                          "README.md: there is no docs/gone"],
                         self.problems_of("`grpc_cxl/ring/gone.h` `ring/gone/` `docs/gone` `a/b`\n"))

    def test_code_blocks_are_not_looked_at(self):
        self.assertEqual([], self.problems_of("```\n[a](gone.md)\n```\n\n    `gone/a.h`\n"))
        self.assertEqual(1, len(self.problems_of("```\n[a](gone.md)\n```\n[a](gone.md)\n")))

    def test_readme_is_short(self):
        self.assertEqual([], self.problems_of("line\n" * 150))
        self.assertEqual(["README.md has 151 lines; at most 150 are allowed"],
                         self.problems_of("line\n" * 151))

    def test_documents_of_examples_are_found(self):
        self.assertEqual(["examples/a/b/README.md: the link to gone.md leads nowhere"],
                         self.problems_of("[a](gone.md)\n", "examples/a/b/README.md"))

    def test_anchors(self):
        self.assertEqual({"one-two", "one-two-1", "name_list"},
                         links.anchors("# One, *two*!\n## [One](x) two\n### `name_list`\n    # no\n"))


if __name__ == "__main__":
    unittest.main()
