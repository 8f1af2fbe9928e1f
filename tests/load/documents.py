"""`python -m tests.load.documents PLAN`: documents through inspect and copy, and what that costs one process of ours.

PLAN is JSON: where the stand-ins are, the address of one file of DrChrono's, how often it travels, how many at once.
Prints JSON: by how many megabytes the process grew at its highest, the CPU seconds it used, and for how many
milliseconds the event loop stood still at the longest, as its own clock of CPU has it.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from app.documents.content import ContentRules, copied, inspect
from app.sync.file_types import FileType
from app.vendors import http
from app.vendors.drchrono.file_host import FileHost
from app.vendors.rate_limit.salesforce import unlimited
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.files import SalesforceFiles
from app.vendors.salesforce.oauth import Credentials, SalesforceGrant
from app.vendors.token_broker import UnstoredToken

_TURN_S = 0.002


def highest_mb() -> float:
    """The most that this process has had resident: of its own, not of whoever it was forked from."""
    status = Path("/proc/self/status").read_text()
    return float(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


async def longest_turn_ms(longest: list[float]) -> None:
    """Measure for how much CPU nothing else got its turn, again and again."""
    while True:
        began = time.process_time()
        await asyncio.sleep(0)
        longest[0] = max(longest[0], (time.process_time() - began) * 1000)
        await asyncio.sleep(_TURN_S)


async def main(plan: dict[str, Any]) -> None:
    """Let every document travel, the first one alone: it loads what is needed once."""
    context, host = http.trusted(Path(plan["ca_file"])), FileHost(plan["drchrono"], http.trusted(None))
    credentials = Credentials(plan["salesforce"], "standin-client-id", "standin-client-secret", None, None, plan["org"])
    grant = SalesforceGrant(credentials, context)
    org = Salesforce(grant, UnstoredToken(), context, "67.0", lambda *_line, **_rest: None, unlimited())
    files, rules = SalesforceFiles(org), ContentRules(2**30)

    async def travel(_number: int) -> None:
        def opened() -> Any:
            return host.opened(plan["address"], "", asyncio.get_running_loop().time() + 600)

        file = copied(opened, await inspect(opened, rules, frozenset(FileType), "pdf"))
        await files.upload({"Title": "a document"}, file)

    await travel(0)
    before, cpu_s, longest = highest_mb(), time.process_time(), [0.0]
    watch = asyncio.create_task(longest_turn_ms(longest)) if plan.get("turns") else None
    left = iter(range(plan["documents"]))

    async def some() -> None:
        for number in left:
            await travel(number)

    await asyncio.gather(*(some() for _ in range(plan["at_once"])))
    grew, used_s = highest_mb() - before, time.process_time() - cpu_s
    if watch is not None:
        watch.cancel()
    print(json.dumps({"grew_mb": grew, "cpu_s": used_s, "longest_turn_ms": longest[0]}), flush=True)
    await org.close()
    await host.close()


if __name__ == "__main__":
    os.environ.pop("PYTHONASYNCIODEBUG", None)
    asyncio.run(main(json.loads(sys.argv[1])))
