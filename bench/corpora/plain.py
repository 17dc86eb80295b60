"""Markup to plain text: web pages, manual pages, and lines chosen by their script.

Meant for corpora and not for reading: what is left is the running text in its order, one block a line or paragraph.
"""

from __future__ import annotations

import html
import re

_DROPPED = re.compile(
    r"<(head|script|style|nav|svg)\b.*?</\1\s*>|<!--.*?-->|<!DOCTYPE[^>]*>", re.DOTALL | re.IGNORECASE
)
_BLOCK = re.compile(r"</?(?:p|div|br|li|ul|ol|dl|dt|dd|tr|table|h[1-6]|pre|section|blockquote)\b[^>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[/a-zA-Z!?][^>]*>")
_TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)
_EMPTY_LINES = re.compile(r"\n{3,}")


def from_html(page: str) -> str:
    """Return the text of a web page; blocks begin on new lines."""
    text = _TAG.sub("", _BLOCK.sub("\n", _DROPPED.sub("", page)))
    return tidy(html.unescape(text))


_FONT = re.compile(r"\\f(?:\[[^]]*\]|\(..|.)|\\s[+-]?\d+|\\[&/,|^%:]|\\\((?:co|rg|tm)")
_SPECIAL = {"\\(aq": "'", "\\(dq": '"', "\\(em": "\u2014", "\\(en": "\u2013", "\\(lq": "\u201c", "\\(rq": "\u201d",
            "\\(bu": "\u2022", "\\(ha": "^", "\\(ti": "~", "\\-": "-", "\\~": " ", "\\ ": " ", "\\e": "\\",
            "\\(mi": "-"}  # fmt: skip
_REQUEST = re.compile(r"^[.'][ \t]*([A-Za-z]+)[ \t]*(.*)$")
_WITH_TEXT = {"SH", "SS", "B", "I", "BR", "RB", "IR", "RI", "BI", "IB", "SM", "SB", "IP", "TP", "Nm", "Nd", "Sh", "Ss"}
"""Requests whose arguments are text."""


def from_manual(page: str) -> str:
    """Return the text of a page in roff's `man` macros; definitions of macros and comments go."""
    lines = []
    for line in page.split("\n"):
        request = _REQUEST.match(line)
        if request is None:
            if not line.startswith((".", "'", '\\"')):
                lines.append(line)
        elif request[1] in _WITH_TEXT:
            lines.append(request[2].replace('"', ""))
        elif request[1] in ("PP", "P", "LP"):
            lines.append("")
    text = "\n".join(lines)
    for escape, character in _SPECIAL.items():
        text = text.replace(escape, character)
    return tidy(_FONT.sub("", text))


def tidy(text: str) -> str:
    """Return text without blanks at ends of lines, with at most one empty line in a row, ending in a newline."""
    text = _EMPTY_LINES.sub("\n\n", _TRAILING.sub("", text.replace("\r\n", "\n"))).strip("\n")
    return text + "\n\n" if text else ""


SCRIPTS = {
    "arabic": "\u0600-\u06ff",
    "cyrillic": "\u0400-\u04ff",
    "devanagari": "\u0900-\u097f",
    "greek": "\u0370-\u03ff",
    "han": "\u3400-\u9fff",
    "hangul": "\uac00-\ud7af",
    "japanese": "\u3040-\u30ff\u4e00-\u9fff",
    "khmer": "\u1780-\u17ff",
    "latin": "\u00c0-\u024f\u1e00-\u1eff",
    "tibetan": "\u0f00-\u0fff",
}
"""Characters that tell a script from English: for Latin, the letters that English lacks."""


def in_script(text: str, script: str) -> str:
    """Return the lines that are in a script: a third of their characters, or one letter where the script is Latin."""
    letters = re.compile(f"[{SCRIPTS[script]}]")
    share = 0.0 if script == "latin" else 1 / 3
    kept = [line for line in text.split("\n") if len(letters.findall(line)) > share * len(line)]
    return "".join(line + "\n" for line in kept)
