"""What is worked on for long stays ours: the leases of a batch and of a scan are renewed until the work ends."""

import asyncio

from app.store import scans
from app.store import tables as t
from app.timings import REAL
from workers.lease import LeasedScan, renewing


async def ends(clinic):
    """When the lease of each link that is leased ends, and of each scan."""
    links, held = await clinic.rows(t.links), await clinic.rows(t.scans)
    return [row.lease_until for row in links if row.lease_until] + [row.held_until for row in held]


async def test_the_leases_of_a_batch_and_of_a_scan_are_renewed_while_the_work_goes_on(clinic):
    await clinic.delivers(await clinic.registers(), event="PATIENT_CREATE")
    batch = await clinic.takes()
    scan, _ = await scans.acquire(clinic.runtime.database, "compare_patient")
    before = await ends(clinic)

    async with renewing(batch), renewing(LeasedScan(clinic.runtime, scan)), asyncio.timeout(REAL.lease.total_seconds()):
        while not all(late > early for early, late in zip(before, await ends(clinic), strict=True)):  # noqa: ASYNC110
            await asyncio.sleep(0.1)

    assert len(before) == 2
