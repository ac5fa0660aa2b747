"""`colloque document show FILE`: what the bridge understands of a CDA document, an IHE_XDM archive or a mail, as JSON.

Of the patient it says which authority gave the number, and whether the identity is qualified: outputs are pasted
into tickets. Name, birth and number come with `--patient` only.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colloque.cli.exits import DATA, NO, NoInput
from colloque.errors import BadInput
from colloque.identity import INS_OIDS, contains_ins

if TYPE_CHECKING:  # lxml comes with the apps extra
    from colloque.mail.cda import Agent, ClinicalDocument, Patient
    from colloque.mail.documents import Found
    from colloque.mail.hl7 import Coded, Identifier, Moment
    from colloque.mail.message import Attachment, Mail

HIDDEN = "(patient)"
_LARGEST = 64_000_000
"""Bytes: more than any operator takes in one mail."""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("document", help="clinical documents")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    what = "what the bridge understands of a CDA (.xml), an IHE_XDM archive (.zip) or a mail (.eml), as JSON"
    show = actions.add_parser("show", help=what, description=f"{what}. 1: it holds no document; 65: one is unreadable.")
    show.add_argument("file", type=Path, metavar="FILE")
    show.add_argument("--patient", action="store_true", help="the patient's name, birth and number too")
    show.set_defaults(run=run, json=True)


def run(args: argparse.Namespace) -> int:
    """Print one JSON object."""
    from colloque.mail.documents import Contents, documents_in, of_cda  # noqa: PLC0415 - apps extra
    from colloque.mail.message import Attachment  # noqa: PLC0415
    from colloque.mail.parse import parse_mail  # noqa: PLC0415
    from colloque.mail.xdm import FILE_NAME  # noqa: PLC0415

    told: dict[str, Any] = {}
    data = _bytes(args.file)
    match args.file.suffix.lower():
        case ".eml":
            mail = parse_mail(data)
            told = _mail(mail, identified=args.patient)
            contents = documents_in(mail.attachments)
        case ".zip":
            contents = documents_in([Attachment(FILE_NAME, "application/zip", data)])
        case ".xml":
            contents = Contents((of_cda(Attachment("document.xml", "text/xml", data)),))
        case _:
            raise BadInput(f"{args.file}: not named .xml, .zip or .eml")
    told |= {
        "documents": [_found(each, identified=args.patient) for each in contents.documents],
        "problems": [*told.get("problems", ()), *contents.problems],
    }
    sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=2) + "\n")
    if not contents.whole:
        return DATA
    return 0 if contents.documents else NO


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise BadInput(f"{path}: larger than any mail")
        return path.read_bytes()
    except OSError as error:
        raise NoInput(path, error.strerror) from None


def _mail(mail: Mail, *, identified: bool) -> dict[str, Any]:
    """A subject and the files' names are the patient's, as the référentiel has them written."""
    from colloque.mail.mss import parse_subject  # noqa: PLC0415 - apps extra

    announced = parse_subject(mail.subject)
    return {
        "from": _address(mail.sender.address, identified=identified),
        "to": [_address(party.address, identified=identified) for party in (*mail.to, *mail.cc)],
        "date": mail.date.isoformat() if mail.date is not None else None,
        "announces": announced.count if announced is not None else 0,
        **({"subject": mail.subject} if identified else {}),
        "attachments": [_attachment(item, identified=identified) for item in mail.attachments],
        "problems": list(mail.problems),
    }


def _attachment(item: Attachment, *, identified: bool) -> dict[str, Any]:
    named = {"name": item.name} if identified else {"extension": Path(item.name).suffix.lower()}
    return {**named, "type": item.mime, "size": len(item.data)}


def _address(address: str, *, identified: bool) -> str:
    """A patient's address is their number."""
    return address if identified or not contains_ins(address) else HIDDEN


def _found(found: Found, *, identified: bool) -> dict[str, Any]:
    read = _document(found.document, identified=identified) if found.document is not None else {}
    file = {"file": {"type": found.mime, "size": len(found.data)}} if found.data is not None and not read else {}
    by = _system(found.patient) if found.patient is not None else None
    readable = found.data is not None
    return {
        "path": found.path,
        "read": readable,
        **read,
        **file,
        "metadata_patient": by,
        "problems": list(found.problems),
    }


def _document(document: ClinicalDocument, *, identified: bool) -> dict[str, Any]:
    custodian = document.custodian
    return {
        "type": _coded(document.type),
        "title": document.title,
        "date": _moment(document.at),
        "level": "N1" if document.body is not None else "N3",
        "version": document.version,
        "authors": [_agent(author) for author in document.authors],
        "custodian": custodian.name if custodian is not None else None,
        "recipients": [
            _agent(each.who)
            | {"copy": not each.primary}
            | {"addresses": [_address(address, identified=identified) for address in each.who.addresses]}
            for each in document.recipients
        ],
        "patient": _patient(document.patient, identified=identified) if document.patient is not None else None,
        "sections": len(document.sections),
        "files": [{"type": item.mime, "size": len(item.data)} for item in document.files],
    }


def _patient(patient: Patient, *, identified: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"systems": [_system(number) for number in patient.ids], "qualified": patient.qualified}
    if identified:
        told |= {
            "numbers": [number.extension for number in patient.ids],
            "family": patient.family,
            "given": patient.given,
            "birth": _moment(patient.birth),
            "sex": patient.sex,
        }
    return told


def _system(number: Identifier) -> str:
    """Who assigned a number, never the number."""
    label = INS_OIDS.get(number.root)
    return f"{label} ({number.root})" if label else number.root


def _agent(who: Agent) -> dict[str, Any]:
    return {
        "name": who.label,
        "rpps": who.rpps.value if who.rpps is not None else None,
        "role": _coded(who.role),
        "organization": who.organization.name if who.organization is not None else None,
    }


def _coded(code: Coded | None) -> dict[str, str] | None:
    return {"code": code.code, "label": code.label, "system": code.system} if code is not None else None


def _moment(moment: Moment | None) -> dict[str, Any] | None:
    return {"at": moment.at.isoformat(), "precision": moment.precision.value} if moment is not None else None
