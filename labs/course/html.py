"""Markdown and code to HTML that may be shown: CommonMark with tables, footnotes and definition lists, sanitised."""

from __future__ import annotations

import html
import re

import nh3
from markdown_it import MarkdownIt
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.footnote import footnote_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

TAGS = {"p", "br", "hr", "h2", "h3", "h4", "h5", "ul", "ol", "li", "dl", "dt", "dd", "em", "strong", "code", "pre", "kbd",
        "blockquote", "table", "thead", "tbody", "tr", "th", "td", "a", "sup", "sub", "section", "span", "abbr", "div",
        "dfn", "img"}
ATTRIBUTES = {"a": {"href", "title", "id"}, "th": {"align"}, "td": {"align"}, "abbr": {"title"}, "ol": {"start"},
              "li": {"id"}, "img": {"src", "alt"}}
CLASSES = re.compile(r"ns(-(pid|mnt|net|uts|ipc|user|cgroup|time))?|footnote(s|-ref|-backref|-item|s-list|s-sep)?")
_markdown = MarkdownIt("commonmark").enable("table").use(deflist_plugin).use(footnote_plugin)
_formatter = HtmlFormatter(nowrap=True)


def render(text: str) -> str:
    """A chunk of Markdown as HTML."""
    return sanitise(_markdown.render(text))


def render_inline(text: str) -> str:
    """One line without its paragraph."""
    return sanitise(_markdown.renderInline(text))


def sanitise(source: str) -> str:
    """Only the tags and attributes above; links lead to http, https, mailto or within the site."""
    return nh3.clean(source, tags=TAGS, attributes={**ATTRIBUTES, "span": {"class"}, "section": {"class"},
                                                    "sup": {"class"}},
                     attribute_filter=_keep, url_schemes={"http", "https", "mailto"}, link_rel="noopener noreferrer")


def _keep(tag: str, name: str, value: str) -> str | None:
    if name == "class":
        return " ".join(word for word in value.split() if CLASSES.fullmatch(word)) or None
    if tag == "img" and name == "src" and ":" in value.split("/")[0]:
        return None
    return value


def code(text: str, language: str) -> str:
    """A code block with Pygments' class names; an unknown language is shown plain."""
    try:
        body = highlight(text, get_lexer_by_name(language or "text", stripnl=False), _formatter)
    except ClassNotFound:
        body = html.escape(text)
    return f'<pre class="highlight" tabindex="0"><code>{body}</code></pre>'
