"""`colloque annuaire status|show|find`: what the directory says, for operators."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

from colloque.cli import directory_text as told
from colloque.cli.directory_place import place
from colloque.cli.directory_say import local, opened, say, say_json
from colloque.cli.exits import NO
from colloque.clock import SystemClock
from colloque.directory.lookup import Age, Freshness, Query
from colloque.errors import NotFound
from colloque.identity import Adeli, MssanteAddress, Rpps
from colloque.professional import Professional

if TYPE_CHECKING:
    from colloque.directory.questions import TableDirectory

MOST = 100
_MEANS = {
    Age.FRESH: "fresh",
    Age.LATE: "LATE: ANS publishes daily",
    Age.STALE: "STALE: nobody is admitted on its word, and an absence proves nothing",
}


def run_status(args: argparse.Namespace) -> int:
    """Dates, counts, age, white-list, what the last import changed."""
    now = SystemClock().now()
    where = place(args)
    with opened(where) as directory:
        fresh = directory.freshness()
        parts = {str(kind): at for kind, at in directory.parts().items()}
        until = directory.whitelist_valid_until()
        changes = Counter(f"{change.subject}.{change.what}" for change in directory.changes())
    age, valid = fresh.age(now, where.ages), until is not None and until > now
    if args.json:
        facts = {"age": age, "parts": parts, "whitelist_valid": valid, "whitelist_valid_until": until}
        say_json(asdict(fresh) | facts | {"changes": changes})
        return 0
    say(f"{fresh.people} people, {fresh.mailboxes} mailboxes, imported {local(fresh.imported_at)}; {_MEANS[age]}")
    for name, at in sorted(parts.items()):
        say(f"  {name}: made {local(at)}")
    say(f"  white-list: {'valid' if valid else 'NOT VALID'}{f' until {local(until)}' if until else ', never imported'}")
    say(f"  changed by the last import: {told.changes(changes) if changes else 'nothing, or it was the first one'}")
    return 0


def run_show(args: argparse.Namespace) -> int:
    """Everything that the directory says of one person or mailbox. Raises NotFound, BadIdentifier."""
    where = place(args)
    with opened(where) as directory:
        made = directory.freshness()
        if "@" in args.who:
            return _show_address(args, directory, MssanteAddress.parse(args.who), made)
        number = _number(args.who, test=where.test)
        found = directory.by_rpps(number) if isinstance(number, Rpps) else directory.by_adeli(number)
        if found is None:
            raise NotFound("the directory does not list that number")
        if args.json:
            say_json({"person": _facts(directory, found), "made_at": made.made_at})
        else:
            say(f"{_whole(directory, found)}\n{_dated(made)}")
        return 0


def _show_address(args: argparse.Namespace, directory: TableDirectory, address: MssanteAddress, made: Freshness) -> int:
    box = directory.by_mssante(address)
    if box is None:
        raise NotFound("the directory does not list that address")
    listed = directory.whitelisted(address.domain)
    owner = directory.by_rpps(box.rpps) if box.rpps else directory.by_adeli(box.adeli) if box.adeli else None
    if args.json:
        person = None if owner is None else _facts(directory, owner)
        say_json({"mailbox": _box(asdict(box)) | {"whitelisted": listed}, "person": person, "made_at": made.made_at})
        return 0
    say(told.mailbox(box) + ("" if listed else " (domain not on a valid white-list)"))
    if owner is not None:
        say(_whole(directory, owner))
    say(_dated(made))
    return 0


def run_find(args: argparse.Namespace) -> int:
    """A page of people; exit code 1 when nobody fits."""
    query = Query(" ".join(args.words), args.profession, args.near, args.limit, args.offset)
    with opened(place(args)) as directory:
        found = directory.search(query)
        if args.json:
            matches = [_plain(match.person) | {"homonyms": match.homonyms} for match in found.matches]
            facts = {"total": found.total, "offset": args.offset, "matches": matches}
            say_json(facts | {"understood": asdict(found.understood), "made_at": found.made_at})
        else:
            say(told.page(found, args.offset))
    return 0 if found.matches else NO


def _number(text: str, *, test: bool) -> Rpps | Adeli:
    """Nine characters are an ADELI number, anything else must be an RPPS number."""
    return Adeli.parse(text) if len("".join(text.split())) == 9 else Rpps.parse(text, test=test)


def _whole(directory: TableDirectory, found: Professional) -> str:
    return told.person(found, directory.diplomas(found.number), directory.cards(found.number))


def _facts(directory: TableDirectory, found: Professional) -> dict[str, object]:
    diplomas, cards = directory.diplomas(found.number), directory.cards(found.number)
    return _plain(found) | {"diplomas": [asdict(d) for d in diplomas], "cards": [asdict(c) for c in cards]}


def _plain(found: Professional) -> dict[str, object]:
    """Identifiers as texts."""
    facts = asdict(found)
    return facts | _values(facts, "rpps", "adeli") | {"mailboxes": [_box(box) for box in facts["mailboxes"]]}


def _box(facts: dict[str, object]) -> dict[str, object]:
    return facts | _values(facts, "address", "rpps", "adeli")


def _values(facts: dict[str, object], *names: str) -> dict[str, object]:
    return {name: value["value"] if isinstance(value := facts[name], dict) else value for name in names}


def _dated(made: Freshness) -> str:
    return f"as the Annuaire Santé said on {local(made.made_at)}"
