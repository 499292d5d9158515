"""The few lines that tell a person what `prepare` made."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sweeper.corpus.meta import Meta
from sweeper.corpus.progress import readable_bytes


def print_summary(console: Console, meta: Meta, out: Path) -> None:
    num_files = sum(source.files for source in meta.sources)
    num_bytes = sum(source.bytes for source in meta.sources)
    files = "1 file" if num_files == 1 else f"{num_files:,} files"
    console.print(
        f"[bold]{escape(str(out))}[/bold] from {files}, {readable_bytes(num_bytes)}",
        highlight=False,
        soft_wrap=True,
    )
    rows = (
        ("training", meta.train_tokens, meta.documents - meta.val_documents, meta.train_bytes),
        ("validation", meta.val_tokens, meta.val_documents, meta.val_bytes),
    )
    table = Table(box=None, padding=(0, 2))
    table.add_column("")
    for heading in ("tokens", "documents", "text", "share"):
        table.add_column(heading, justify="right")
    for name, tokens, documents, text in rows:
        share = text / (meta.train_bytes + meta.val_bytes)
        table.add_row(name, f"{tokens:,}", f"{documents:,}", readable_bytes(text), f"{share:.1%}")
    console.print(table)
    notes = "\n".join(f"  {line}" for line in _notes(meta))
    console.print(notes, highlight=False, markup=False, soft_wrap=True)


def _notes(meta: Meta) -> list[str]:
    ends = f"token {meta.separator} ends each document"
    if meta.separator is None:
        ends = "no known end-of-text token: documents follow each other without one"
    notes = [
        f"tokenizer {meta.tokenizer}: {meta.vocab_size:,} tokens, "
        f"{meta.bytes_per_token:.2f} bytes a token; {ends}"
    ]
    if meta.skipped_files:
        notes.append(f"left out {meta.skipped_files:,} not UTF-8 text, of the files in the folders")
    return notes
