"""The checkers of what we say of ourselves: failures (5), where patients' names lie (8), probes (9). Pure."""

from collections.abc import Iterator, Sequence

from app.sync.model import Kind
from tests.harness.verify.seen import Act, Found, History, Probe, Spell

TOLD_WITHIN_S = 30.0
_PARTS = {"worker": "workers", "redis": "redis"}
_OK = 200


def one_hurts_itself(history: History) -> Found:
    """The poisoned record waits for a person who is told what to do, and nothing else does."""
    trials = 0
    wrong: list[str] = []
    for act in history.acts:
        if act.broken:
            continue
        trials += len({(one.kind, one.key) for one in act.records if one.key})
        wrong += _strange(history, act)
    return Found(trials, tuple(dict.fromkeys(wrong)))


def _strange(history: History, act: Act) -> Iterator[str]:
    poison = history.poison if history.poison is not None and history.poison.at < act.ended else None
    is_told = False
    for one in act.failures:
        is_poison = poison is not None and one.cause == poison.cause and one.kind is Kind.PATIENT and one.count == 1
        is_told |= is_poison
        if not is_poison:
            fields = f" ({', '.join(one.fields)})" if one.fields else ""
            yield f"{one.count} {one.kind} failed with {one.cause}{fields} after {act.name}, and nothing was wrong"
        elif not one.fix:
            yield f"{one.cause} of a {one.kind} has no fix in /api/v1/failures"
    if poison is not None and not is_told:
        yield f"the poisoned patient {poison.key} is not in /api/v1/failures with {poison.cause}"


def only_where_declared(history: History) -> Found:
    """No name of a patient lies where none may."""
    found = [
        f"what a patient is called lies in {place}: {count} times" for place, count in history.places.items() if count
    ]
    return Found(len(history.places) * history.words, tuple(found))


def honest_probes(history: History) -> Found:
    """What the probes say is so, and what happens is told within half a minute."""
    trials = 0
    wrong: list[str] = []
    for probe in history.probes:
        for is_right, why in _judged(probe, history.spells):
            trials += 1
            wrong += [] if is_right else [why]
    told = [one for one in history.spells if not one.is_up and one.what in (*_PARTS, "database")]
    trials += sum(any(_tells(probe, spell.what) for probe in _within(history.probes, spell)) for spell in told)
    return Found(trials, tuple(dict.fromkeys(wrong)))


def _judged(probe: Probe, spells: Sequence[Spell]) -> Iterator[tuple[bool, str]]:
    """Give of everything that can be judged of a look whether it is right, and what is not."""
    web = _spell(spells, "web", probe)
    if web is None:
        return
    yield (probe.livez == _OK) is web.is_up, f"/livez said {probe.livez} while the web was {_word(web)}"
    database = _spell(spells, "database", probe)
    if not web.is_up:
        return
    if database is not None and database.is_up and _age_s(database, probe) > TOLD_WITHIN_S:
        yield probe.readyz == _OK, f"/readyz said {probe.readyz} while deliveries could be stored"
    if database is not None and not database.is_up and _age_s(database, probe) > TOLD_WITHIN_S:
        yield probe.readyz != _OK, "/readyz said 200 when nothing could be stored for 30 s"
    for what in _PARTS:
        spell = _spell(spells, what, probe)
        if spell is None or min(_age_s(spell, probe), _age_s(web, probe)) <= TOLD_WITHIN_S:
            continue
        yield _tells(probe, what) is not spell.is_up, f"/healthz was wrong of {what}, {_word(spell)} for more than 30 s"


def _spell(spells: Sequence[Spell], what: str, probe: Probe) -> Spell | None:
    """Give the spell that holds all of a look; None where something changed during it, or is not known."""
    for one in spells:
        if one.what == what and one.since <= probe.began and (one.until is None or probe.ended <= one.until):
            return one
    return None


def _within(probes: Sequence[Probe], spell: Spell) -> list[Probe]:
    return [one for one in probes if one.began >= spell.since and (spell.until is None or one.ended <= spell.until)]


def _tells(probe: Probe, what: str) -> bool:
    """Say whether a look says that something is down."""
    if what == "database":
        return probe.readyz is not None and probe.readyz != _OK
    return probe.parts.get(_PARTS[what], "ok") != "ok"


def _age_s(spell: Spell, probe: Probe) -> float:
    return probe.began - spell.since


def _word(spell: Spell) -> str:
    return "up" if spell.is_up else "down"
