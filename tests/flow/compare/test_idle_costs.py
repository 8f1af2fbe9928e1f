"""A worker that has nothing to do asks the database little, and no vendor: counted, task by task."""

from app.periodic import Supervisor
from app.runtime import open_inbox
from tests.store.costs import Cost, counted
from workers.dispatcher import Dispatcher
from workers.main import schedule_of

# what one run costs that finds nothing to do, of each task of the schedule but the heartbeat, which always has
IDLE = {
    "poll": Cost(statements=2),
    "reconcile": Cost(statements=3),
    "backfill": Cost(statements=1),
    "feeds": Cost(statements=2),
    "house": Cost(statements=1),
    "limits": Cost(),
    "org": Cost(statements=2),
    "status": Cost(statements=1),
    "documents": Cost(),
    "notices": Cost(),
    "audit": Cost(),
    "counts": Cost(),
}


async def test_what_an_idle_worker_asks(clinic):
    dispatcher, inbox = Dispatcher(clinic.runtime), open_inbox(clinic.runtime, lambda _: None)
    schedule = schedule_of(clinic.runtime, dispatcher, inbox, "01J00000000000000000000000", Supervisor())
    for _ in range(2):  # what the first has found is done
        for one in schedule:
            await one.task()
        await dispatcher.finish()

    found = {}
    for side in (clinic.drchrono, clinic.salesforce):
        side.delete("/_control/calls")
    for one in [one for one in schedule if one.name != "heartbeat"]:
        with counted(clinic.runtime.database) as found[one.name]:
            await one.task()
    await inbox.close()

    assert found == IDLE
    assert (clinic.calls("drchrono", ""), clinic.calls("salesforce", "")) == (0, 0)
