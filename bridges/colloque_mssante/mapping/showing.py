"""What is shown of a draft, and what its writer's taps and numbers mean. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from colloque.clock import from_millis
from colloque.mail.message import Party
from colloque.taps import NUMBERS, number_of
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping.drafts import Draft, Line, Option
from colloque_mssante.mapping.targets import Target, is_patient, shown
from colloque_mssante.mapping.threads import Thread
from colloque_mssante.texts import writing as texts

PATIENCE = timedelta(hours=24)
"""How long a draft waits for its writer's answer."""


def notice(draft: Draft, lines: Sequence[Line], thread: Thread | None, writer: str) -> str:
    """The words of the bot's message about a draft."""
    target = draft.target
    to = [shown(p) for p in target.recipients] if target else []
    match draft.state, target:
        case states.ASKING, _:
            return texts.asking([option.label for option in draft.options], written=bool(lines))
        case states.OPEN, Target(everyone=True):
            return texts.to_all(to, target.left_out)
        case states.OPEN, Target():
            return texts.to_be_written(
                target.sender.value,
                to,
                _subject(draft, target, writer),
                patient=_of_patient(target),
                forwards=bool(target.forwards),
            )
        case states.CONFIRMING, Target():
            return _confirming(draft, target, to, lines)
        case states.WAITING, Target():
            files = sum(line.file is not None for line in lines)
            where = (
                texts.thread_name(thread.number, thread.subject)
                if thread is not None
                else f"Objet : {_subject(draft, target, writer)}"
            )
            return texts.waiting(
                draft.next_at,
                target.sender.value,
                to,
                where,
                lines=len(lines),
                files=files,
                patient=_of_patient(target),
                forwards=bool(target.forwards),
            )
        case states.GONE, _:
            return texts.GONE
        case states.CANCELLED, _:
            return texts.CANCELLED
        case states.MERGED, _:
            return texts.MERGED
    return texts.STOPPED


def _confirming(draft: Draft, target: Target, to: Sequence[str], lines: Sequence[Line]) -> str:
    if draft.corrects:
        above = texts.corrects(from_millis(target.replaces), target.subject)
        return texts.confirming_correction(to, draft.subject, above, "\n".join(line.words for line in lines))
    if target.replaces:
        return texts.confirming_replacement(to)
    if target.everyone:
        return texts.confirming_all(to, target.left_out)
    return texts.confirming_rewritten(to)


def signs(draft: Draft) -> tuple[str, ...]:
    """The reactions placed under that message."""
    match draft.state:
        case states.ASKING:
            return (*NUMBERS[: len(draft.options)], texts.CANCEL)
        case states.OPEN:
            return (texts.CANCEL,)
        case states.WAITING | states.CONFIRMING:
            return texts.SEND_NOW, texts.CANCEL
    return ()


def chosen(draft: Draft, said: str) -> Option | None:
    """The option that a number or a keycap names."""
    rank = number_of(said)
    return draft.options[rank - 1] if 0 < rank <= len(draft.options) else None


def readdressed(target: Target, party: Party) -> Option:
    """The same mail to another address."""
    return Option(texts.option_pair(target.sender.value, shown(party)), replace(target, to=(party,), listed=True))


def _of_patient(target: Target) -> str:
    """What its writer is reminded of, where a patient reads it."""
    if not any(is_patient(party.address) for party in target.recipients):
        return ""
    return texts.PATIENT_LAST if target.last else texts.PATIENT_READS


def _subject(draft: Draft, target: Target, writer: str) -> str:
    return texts.subject(draft.subject or target.subject, writer, replaces=bool(target.replaces))
