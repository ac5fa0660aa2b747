from colloque_salles.rules.words import FIRST, SECOND, pick
from colloque_salles.texts.rooms import room_name, words_in


def test_no_pair_is_given_twice() -> None:
    everything = {f"{a} {b}" for a in FIRST for b in SECOND}
    last = everything.pop()
    assert pick(everything) == last


def test_when_every_pair_was_given_there_are_three_words() -> None:
    everything = {f"{a} {b}" for a in FIRST for b in SECOND}
    first = pick(everything)
    assert len(first.split()) == 3
    assert pick(everything | {first}) != first


def test_one_persons_rooms_share_no_word() -> None:
    beside = [f"{a} {b}" for a, b in zip(FIRST, SECOND, strict=False)][:60]
    used = {word for words in beside for word in words.split()}
    for _ in range(50):
        assert used.isdisjoint(pick((), beside).split())
    crowded = [f"{a} {SECOND[0]}" for a in FIRST]
    assert len(pick(crowded, crowded).split()) == 2, "where it can't be helped a word comes again"


def test_words_are_distinct() -> None:
    assert len({*FIRST, *SECOND}) == len(FIRST) + len(SECOND)


def test_of_a_name_that_another_server_gave_only_our_own_kind_of_words_is_said() -> None:
    assert words_in(room_name("Cerise Moulin", "Dr Anne"), "a.test") == "Cerise Moulin (a.test)"
    for name in ("", "Cerise Moulin", "Équipe · Dupont hépatite · Dr X", "x · Cerise", "Équipe · Cerise Dupont · X"):
        assert words_in(name, "a.test") == "ouvert à a.test"
