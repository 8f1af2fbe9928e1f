"""Every checker can fail: a kept history breaks no promise, and each way of breaking one is seen and counted."""

import pytest

from tests.harness.verify.checks_calls import CALLS_PER_HOUR, CALLS_PER_SECOND, calls_allowed
from tests.harness.verify.faults import TESTS
from tests.harness.verify.promises import PROMISES
from tests.harness.verify.seen import Burst
from tests.unit.verify.build import (
    D,
    S,
    act,
    call,
    chart,
    conflict,
    contact,
    delivery,
    down,
    edit,
    failure,
    history,
    outage,
    poison,
    probe,
    write,
)

CHECKS = {promise.number: promise.check for promise in PROMISES}
both = [edit(D, city="x"), edit(S, city="b")]


@pytest.mark.parametrize("number", CHECKS)
def test_a_history_that_keeps_every_promise_is_found_to(number):
    found = CHECKS[number](history(act(deliveries=(delivery(sends=2),)), outage()))

    assert found.violations == ()
    assert found.trials > 0


BROKEN = {
    "an acknowledged patient is not over there": (1, history(act(records=(chart(),))), "not on the other side"),
    "an acknowledged edit did not arrive": (
        1,
        history(act(records=(chart(city="x"), contact()), edits=(edit(city="x"),))),
        "its city did not arrive",
    ),
    "an acknowledged Contact became no chart": (
        1,
        history(act(records=(contact(),), edits=(), deliveries=(delivery(S),))),
        "not on the other side",
    ),
    "the history broke off": (1, history(act(broken="the web did not come back")), "broke off"),
    "two charts of one person": (
        2,
        history(act(records=(chart(), chart("2", id="2").__class__(D, chart().kind, "2", "2", "born 1", {})))),
        "2 of one patient in drchrono: 1, 2",
    ),
    "two Contacts for one chart": (
        2,
        history(act(records=(chart(), contact(), contact(record_id="003-x")))),
        "2 records bear patient 1",
    ),
    "it never came to rest": (3, history(act(left="3 records are due")), "never came to rest"),
    "a field differs": (3, history(act(records=(chart(), contact(city="x")))), "differs in city"),
    "a patient is on one side only": (3, history(act(records=(chart(),), deliveries=())), "in drchrono only"),
    "somebody who asked for a chart has none": (
        3,
        history(act(records=(contact("", "003-1").__class__(S, contact().kind, "003-1", None, "", {}),))),
        "was to travel",
    ),
    "an edit of one side was overwritten": (
        3,
        history(act(edits=(edit(city="mine"),))),
        "an edit of drchrono was lost",
    ),
    "a value nobody entered": (
        3,
        history(act(edits=(edit(D, city="x"), edit(S, city="y")))),
        "it holds what nobody entered last",
    ),
    "the owner lost": (
        3,
        history(outage(edits=(edit(D, city="b"), edit(S, city="x")), conflicts=(conflict(),))),
        "the value of salesforce, who owns it, is gone",
    ),
    "a conflict is not told of": (3, history(outage(edits=tuple(both))), "/api/v1/conflicts does not tell"),
    "what only DrChrono may say was not put back": (
        3,
        history(act(edits=(edit(D, chart_id="new"), edit(S, chart_id="c")))),
        "an edit of one side was lost",
    ),
    "a write that no edit paid for": (4, history(act(writes=(write(), write()))), "2 writes for 1 edits"),
    "a write to each side for one edit": (4, history(act(writes=(write(), write(D)))), "2 writes for 1 edits"),
    "something is put back again and again": (
        4,
        history(act(writes=(write(is_put_back=True), write(is_put_back=True)))),
        "put back 2 times for 1 edits",
    ),
    "calls without end": (4, history(act(after=(call(), call()))), "calls went on"),
    "a record failed that nothing was wrong with": (5, history(act(failures=(failure(),))), "nothing was wrong"),
    "the poisoned record is not told of": (5, history(act(), poison=poison()), "is not in /api/v1/failures"),
    "the poisoned record took others along": (
        5,
        history(act(failures=(failure(count=2),)), poison=poison()),
        "2 patient failed",
    ),
    "a failure without a fix": (5, history(act(failures=(failure(fix=""),)), poison=poison()), "has no fix"),
    "DrChrono said too many calls": (6, history(act(calls=(call(status=429),))), "drchrono answered 429 to 1 calls"),
    "Salesforce did": (6, history(act(calls=(call(side=S, status=403),))), "salesforce answered 403"),
    "too many calls in a second": (
        6,
        history(act(calls=tuple(call(at=2 + n / 20) for n in range(CALLS_PER_SECOND + 1)))),
        "11 calls to DrChrono in one second",
    ),
    "too many calls in an hour": (
        6,
        history(act(calls=tuple(call(at=2.0 * n) for n in range(CALLS_PER_HOUR + 1)))),
        "501 calls to DrChrono in hour 0",
    ),
    "a call of Salesforce's for each record": (
        7,
        history(bursts=(Burst("new patients", 80, calls_allowed(80) + 1),)),
        "80 new patients: 5 Salesforce calls, 4 are allowed",
    ),
    "two writes to one chart": (7, history(bursts=(Burst("edited Contacts", 10, None, 2),)), "2 DrChrono writes"),
    "a name in a log": (8, history(places={"serve.log": 2, "/metrics": 0}), "serve.log: 2 times"),
    "/livez is silent while the web is up": (9, history(probes=(probe(5.0, livez=None),)), "/livez said None"),
    "/livez answers for a dead web": (
        9,
        history(spells=down("web", 4.0), probes=(probe(5.0),)),
        "/livez said 200 while the web was down",
    ),
    "/readyz fails because of Redis": (
        9,
        history(spells=down("redis", 45.0), probes=(probe(50.0, readyz=503),)),
        "/readyz said 503 while deliveries could be stored",
    ),
    "/readyz does not tell of a full disk": (
        9,
        history(spells=down("database", 5.0), probes=(probe(36.0),)),
        "nothing could be stored",
    ),
    "/healthz does not tell of a dead worker": (
        9,
        history(spells=down("worker", 5.0), probes=(probe(36.0),)),
        "wrong of worker, down for more than 30 s",
    ),
    "/healthz tells of a dead Redis that lives": (
        9,
        history(probes=(probe(40.0, redis="degraded"),)),
        "wrong of redis, up for more than 30 s",
    ),
    "an outage was not repaired": (
        10,
        history(outage(records=(chart(first_name="x"), contact()), edits=(edit(first_name="x"),))),
        "patient 1 differs in first_name",
    ),
    "somebody entered in an outage was not found": (
        10,
        history(outage(records=(chart(), contact(), chart("2")))),
        "patient 2 is in drchrono only",
    ),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_promise_is_seen(broken):
    number, told, why = broken

    violations = CHECKS[number](told).violations

    assert any(why in one for one in violations), violations


EXCUSED = {
    "what a vendor gave up telling of is found by comparing, later": (
        1,
        history(act(records=(chart(),), deliveries=(delivery(), delivery(state="given_up")))),
    ),
    "and so it is not compared yet": (3, history(act(records=(chart(),), deliveries=(delivery(state="given_up"),)))),
    "what came of an edit that was given up is nobody's loss": (
        3,
        history(
            act(edits=(edit(D, city="b"),), deliveries=(delivery(state="given_up"),)),
            outage(edits=(edit(S, city="x"),)),
        ),
    ),
    "and its late write is paid for": (
        4,
        history(act(writes=(), deliveries=(delivery(state="given_up"),)), outage(edits=())),
    ),
    "the poisoned record may differ": (
        3,
        history(act(records=(chart(), contact(city="x"))), poison=poison("1")),
    ),
    "a visit deleted before it travelled need not": (
        3,
        history(act(records=(chart().__class__(D, chart().kind, "2", "2", "", {}, is_deleted=True),), edits=())),
    ),
    "of two edits that were heard of one by one either may be the last": (3, history(act(edits=tuple(both)))),
    "a chart that we made has its id written back": (
        4,
        history(act(edits=(edit(S, is_new=True),), writes=(write(D, is_new=True), write(), write()))),
    ),
    "a conflict may write to both sides": (4, history(act(writes=(write(), write(D)), conflicts=(conflict(),)))),
    "a write that changed nothing is no loop": (4, history(act(writes=(write(), write(changes=False))))),
    "a vendor's 429 that was ordered is not ours": (6, history(act(calls=(call(status=429, fault="error"),)))),
    "who fell a moment ago need not be told of yet": (
        9,
        history(spells=down("worker", 20.0), probes=(probe(40.0),)),
    ),
    "a look during which the web fell says nothing": (
        9,
        history(spells=down("web", 5.05), probes=(probe(5.0, livez=None, readyz=None),)),
    ),
}


@pytest.mark.parametrize("excused", EXCUSED.values(), ids=EXCUSED.keys())
def test_what_breaks_no_promise_is_not_held_against_us(excused):
    number, told = excused

    assert CHECKS[number](told).violations == ()


def test_a_part_that_was_told_of_in_time_is_a_trial():
    spells = down("worker", 5.0, 25.0)
    silent = CHECKS[9](history(spells=spells, probes=(probe(20.0),))).trials
    told = CHECKS[9](history(spells=spells, probes=(probe(20.0, workers="down"),))).trials

    assert told == silent + 1


def test_every_promise_says_which_faults_test_it():
    assert list(TESTS) == list(CHECKS)
