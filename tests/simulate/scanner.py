"""The scanner of a history: it is away for a while, or says no; and what it has said of which bytes is known.

It is the stand-in of a clamd or of an ICAP service, behind connections that lead nowhere out of this process.
"""

import asyncio
from dataclasses import dataclass, field

from tests.simulate.documents import md5
from tests.standins.blobs import HEADS
from tests.standins.scanners import EICAR, MARKER, SERVICE, Engine, clamd_of, icap_of

HOST = "scanner.example.test"
URLS = (f"clamd://{HOST}", f"icap://{HOST}/{SERVICE}")
_KNOWN = (MARKER, EICAR)
_ERRORS = {"clamd": b"stream: Engine busy ERROR\0", "icap": b"ICAP/1.0 500 Server error\r\n\r\n"}
_TROUBLES = ("nobody there", "hangs up", "an error", "a limit", "a wrong signature")


@dataclass(slots=True)
class Scanner(Engine):
    """An engine that remembers what it said of which bytes, by their MD5, and may not be there."""

    is_away: bool = False
    clean: set = field(default_factory=set)
    found: set = field(default_factory=set)

    def finds(self, content):
        is_found = Engine.finds(self, content)
        if not self.says:
            (self.found if is_found else self.clean).add(md5(content))
        return is_found


def begins(world):
    """Have the scanner that the settings name be there, where they name one."""
    scheme = (world.template.settings.document_scanner or "").partition(":")[0]
    if not scheme:
        return
    world.scanner = Scanner(allows_204=world.rng.random() < 0.5)
    answer = clamd_of(world.scanner) if scheme == "clamd" else icap_of(world.scanner)

    async def accepts():
        await world.turns.at("before a scan")
        if world.scanner.is_away:
            raise ConnectionRefusedError
        return answer

    asyncio.get_running_loop().hosts[HOST] = accepts


def opens(world):
    """Have it be well again, where there is one."""
    if world.scanner is not None:
        world.scanner.is_away = world.scanner.hangs_up = False
        world.scanner.says, world.scanner.most, world.scanner.knows = b"", 2**40, _KNOWN


async def scanner_fails(world, mix):
    """It is stopped, or in a bad way; or it finds something in every PDF, until its makers know better."""
    if world.scanner is None:
        return False
    opens(world)
    what = world.rng.choice(_TROUBLES)
    match what:
        case "nobody there":
            world.scanner.is_away = True
        case "hangs up":
            world.scanner.hangs_up = True
        case "an error":
            world.scanner.says = _ERRORS[world.template.settings.document_scanner.partition(":")[0]]
        case "a limit":
            world.scanner.most = 100
        case "a wrong signature":
            world.scanner.knows = (*_KNOWN, HEADS["pdf"][:4])
    world.tells(f"the scanner: {what}")
    return True


async def scanner_recovers(world, mix):
    opens(world)
    return world.scanner is not None
