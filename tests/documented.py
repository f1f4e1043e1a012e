"""The code in README and docs: blocks, commands, and words in the text."""

import re
import textwrap
from typing import NamedTuple

from markdown_it import MarkdownIt

from tests.conftest import ROOT

GENERATED = ROOT / "docs" / "api.md"
"""Its blocks are signatures; `tests/test_api_page.py` looks after it."""
PAGES = [ROOT / "README.md", *sorted(set(ROOT.glob("docs/*.md")) - {GENERATED})]
PROGRAMS = {
    *("spinet-qsm", "python", "make", "pip", "for", "docker", "tensorboard"),
    *("tensorflow_model_server", "grpcurl", "qsm-forward"),
}
"""What a line of a block of commands may start with."""


class Block(NamedTuple):
    """A block of code.

    Attributes:
        page: path.
        kind: "commands", "python", or "other" for what no program runs.
        text: str.
    """

    page: object
    kind: str
    text: str


def parse(page):
    return MarkdownIt("commonmark").enable("table").parse(page.read_text())


def blocks(page):
    """The blocks of a page, in order."""
    found = []
    for token in parse(page):
        if token.type in ("code_block", "fence"):
            text = textwrap.dedent(token.content)
            found.append(Block(page, _kind(text, token.info), text))
    return found


def _kind(text, language):
    first = text.split()[0]
    if first in PROGRAMS and not language:
        return "commands"
    is_python = first in ("import", "from") and not language
    return "python" if is_python else "other"


def commands(block):
    """The commands of a block, each in one line, a loop as one."""
    text = re.sub(r"\\\n\s*", "", block.text)
    found, loop = [], []
    for line in text.splitlines():
        line = re.sub(r"\s+# .*", "", line).rstrip()
        if loop or line.startswith("for "):
            loop.append(line)
            if line == "done":
                found.append("\n".join(loop))
                loop = []
        elif line:
            found.append(line)
    assert not loop
    return found


def inline_code(page):
    """Every piece of code within the text of a page."""
    for token in parse(page):
        for child in token.children or ():
            if child.type == "code_inline":
                yield " ".join(child.content.split())


def links(page):
    """Every address a page links to, and every picture."""
    for token in parse(page):
        for child in token.children or ():
            if child.type == "link_open":
                yield child.attrGet("href")
            elif child.type == "image":
                yield child.attrGet("src")


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    tokens = parse(page)
    for heading, inline in zip(tokens, tokens[1:], strict=False):
        if heading.type == "heading_open":
            text = "".join(child.content for child in inline.children).lower()
            yield re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
