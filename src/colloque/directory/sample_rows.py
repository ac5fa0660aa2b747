"""The rows of made-up people as ANS's files write them: `|` after every field, the last included, nothing quoted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from colloque.directory import sample_trades as trades
from colloque.directory.columns import HEADERS, Kind
from colloque.directory.sample_people import Person, Post
from colloque.directory.sample_places import Structure
from colloque.identity import luhn_key

_GENRE = "||GENR01|Activité standard de soin|"
_SECTIONS = {"21": "D|Pharmaciens adjoints d'officine|"}
_NO_SKILL = "||||"
_NO_MODE = "||"
_NOWHERE = "|" * 31
_CARD_DAYS = 1095
KINDS = (Kind.PEOPLE, Kind.SKILLS, Kind.DIPLOMAS, Kind.CARDS, Kind.MAILBOXES)


def header(kind: Kind) -> str:
    """The first line."""
    return "|".join(HEADERS[kind]) + "|\n"


def card(person: Person, since: date) -> str:
    """8 columns; empty for somebody without a card. `since`: the day around which cards are dated."""
    drawn = person.extras.card
    if drawn is None:
        return ""
    start = since - timedelta(days=drawn.age)
    stopped = None if drawn.opposed_after is None else start + timedelta(days=drawn.opposed_after)
    digits = f"2899{person.number:07}"
    end = start + timedelta(days=_CARD_DAYS)
    last = f"{start}|{end}|{stopped or ''}|{stopped or start}|\n"
    return f"CPS|Carte de professionnel de santé|{digits}{luhn_key(digits)}|{person.national}|{last}"


def activities(person: Person) -> Iterator[str]:
    """56 columns each."""
    civility = "MME|Madame" if person.woman else "M|Monsieur"
    head = f"{_who(person)}{person.title[0]}|{person.title[1]}|{civility}|{person.family}|{person.given}|"
    for post in person.posts:
        mode = f"{post.mode}|{trades.MODES[post.mode]}|" if post.mode else _NO_MODE
        if post.structure is None:
            yield f"{head}{_trade(post)}{_skill(post)}{mode}{_NOWHERE}||||||\n"
        else:
            section = _SECTIONS.get(post.trade.code, "||")
            yield f"{head}{_trade(post)}{_skill(post)}{mode}{post.structure.row}{section}{_GENRE}\n"


def skills(person: Person) -> Iterator[str]:
    """13 columns each: the specialty of each trade, then what a doctor has more."""
    head = f"{_who(person)}{person.family}|{person.given}|"
    for post in _by_trade(person):
        if post.specialty[0]:
            yield f"{head}{_trade(post)}{_skill(post)}\n"
        if post.trade.code == "10":
            for skill in person.extras.skills:
                yield f"{head}{_trade(post)}{'|'.join(skill)}|\n"


def diplomas(person: Person) -> Iterator[str]:
    """13 columns each."""
    head = f"{_who(person)}{person.family}|{person.given}|"
    for post in _by_trade(person):
        code, label = post.trade.code, post.trade.label
        yield f"{head}DE|Diplôme d'Etat français|DE{code}|Diplôme {label}|||||\n"
    for diploma in person.extras.diplomas:
        yield f"{head}{'|'.join(diploma)}|||||\n"
    if person.extras.authorised:
        yield f"{head}||||{'|'.join(trades.AUTHORISATION)}|\n"


def personal_box(person: Person, address: str) -> str:
    """31 columns."""
    post = person.posts[0]
    place = post.structure if post.mode == "S" else None
    where, id_ = (place.box_row, place.box_id) if place else ("|" * 13, "||")
    mine = f"{person.title[1]}|{person.family}|{person.given}|{_category(post)}|{post.trade.code}|{post.trade.label}"
    return f"PER|{address}|{_who(person)}{id_}|{mine}|{'|'.join(post.specialty)}|True|{where}\n"


def service_box(place: Structure, address: str, service: str) -> str:
    """31 columns."""
    return f"ORG|{address}||||{place.box_id}{service}|{'|' * 9}True|{place.box_row}\n"


def _who(person: Person) -> str:
    kind = person.id_type
    return f"{kind}|{person.identifier}|{kind}{person.identifier}|"


def _by_trade(person: Person) -> Iterator[Post]:
    """The last post of each trade."""
    return iter({post.trade.code: post for post in person.posts}.values())


def _category(post: Post) -> str:
    return f"{post.category}|{trades.CATEGORIES[post.category]}"


def _trade(post: Post) -> str:
    return f"{post.trade.code}|{post.trade.label}|{_category(post)}|"


def _skill(post: Post) -> str:
    code, label = post.specialty
    return f"S|Spécialité ordinale|{code}|{label}|" if code else _NO_SKILL
