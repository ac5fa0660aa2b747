"""How the directory's people, mailboxes and reports are told on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from colloque.cli.directory_say import local
from colloque.directory.lookup import Match, Page
from colloque.professional import Activity, Card, Diploma, Mailbox, Professional


def person(found: Professional, diplomas: Iterable[Diploma] = (), cards: Iterable[Card] = ()) -> str:
    """Everything, a line each."""
    before = f" (before: {found.adeli.value})" if found.rpps and found.adeli else ""
    lines = [f"{found.number.value} {found.full_name}{before}"]
    lines += [_activity(activity) for activity in found.activities]
    lines += [f"skill {skill.type_code} {skill.code} {skill.label}" for skill in found.skills]
    lines += [mailbox(box) for box in found.mailboxes]
    lines += [_diploma(diploma) for diploma in diplomas]
    lines += [_card(card) for card in cards]
    return "\n  ".join(lines)


def mailbox(box: Mailbox) -> str:
    """One line."""
    return f"{box.kind} {box.address}" + (f" ({box.structure})" if box.structure else "")


def _activity(activity: Activity) -> str:
    mode = {"L": "libéral", "S": "salarié", "B": "bénévole"}.get(activity.mode_code, activity.mode_code)
    return _joined(activity.profession, activity.specialty, mode, activity.structure, _town(activity))


def _town(activity: Activity) -> str:
    return f"{activity.postcode} {activity.town}".strip()


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _diploma(diploma: Diploma) -> str:
    if diploma.code or diploma.label:
        return f"diploma {_joined(diploma.type_code, diploma.code, diploma.label)}"
    return f"permit {_joined(diploma.permit_type_code, diploma.permit_code, diploma.permit)}"


def _card(card: Card) -> str:
    state = f"OPPOSED on {card.opposed_on}" if card.opposed_on else f"valid until {card.valid_until}"
    return f"card {card.kind} {card.number}, {state}"


def page(found: Page, offset: int) -> str:
    """A page of results, a line each."""
    last = offset + len(found.matches)
    shown = f"{offset + 1} to {last} of {found.total}" if found.matches else f"none of {found.total}"
    read = found.understood
    how = _joined(
        *(
            f"{what} {' + '.join(words)}"
            for what, words in (
                ("name", read.names),
                ("trade", read.trades),
                ("place", read.places),
                ("NOT UNDERSTOOD:", read.ignored),
            )
            if words
        )
    )
    lines = [f"{shown}, in a directory of {local(found.made_at)}" + (f"; understood as {how}" if how else "")]
    lines += [f"{number}. {_match(match)}" for number, match in enumerate(found.matches, offset + 1)]
    return "\n".join(lines)


def _match(match: Match) -> str:
    who = match.person
    trades = " / ".join(dict.fromkeys(a.specialty or a.profession for a in who.activities))
    places = " / ".join(dict.fromkeys(filter(None, (_joined(a.structure, _town(a)) for a in who.activities))))
    boxes = " ".join(str(box.address) for box in who.mailboxes)
    alike = f" ({match.homonyms} more of this name)" if match.homonyms else ""
    return " — ".join(filter(None, (f"{who.number.value} {who.full_name}{alike}", trades, places, boxes)))


def report(told: dict[str, Any]) -> str:
    """An import's report, as its JSON says it."""
    whole = f"{told['people']} people, {told['activities']} activities, {told['mailboxes']} mailboxes"
    lines = [f"{whole}, {told['domains']} white-listed domains"]
    for file in told["files"]:
        made = local(datetime.fromisoformat(file["made_at"]))
        lines.append(f"read: {file['name']} ({file['encoding']}, {file['rows']} rows, made {made})")
    lines += [f"kept as it was: {kind}" for kind in told["carried"]]
    lines += [f"rows kept out, {reason}: {count}" for reason, count in told["rejected"].items()]
    lines += [f"noticed, {name}: {count}" for name, count in told["noticed"].items()]
    lines += [f"not read: {name}" for name in told["ignored"]]
    if told["changes"] is not None:
        lines.append(f"against the directory before: {changes(told['changes'])}")
    lines += [f"may be one person, not merged: {was} and {now}" for was, now in told["likely_moves"]]
    return "\n  ".join(lines)


def changes(counts: dict[str, int]) -> str:
    """`person.gone` and the like, with their numbers."""
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()) if count) or "no change"
