"""The self-check's part on documents: settings nobody uses, the scanner, and what the org still takes of files.

Without a [document] table nothing is asked of anybody. What else documents need is said where it belongs: the scopes
with the token, the fields of ContentVersion with the mapping.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

from app.documents.clamd import ClamdScanner
from app.documents.scanner import Scanner
from app.errors import DocumentNotReady, VendorError
from app.operations.health.model import Finding, good, red, warn
from app.runtime import Runtime
from app.store import document_views
from app.sync.model import Kind
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.files import FileLimits, SalesforceFiles

_SETTINGS = ("document_max_mb", "document_scanner", "document_poll_every", "document_call_share")
_LATELY, _DAY = timedelta(days=7), timedelta(days=1)
_FEW, _SOON_DAYS = 0.1, 30
_MB = 2**20
# the file that every scanner is to find, and that harms nobody; backwards, so that none finds it in this module
_EICAR = b"*H+H$!ELIF-TSET-SURIVITNA-DRADNATS-RACIE$}7)CC7)^P(45XZP\\4[PA@%P!O5X"[::-1]


async def check_documents(runtime: Runtime) -> AsyncIterator[Finding]:
    """Look at the settings of documents, and try the scanner; nothing where there is nothing of either."""
    known = runtime.settings
    if Kind.DOCUMENT not in runtime.mappings:
        defaults = {name: type(known).model_fields[name].default for name in _SETTINGS}
        if unused := [name.upper() for name in _SETTINGS if getattr(known, name) != defaults[name]]:
            says = f"{', '.join(unused)} set, and the mapping has no [document] table: no document travels"
            yield warn("documents", says, "add the table to MAPPING_FILE (deploy/docs/documents.md), or unset them")
        return
    types = ", ".join(one.upper() for one in runtime.mappings[Kind.DOCUMENT].types)
    scanner = runtime.content_rules.scanner
    scanned = "" if scanner else "; no scanner looks at them (DOCUMENT_SCANNER)"
    yield good("documents", f"{types} of up to {known.document_max_mb} MB{scanned}")
    if scanner is not None:
        yield await _tried(scanner)


async def _tried(scanner: Scanner) -> Finding:
    """Say whether the scanner scans: clamd by the test file, which nothing but the two of us sees.

    A server behind ICAP is only asked for its options: it may tell a security office of what it finds.
    """
    name, start = "document scanner", "start the scanner that DOCUMENT_SCANNER names, or correct the address"
    if why := await scanner.probe():
        return red(name, f"{why}; every document waits", start)
    if not isinstance(scanner, ClamdScanner):
        return good(name, "answers")
    try:
        async with scanner.scan() as scan:
            await scan.feed(_EICAR)
            verdict = await scan.verdict()
    except DocumentNotReady:
        return red(name, "answers, and scans nothing; every document waits", "see the scanner's own log")
    if not verdict.is_infected:
        return red(name, "does not find the EICAR test file", "load its signatures (of ClamAV, run freshclam)")
    return good(name, "answers, and finds the EICAR test file")


async def check_files(runtime: Runtime, client: Salesforce) -> AsyncIterator[Finding]:
    """Say what the org still takes of files, and for how long at the pace of the last days.

    Raises  StoreUnavailable
    """
    if Kind.DOCUMENT not in runtime.mappings:
        return
    try:
        limits = await SalesforceFiles(client).limits()
    except VendorError as error:
        yield warn("salesforce files", f"the org does not say what it takes ({error.cause})", "try again later")
        return
    sent = await document_views.sent_to_salesforce(runtime.database, _LATELY)
    if limits.versions is not None:
        yield _versions(*limits.versions)
    yield _storage(limits, sent.size_bytes / _MB / (_LATELY / _DAY))


def _versions(most: int, left: int) -> Finding:
    says = f"{left:,} of {most:,} new versions of Files left for these 24 hours"
    fix = "nothing is to be done: documents wait and go on by themselves; see what else uploads Files"
    if left <= 0:
        return red("salesforce files", says, fix)
    return warn("salesforce files", says, fix) if left < most * _FEW else good("salesforce files", says)


def _storage(limits: FileLimits, mb_a_day: float) -> Finding:
    """Say how much more storage there is, and when it would run out."""
    name, fix = "salesforce storage", "in Salesforce's setup, Storage Usage, see what fills it; delete, or buy more"
    if limits.storage_mb is None:
        return warn(name, "the org does not say how much is left for Files", "see Setup, Storage Usage")
    most, left = limits.storage_mb
    says = f"{left:,} of {most:,} MB left for Files"
    if left <= 0:
        return red(name, f"{says}: no document is taken any more", fix)
    days = left / mb_a_day if mb_a_day else None
    if days is not None:
        says = f"{says}; at the pace of the last 7 days it lasts {_lasting(days)}"
    is_short = left < most * _FEW or (days is not None and days < _SOON_DAYS)
    return warn(name, says, fix) if is_short else good(name, says)


def _lasting(days: float) -> str:
    whole = int(days)
    if whole > 2 * 365:
        return f"{whole // 365:,} years"
    return "less than a day" if whole == 0 else f"{whole:,} day{'' if whole == 1 else 's'}"
