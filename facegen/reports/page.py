"""A report: one HTML file with its pictures inside, without scripts.

It is built as a tree of elements, so that names of folders, which may hold anything, can only become text.
"""

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from facegen.reports.style import STYLE
from facegen.reports.tables import NONE, Table


class Picture(NamedTuple):
    """One PNG, what it shows in words, and the file beside the page that holds it as well."""

    png: bytes
    says: str
    file: str


class Block(NamedTuple):
    """Pictures that belong beside each other, with a heading and what they show."""

    heading: str
    text: str
    pictures: list[Picture]


class Section(NamedTuple):
    """A part of the page."""

    heading: str
    content: Sequence[Table | Block | str | Element]


def page(title: str, intro: Sequence[Element], sections: Sequence[Section], footer: str) -> bytes:
    """A whole page in UTF-8."""
    head = node(
        "head",
        node("meta", charset="utf-8"),
        node("meta", name="viewport", content="width=device-width, initial-scale=1"),
        node("meta", name="color-scheme", content="light dark"),
        node("title", title),
        node("style", STYLE),
    )
    links = [node("a", section.heading, href=f"#part{number}") for number, section in enumerate(sections)]
    top = node("header", node("h1", title), *intro)
    main = node("main", *(_section(section, number) for number, section in enumerate(sections)))
    body = node("body", top, node("nav", *links, aria_label="Parts of this page"), main, node("footer", footer))
    tree = node("html", head, body, lang="en")
    return b"<!DOCTYPE html>\n" + ElementTree.tostring(tree, encoding="unicode", method="html").encode(
        "utf-8", "replace"
    )


def node(name: str, /, *children: Element | str, **attributes: str) -> Element:
    """An element; text is escaped when the tree is written, signs that cannot be printed become question marks."""
    made = Element(name, {key.rstrip("_").replace("_", "-"): _printable(value) for key, value in attributes.items()})
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + _printable(child)
        else:
            made.text = (made.text or "") + _printable(child)
    return made


def link(text: str, address: str) -> Element:
    """A link to a web page; anything else is only text."""
    return node("a", text, href=address) if address.startswith("https://") else node("span", text)


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in text)


def _section(section: Section, number: int) -> Element:
    parts = [_part(content) for content in section.content if not isinstance(content, Block)]
    if blocks := [_block(content) for content in section.content if isinstance(content, Block)]:
        parts.append(node("div", *blocks, class_="blocks"))
    return node("section", node("h2", section.heading), *parts, id=f"part{number}")


def _part(content: Table | str | Element) -> Element:
    if isinstance(content, Table):
        return table(*content)
    return content if isinstance(content, Element) else node("p", content)


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str | Element]]) -> Element:
    """A table; the first cell of a row, which is text, names it. Cells that are elements must be `td`."""
    names = node("tr", *(node("th", name, scope="col") if name else node("td") for name in head))
    body = [node("tr", node("th", first, scope="row"), *map(_cell, rest)) for first, *rest in rows]
    made = node("table", node("caption", caption), node("thead", names), node("tbody", *body))
    # The region scrolls by itself on a narrow screen, so the keyboard must be able to reach it.
    return node("div", made, class_="table", role="region", tabindex="0", aria_label=caption)


def _cell(value: str | Element) -> Element:
    if isinstance(value, Element):
        return value
    return node("td", value, class_="none") if value == NONE else node("td", value)


def _block(block: Block) -> Element:
    pictures = [node("figure", _picture(picture)) for picture in block.pictures]
    grid = node("div", *pictures, class_="pictures")
    width = "several" if len(block.pictures) > 1 else "one"
    return node("section", node("h3", block.heading), node("p", block.text), grid, class_=width)


def _picture(picture: Picture) -> Element:
    data = base64.b64encode(picture.png).decode()
    width, height = (str(int.from_bytes(picture.png[at : at + 4])) for at in (16, 20))  # PNG's first chunk
    shown: dict[str, Any] = {"src": f"data:image/png;base64,{data}", "alt": picture.says}
    return node("img", width=width, height=height, **shown)
