"""FHIR R4 answers as bytes: search bundles and OperationOutcomes. Pure.

What comes back is the gateway's word or a proxy's error page: nothing is believed before its shape is checked, and no
word of it reaches an error message (an OperationOutcome's `diagnostics` repeats the question, so a person's number).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from colloque.errors import Final

Resource = Mapping[str, Any]
"""One FHIR resource, as parsed JSON."""

_ISSUE = re.compile(r"[a-z]{2,20}(?:-[a-z]{2,20}){0,3}", re.ASCII)
"""Shape of an issue code of the value set http://hl7.org/fhir/ValueSet/issue-type, e.g. `not-found`."""


class FhirNonsense(Final):
    """The answer is no FHIR, or answers another question. Never taken for "not listed"."""

    code = "fhir.answer"


@dataclass(frozen=True, slots=True)
class Bundle:
    """One page of a search."""

    resources: tuple[Resource, ...]
    """In the answer's order; OperationOutcomes left out."""
    next: str | None
    """Where the next page is."""


def bundle(raw: bytes) -> Bundle:
    """Read a page. Raises FhirNonsense: no JSON, no search bundle, an entry of no type, a fatal OperationOutcome."""
    body = _json(raw)
    if body.get("resourceType") != "Bundle" or body.get("type") != "searchset":
        raise FhirNonsense("the FHIR answer is not a search bundle")
    resources: list[Resource] = []
    for entry in dicts(body, "entry", must=True):
        resource = entry.get("resource")
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            raise FhirNonsense("an entry of the FHIR answer holds no resource")
        if resource["resourceType"] == "OperationOutcome":
            if any(text(issue, "severity") in {"error", "fatal"} for issue in dicts(resource, "issue")):
                raise FhirNonsense("the FHIR answer is incomplete: it holds an error")
            continue
        resources.append(resource)
    links = [link.get("url") for link in dicts(body, "link") if link.get("relation") == "next"]
    if len(links) > 1 or any(not isinstance(link, str) for link in links):
        raise FhirNonsense("the FHIR answer names no clear next page")
    return Bundle(tuple(resources), links[0] if links else None)


def issue_code(raw: bytes) -> str:
    """The first issue's code of an OperationOutcome, e.g. `processing`; empty when it is none."""
    try:
        body = _json(raw)
    except FhirNonsense:
        return ""
    if body.get("resourceType") != "OperationOutcome":
        return ""
    codes = [issue.get("code") for issue in dicts(body, "issue")]
    return next((code for code in codes if isinstance(code, str) and _ISSUE.fullmatch(code)), "")


def reference_of(resource: Resource) -> str:
    """`Type/id`, as other resources name it."""
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def pointed_at(resource: Resource, name: str) -> str:
    """`Type/id` that a reference element names, absolute or not; empty when it names none."""
    return next(("/".join(text(reference, "reference").split("/")[-2:]) for reference in dicts(resource, name)), "")


def dicts(holder: Mapping[str, Any], name: str, *, must: bool = False) -> Sequence[Mapping[str, Any]]:
    """The objects of a repeating element (one alone counts too); what is none is skipped, or with `must` refused."""
    value = holder.get(name)
    many = value if isinstance(value, list) else [] if value is None else [value]
    found = [item for item in many if isinstance(item, dict)]
    if must and len(found) != len(many):
        raise FhirNonsense("the FHIR answer is malformed")
    return found


def text(holder: Mapping[str, Any], name: str) -> str:
    """A string element, stripped; empty when missing or of another type."""
    value = holder.get(name)
    return value.strip() if isinstance(value, str) else ""


def _json(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise FhirNonsense("the FHIR answer is not JSON") from None
    if not isinstance(body, dict):
        raise FhirNonsense("the FHIR answer is not a resource")
    return body
