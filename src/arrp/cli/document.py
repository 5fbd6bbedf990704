"""`arrp document`: files that acts name by their digest; and the document that an option of a command names."""

from __future__ import annotations

from mimetypes import guess_type
from pathlib import Path
from typing import Annotated

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.desk import ELSEWHERE, CaseId, Desk, Home, Looking, Wishing
from arrp.cli.speaking import show, show_json, show_table
from arrp.core.messages import DOCUMENT_BYTES_MAX
from arrp.core.request import Document
from arrp.node.files import read_file, write_new

DocumentFile = Annotated[Path, typer.Option(help="The file of the document; those whom the act is told fetch it.")]
MaybeDocument = Annotated[Path | None, typer.Option(help="The file of the document, where one is needed.")]
DigestArgument = Annotated[str, typer.Argument(metavar="DIGEST", help="SHA-256 of the document, 64 hex digits.")]


def document(asked: Wishing, request: str, file: Path, kind: str) -> Document:
    """The document of an act: its file is given to our node, for the case of that request."""
    return _added(Desk(asked.home, asked.officer), file, kind, request=request)


def _added(desk: Desk, file: Path, kind: str, **where: str) -> Document:
    data = read_file(file, DOCUMENT_BYTES_MAX)
    found = desk.upload("/documents", data, **where)
    return Document(found["digest"], kind, guess_type(file.name)[0] or "application/octet-stream", found["bytes"])


@command
def add(file: Annotated[Path, typer.Argument(metavar="FILE", help="At most 20 MB.")],
        case: Annotated[str, typer.Option(help="The case it belongs to, and goes with.")],
        officer: Looking = "", home: Home = ELSEWHERE, as_json: AsJson = False) -> None:
    """Give a document to this node, for one of its cases. It is kept under its digest and never looked into."""
    added = _added(Desk(home, officer), file, "document", case=case)
    if as_json:
        show_json({"digest": added.digest, "bytes": added.bytes})
    else:
        show(added.digest)


@command
def list_documents(case: CaseId, officer: Looking = "", home: Home = ELSEWHERE, as_json: AsJson = False) -> None:
    """The documents of a case: which are here, which are still on their way, from whom."""
    rows = Desk(home, officer).get("/documents", case=case)
    if as_json:
        show_json(rows)
    else:
        show_table(("document", "bytes", "from", "here since"), (
            (row["digest"], row["bytes"], row["peer"] or "us", row["here_at"] or "not yet") for row in rows
        ))


@command
def get(digest: DigestArgument, out: Annotated[Path, typer.Option(help="A new file for it.")], officer: Looking = "",
        home: Home = ELSEWHERE) -> None:
    """Write a document into a file, as it came. Open it with care: nobody has looked into it."""
    write_new(out, Desk(home, officer).download(f"/documents/{digest}"), 0o600)
    show(str(out))
