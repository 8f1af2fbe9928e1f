"""The self-check's part on documents: settings nobody uses, the scanner, what the org still takes of files, and rights.

Without a [document] table nothing is asked of anybody. What else documents need is said where it belongs: the scopes
with the token, the fields of ContentVersion with the mapping. Of a right that the org does not tell us of we say so.

Source  Salesforce Help, Set Up Users to Query Salesforce Files; Object Reference, ContentDocumentLink (read 2026-11)
"""

from collections.abc import AsyncIterator
from datetime import timedelta

from app.documents.clamd import ClamdScanner
from app.documents.scanner import Scanner
from app.errors import DocumentNotReady, VendorError
from app.operations.backfill import some
from app.operations.health.model import Finding, good, not_yet, red, warn
from app.runtime import Runtime
from app.store import document_views, documents
from app.sync.model import Kind
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.files import FileLimits, SalesforceFiles

_SETTINGS = ("document_max_mb", "document_scanner", "document_poll_every", "document_call_share")
_LATELY, _DAY = timedelta(days=7), timedelta(days=1)
_FEW, _SOON_DAYS = 0.1, 30
_MOST_RECORDS = 50  # whose Files are looked at
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


async def check_file_rights(runtime: Runtime, client: Salesforce) -> AsyncIterator[Finding]:
    """Say which Files the integration user sees, and whether it may edit those of others.

    Raises  StoreUnavailable
    """
    if Kind.DOCUMENT not in runtime.mappings:
        return
    yield await _sees_all(client)
    records = await document_views.records_with_documents(runtime.database, _MOST_RECORDS)
    records = records or await documents.next_records(runtime.database, "", _MOST_RECORDS)
    yield await _edits_others(SalesforceFiles(client), records)


async def _sees_all(client: Salesforce) -> Finding:
    """Say whether a comparison sees the Files of others: nothing else needs it."""
    name, place = "salesforce all files", "Setup, Permission Sets, App Permissions, Query All Files"
    try:
        sees_all = await client.has_permission("QueryAllFiles")
        cause = "no answer"
    except VendorError as error:
        sees_all, cause = None, error.cause
    if sees_all is None:
        says = f"whether the integration user has Query All Files could not be read ({cause})"
        return warn(name, says, f"look at the user's permission sets: {place}")
    if sees_all:
        return good(name, "the integration user has Query All Files: a comparison sees every File")
    says = "the integration user lacks Query All Files: a comparison does not see what others did to their Files"
    otherwise = "be content with the package's triggers and `chronobridge backfill --kind document`, which do without"
    return warn(name, says, f"{otherwise}; or grant it, with View All Data, which it demands: {place}")


async def _edits_others(files: SalesforceFiles, records: list[str]) -> Finding:
    """Say whether ids and statuses can be written into the Files that people upload, by those there are."""
    name = "salesforce file access"
    place = "Setup, Salesforce Files, General Settings: Set file access to Set by Record for files attached to records"
    try:
        found = await files.of_others(records)
    except VendorError as error:
        return warn(
            name, f"whether Files of others may be edited could not be read ({error.cause})", f"look at {place}"
        )
    if found.read_only:
        counted = f"{found.read_only:,} of {some(found.count, 'File')} of others that we looked at"
        says = f"{counted} may be read and not edited: it is sent, and stays without the document's id and status"
        return warn(name, says, f"turn on {place}; of a File that is there choose Set by Record under Share")
    if not found.count:
        return not_yet(name, f"no File of another user is on a linked record yet; what has to be on is in {place}")
    return good(name, f"{some(found.count, 'File')} of others that we looked at may be edited")


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
