"""What a browser would make of a report."""

import base64
from html.parser import HTMLParser

from tests.command_line import PNG

HOSTILE = "<script>alert(1)<script>&\"'.nii.gz"
LOADING = ("src", "href", "action", "data", "poster", "srcset", "background")


class Page(HTMLParser):
    """What a browser would make of a page, and of the pages in its frames."""

    def __init__(self, html):
        super().__init__()
        self.html = html
        self.sources, self.scripts, self.frames, self.policies = [], 0, [], []
        self.rows, self.headings, self._texts = [], [], []
        self._raw = self._tag = None
        self.feed(html)
        self.close()
        self.text = " ".join("".join(self._texts).split())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.scripts += tag == "script"
        self._raw = tag if tag in ("script", "style") else None
        self.sources += [attributes[name] for name in LOADING if name in attributes]
        if tag == "iframe":
            assert attributes["sandbox"] == "allow-scripts"
            self.frames.append(Page(attributes["srcdoc"]))
        if tag == "tr":
            self.rows.append([])
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.policies.append(attributes["content"])
        self._tag = tag

    def handle_endtag(self, tag):
        self._raw = None
        self._tag = None

    def handle_data(self, data):
        if self._raw:
            assert self._raw == "script" or "url(" not in data
            return
        self._texts.append(data + " ")
        if self._tag in ("th", "td", "strong"):
            self.rows[-1].append(data)
        if self._tag == "h2":
            self.headings.append(data)

    def row(self, first):
        (row,) = [row for row in self.rows if row and row[0] == first]
        return row[1:]


def open_page(path):
    """A page that loads nothing from elsewhere and has scripts in its frames only."""
    page = Page(path.read_text(encoding="utf-8"))
    assert page.scripts == 0
    (policy,) = page.policies
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "http" not in policy
    for part in [page, *page.frames]:
        assert part.sources
        for source in part.sources:
            assert source.startswith("data:image/png;base64,"), source[:80]
            assert png_of(source).startswith(PNG)
    for part in page.frames:
        assert part.scripts >= 1
    return page


def png_of(source):
    """The bytes of a picture in a page."""
    return base64.b64decode(source.split(",")[1])
