"""What to do about what an org says against a deployment: its words, and the fix.

Its words are people's and change; a row asks for as few of them as tell one cause from another. What no row knows is
shown as it came.

Source  Metadata API Developer Guide; error messages that others have published (read 2026-11)
"""

import re

_ROWS = (
    (
        ("INSUFFICIENT_ACCESS", "ModifyAllData", "Modify ?Metadata", "Customize ?Application", "insufficient access"),
        "sign in as an administrator: run it with --user and that person's username",
    ),
    (
        ("integrationUser", "no (active )?user named"),
        "see that the integration user is active in this org, and that the settings sign in as that user",
    ),
    (
        ("endpoint ?url", "invalid url"),
        "set PUBLIC_URL to the https address at which Salesforce reaches the service",
    ),
    (
        ("invalid ?version", "UNSUPPORTED_API_VERSION", "api version"),
        "the org is of an older release: set SALESFORCE_API_VERSION to one that `chronobridge check` names",
    ),
    (
        ("deleted field", "recycle bin"),
        "erase it for good in Setup, the object, Fields & Relationships, Deleted Fields; then run it again",
    ),
    (
        ("(cannot|can ?not|can.t) (change|convert|update).*type", "change (the )?(field.?s? )?type"),
        "it is there with another type: rename or delete that field in Setup, or map another one (MAPPING_FILE)",
    ),
    (
        ("external id.*(limit|maximum|more than|exceed)", "(limit|maximum|exceed|too many).*external id"),
        "an object has 25 external ids at most: take the mark from one that nothing needs, in Setup",
    ),
    (
        ("(fields?|relationships?|objects?|tabs?|flows?) .*(limit|maximum|exceed)", "(limit|maximum) .*number of"),
        "the org's edition allows no more of them: delete what nothing needs, or leave the kind out of the mapping",
    ),
    (
        ("duplicates? (value|name)", "already (in use|exists|taken|used)", "is not unique", "DUPLICATE_DEVELOPER_NAME"),
        "something else of the org has that name: rename or delete it in Setup, or map another name (MAPPING_FILE)",
    ),
    (
        ("active flow", "flow is active", "flow.*can.?t be deleted", "active version"),
        "deactivate the flow in Setup, Flows, and delete its paused interviews; then run it again",
    ),
    (
        ("referenced elsewhere", "is in use", "being used by", "cannot be deleted"),
        "take it out of what is named there, in Setup; then run it again",
    ),
    (
        ("coverage",),
        "run it with --test-level RunSpecifiedTests, or mend the org's own tests that RunLocalTests needs",
    ),
    (
        ("licen[cs]e",),
        "give the user the permission set license Salesforce API Integration, or the license that is named there",
    ),
    (
        ("(not|isn.t) (available|enabled|supported)", "person ?account", "unknown .*type"),
        "the org lacks that feature: switch it on in Setup, or choose a mapping that does without (MAPPING_FILE)",
    ),
    (
        ("unable to (obtain|lock)", "UNABLE_TO_LOCK_ROW", "locked by", "in progress", "ALREADY_IN_PROCESS"),
        "something else is changing the org: wait for its end, and run it again",
    ),
    (
        ("not found", "does not exist", "no such column", "unable to find", r"no \w+ named", r"invalid (field|type)\b"),
        "the org lacks what is named there: switch the feature on that brings it, or take it out of the mapping",
    ),
    (
        ("storage", "LIMIT_EXCEEDED"),
        "free storage in Salesforce (Setup, Storage Usage), or ask for more",
    ),
    (
        ("UNKNOWN_EXCEPTION", "unexpected error", "error ?id"),
        "run it again; if it stays, give Salesforce's support the number that is named there",
    ),
)
_TABLE = tuple((re.compile("|".join(words), re.IGNORECASE), fix) for words, fix in _ROWS)


def fix_of(says: str) -> str | None:
    """Give what to do about words of an org's; None where nobody has met them yet."""
    return next((fix for words, fix in _TABLE if words.search(says)), None)
