# SPDX-License-Identifier: Apache-2.0
"""Finds what the documents say about the repository that is not so.

Documents are README.md, CONTRIBUTING.md, docs/*.md, bench/README.md and the README.md files
below examples/ and deploy/. In them

* a relative link, [text](path#anchor), leads to a file or directory of the repository, and its
  anchor is that of a heading in that file;
* a path in backticks exists. A path has a slash, and ends in a known extension or in a slash, or
  begins with "docs/". It is relative to the repository, to the document or to grpc_cxl/;
* README.md has at most 150 lines.

Code blocks are not looked at.
"""

import os
import re

README_LINES = 150

_EXTENSIONS = ("bazel", "bzl", "cc", "h", "html", "json", "md", "proto", "py", "sh", "svg")
_CODE_SPAN = re.compile(r"`((?:[^`\n]|\n(?!\n))+)`")
_LINK = re.compile(r"\[[^\[\]]*\]\(([^()\s]+)\)")
_PATH = re.compile(r"(?:[\w.+-]+/)+(?:[\w.+-]+\.(?:%s))?" % "|".join(_EXTENSIONS))
_DOCS_PATH = re.compile(r"docs/[\w./+-]+")
_HEADING = re.compile(r"#{1,6} +(.*?)(?: +#+)?$")


def documents(root):
    """Paths of the documents, relative to `root`."""
    found = [name for name in ("README.md", "CONTRIBUTING.md") if _exists(root, name)]
    if _exists(root, "docs"):
        found += [os.path.join("docs", name) for name in os.listdir(os.path.join(root, "docs"))
                  if name.endswith(".md")]
    if _exists(root, "bench/README.md"):
        found.append("bench/README.md")
    for top in ("examples", "deploy"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            if "README.md" in names:
                found.append(os.path.relpath(os.path.join(folder, "README.md"), root))
    return sorted(found)


def problems(root):
    """One sentence for each thing that is wrong; none: all is well."""
    found = []
    for document in documents(root):
        text = _read(root, document)
        lines = text.count("\n")
        if document == "README.md" and lines > README_LINES:
            found.append(f"README.md has {lines} lines; at most {README_LINES} are allowed")
        prose = _without_code_blocks(text)
        found += _broken_links(root, document, prose)
        found += _missing_paths(root, document, prose)
    return found


def anchors(text):
    """The anchors of a document's headings, as GitHub makes them."""
    seen = {}
    result = set()
    for line in _without_code_blocks(text).split("\n"):
        heading = _HEADING.match(line)
        if heading is None:
            continue
        title = re.sub(r"\[([^\[\]]*)\]\([^()]*\)", r"\1", heading.group(1))
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        count = seen.get(anchor, 0)
        seen[anchor] = count + 1
        result.add(anchor if count == 0 else f"{anchor}-{count}")
    return result


def _broken_links(root, document, prose):
    found = []
    # What stands in backticks is no link, but may be a link's text.
    for link in _LINK.findall(_CODE_SPAN.sub("code", prose)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = os.path.normpath(os.path.join(os.path.dirname(document), path)) if path else document
        if target.startswith("..") or not _exists(root, target):
            found.append(f"{document}: the link to {link} leads nowhere")
        elif anchor and (not target.endswith(".md") or anchor not in anchors(_read(root, target))):
            found.append(f"{document}: {target} has no heading for the link to {link}")
    return found


def _missing_paths(root, document, prose):
    found = []
    for span in _CODE_SPAN.findall(prose):
        if not _PATH.fullmatch(span) and not _DOCS_PATH.fullmatch(span):
            continue
        places = ("", os.path.dirname(document), "grpc_cxl")
        if not any(_exists(root, os.path.join(place, span)) for place in places):
            found.append(f"{document}: there is no {span}")
    return found


def _without_code_blocks(text):
    """`text` with empty lines for fenced blocks and for lines indented by four columns."""
    kept = []
    fence = None
    for line in text.split("\n"):
        mark = re.match(r" {0,3}(```+|~~~+)", line)
        if fence is not None:
            if mark is not None and mark.group(1).startswith(fence):
                fence = None
            kept.append("")
        elif mark is not None:
            fence = mark.group(1)
            kept.append("")
        else:
            kept.append("" if line.startswith("    ") else line)
    return "\n".join(kept)


def _exists(root, path):
    return os.path.exists(os.path.join(root, path))


def _read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()
