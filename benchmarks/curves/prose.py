"""The corpus `prose`: the English manuals of five Debian packages, as plain text.

python benchmarks/curves/prose.py FOLDER    # needs apt-get and dpkg-deb, and a Debian mirror
"""

import gzip
import re
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path

PACKAGES = (
    "debian-handbook",
    "debian-reference-en",
    "debian-faq",
    "installation-guide-amd64",
    "maint-guide",
)
TEXTS = (
    "usr/share/debian-reference/debian-reference.en.txt.gz",
    "usr/share/doc/debian/FAQ/debian-faq.en.txt.gz",
    "usr/share/doc/installation-guide-amd64/en/install.en.txt.gz",
    "usr/share/doc/maint-guide/maint-guide.en.txt.gz",
)
HANDBOOK = "usr/share/doc/debian-handbook/html/en-US"


class Paragraphs(HTMLParser):
    """The text of a page's paragraphs and headings; menus and listings are left out."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[bool] = []  # of each paragraph, heading or division: whether it is text
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("p", "div", "h1", "h2", "h3", "h4"):
            self.open.append(tag != "div" or ("class", "para") in attrs)
            self.text.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("p", "div", "h1", "h2", "h3", "h4") and self.open:
            self.open.pop()
            self.text.append("\n\n")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1]:
            self.text.append(" ".join(data.split("\n")))


def prose_of(page: str) -> str:
    """The paragraphs of an HTML page, one a line, with an empty line between."""
    parser = Paragraphs()
    parser.feed(page)
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n\n+", "".join(parser.text)))
    return "\n\n".join(part for part in paragraphs if part) + "\n"


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        subprocess.run(["apt-get", "download", *PACKAGES], cwd=temporary, check=True)
        for package in Path(temporary).glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, temporary], check=True)
        for name in TEXTS:
            text = gzip.decompress((Path(temporary) / name).read_bytes())
            (out / Path(name).stem).write_bytes(text)
        for page in sorted((Path(temporary) / HANDBOOK).glob("*.html")):
            text = prose_of(page.read_text(encoding="utf-8"))
            (out / f"handbook-{page.stem}.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
