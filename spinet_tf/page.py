"""A web page in one file: text, tables and pictures, nothing to fetch.

Pages are built as trees, so that every text and attribute is escaped on writing. Their
content security policy forbids a browser to load anything from elsewhere.
"""

import base64
import io
from xml.etree.ElementTree import Element, SubElement, tostring

from spinet_tf.atomic_write import atomic_path

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'"
)
STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1, td { overflow-wrap: anywhere }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc }
table { border-collapse: collapse; margin: 1rem 0 }
caption { text-align: left; font-weight: bold; white-space: nowrap }
th, td { padding: .15rem 1rem .15rem 0; text-align: left; vertical-align: top }
tr { border-bottom: 1px solid #eee }
figure { margin: 1rem 0 }
img, iframe { max-width: 100% }
iframe { width: 100%; height: 30rem; border: 1px solid #ccc }
"""
PICTURE_DPI = 110


def write_page(path, title, sections):
    """Write a page.

    Args:
        path: file to write; written completely or not at all.
        title: str.
        sections: dict of heading to list of elements, as the functions here make.

    Raises:
        InputError: if the file cannot be written.
    """
    page = Element("html", lang="en")
    head = SubElement(page, "head")
    SubElement(head, "meta", charset="utf-8")
    policy = {"http-equiv": "Content-Security-Policy", "content": POLICY}
    SubElement(head, "meta", policy)
    view = {"name": "viewport", "content": "width=device-width, initial-scale=1"}
    SubElement(head, "meta", view)
    SubElement(head, "title").text = title
    SubElement(head, "style").text = STYLE
    body = SubElement(page, "body")
    SubElement(body, "h1").text = title
    for heading, elements in sections.items():
        section = SubElement(body, "section")
        SubElement(section, "h2").text = heading
        section.extend(elements)
    # A file name may hold bytes that are no text.
    text = tostring(page, encoding="unicode", method="html")
    content = f"<!DOCTYPE html>\n{text}\n".encode("utf-8", "replace")
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def paragraph(text):
    """A paragraph of plain text."""
    element = Element("p")
    element.text = text
    return element


def strong(text):
    """Bold plain text, for a cell of a table."""
    element = Element("strong")
    element.text = text
    return element


def bullets(texts):
    """A list of plain texts."""
    element = Element("ul")
    for text in texts:
        SubElement(element, "li").text = text
    return element


def table(rows, header=(), caption=""):
    """A table of plain text.

    Args:
        rows: iterable of iterables of values, elements or shown by `str`; the first of
            a row is its heading.
        header: headings of the columns. Defaults to none.
        caption: str. Defaults to none.

    Returns:
        An element.
    """
    element = Element("table")
    if caption:
        SubElement(element, "caption").text = caption
    if header:
        row = SubElement(element, "tr")
        for text in header:
            SubElement(row, "th", scope="col").text = str(text)
    for first, *others in rows:
        row = SubElement(element, "tr")
        SubElement(row, "th", scope="row").text = str(first)
        for value in others:
            cell = SubElement(row, "td")
            if isinstance(value, Element):
                cell.append(value)
            else:
                cell.text = str(value)
    return element


def picture(figure, description):
    """A picture of a matplotlib figure, with a description below it.

    Args:
        figure: `matplotlib.figure.Figure`.
        description: str.

    Returns:
        An element.
    """
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=PICTURE_DPI)
    data = base64.b64encode(png.getvalue()).decode("ascii")
    element = Element("figure")
    SubElement(element, "img", src=f"data:image/png;base64,{data}", alt=description)
    SubElement(element, "figcaption").text = description
    return element


def frame(document, description):
    """A page within the page; its scripts cannot reach out of it.

    Args:
        document: str, HTML.
        description: str.

    Returns:
        An element.
    """
    attributes = {"sandbox": "allow-scripts", "title": description, "srcdoc": document}
    element = Element("figure")
    SubElement(element, "iframe", attributes)
    SubElement(element, "figcaption").text = description
    return element
