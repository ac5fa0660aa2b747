"""What a day does to made-up people: they move, begin, stop, marry, get an RPPS number; mailboxes come and go.

Numbers of people never change but for those who leave ADELI. Shares of the kinds of change are chosen, not measured;
mailboxes follow ANS's counts over 75 days of 2026 (25,756 created, 36,119 deleted).
"""

from __future__ import annotations

from collections.abc import Iterator

from colloque.directory.sample_people import Person, Population, rpps_number
from colloque.directory.sample_places import Structure

MOST = 0.2
"""Share of rows that may change in a day."""
_MOVED, _BEGUN, _ENDED, _RENAMED, _GONE, _CAME = 0.88, 0.33, 0.55, 0.11, 0.12, 0.14
"""How often each befalls a person, in shares of the rows that change."""
_SWITCHED = 3
_CREATED, _DELETED = 25_756 / (25_756 + 36_119), 36_119 / (25_756 + 36_119)
_WITHOUT = 0.53
"""Mailboxes for each person who has none: new ones go to those."""
_FROM_ADELI = 5_000_000
_NEW = 7_000_000
"""Numbers for new RPPS numbers: far from everybody's."""


class NextDay:
    """The same population a day later. `share` of the activity rows differ, and of the mailboxes."""

    def __init__(self, population: Population, share: float) -> None:
        if not 0 < share <= MOST:
            raise ValueError(f"changed: above 0, at most {MOST}")
        self._of = population
        self._share = share
        self.switched: list[tuple[str, str]] = []
        """ADELI and RPPS numbers of those who moved that day."""

    def people(self) -> Iterator[Person]:
        """Those who stay, changed or not, then those who came. Iterate once."""
        for person in self._of.people():
            if self._changed(person):
                yield person
        for number in range(round(self._of.count * self._share * _CAME)):
            person = self._of.draw(_NEW + number)
            yield person

    def boxes(self, place: Structure) -> Iterator[tuple[str, str]]:
        """The ORG mailboxes of a place that day."""
        chance = self._of.chance
        for address, service in place.mailboxes:
            chance.seed(f"{self._of.seed}/{address}")
            drawn = chance.random()
            if drawn >= self._share * _DELETED:
                yield address, service
            if drawn > 1 - self._share * _CREATED:
                yield f"nouveau.{address}", f"{service} 2"

    def _changed(self, person: Person) -> bool:
        """Whether they are still there; `person` is changed in place."""
        chance, share, posts = self._of.chance, self._share, person.posts
        drawn = chance.random() / share
        if person.id_type == "0":
            if drawn < _SWITCHED:
                former = person.identifier
                person.identifier = rpps_number(_FROM_ADELI + person.number - self._of.count, self._of.seed)
                self.switched.append((former, person.identifier))
            return True
        if drawn < _GONE:
            return False
        drawn -= _GONE
        post = posts[-1]
        if drawn < _MOVED:
            posts[-1] = self._of.new_post(person, post.trade, post.specialty, post.category)
        elif (drawn := drawn - _MOVED) < _BEGUN:
            posts.append(self._of.new_post(person, post.trade, post.specialty, post.category))
        elif (drawn := drawn - _BEGUN) < _ENDED:
            if len(posts) > 1:
                posts.pop()
        elif drawn - _ENDED < _RENAMED:
            person.family = f"{person.family.partition('-')[0]}-{self._of.new_name()}"
        self._change_mailboxes(person)
        return True

    def _change_mailboxes(self, person: Person) -> None:
        chance = self._of.chance
        if person.mailboxes:
            kept = self._share * _DELETED
            person.mailboxes = [address for address in person.mailboxes if chance.random() >= kept]
        elif chance.random() < self._share * _CREATED * _WITHOUT:
            person.mailboxes = [self._of.new_address(person)]
