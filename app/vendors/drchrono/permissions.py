"""What a connected DrChrono user can and cannot do for us: scopes granted, and permissions inside DrChrono. Pure.

A call needs both. How DrChrono spells its permissions is not documented, so names are compared tidily, by everything
they were seen to be called, and a permission it does not speak of is not held against anybody.

Source  DrChrono's OpenAPI (scopes and permissions per resource), fixtures of /api/users (read 2026-11)
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Permission:
    """One thing we need to do, and what of it is missing: names of scopes, and of permissions in DrChrono."""

    what: str
    missing_scopes: tuple[str, ...]
    missing_permissions: tuple[str, ...]

    @property
    def is_there(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing_scopes and not self.missing_permissions


@dataclass(frozen=True, slots=True)
class _Need:
    what: str
    scopes: tuple[str, ...]
    permissions: tuple[tuple[str, ...], ...] = ()  # each by every name it was seen under, the likeliest first


_NEEDS = (
    _Need(
        "see and write patients",
        ("patients:read", "patients:write"),
        (("create_and_update_patients", "manage_patients"),),
    ),
    _Need(
        "see and write appointments",
        ("calendar:read", "calendar:write", "clinical:read", "clinical:write"),
        (
            ("access_scheduling", "scheduling"),
            ("access_clinical_notes", "clinical_notes"),
        ),
    ),
    _Need("see doctors and offices", ("user:read",)),
)
_WHOLE_PRACTICE = ("share_patients",)
NOT_SHARED = "without the permission share_patients it sees and writes the patients of its own doctor only"


def permissions_of(pair: Mapping[str, Any], permissions: Mapping[str, bool]) -> tuple[Permission, ...]:
    """Give everything we need to do, in the order a person cares."""
    granted = pair.get("scope")
    scopes = granted.split() if isinstance(granted, str) else None
    tidy = _tidied(permissions)
    return tuple(
        Permission(
            need.what,
            () if scopes is None else tuple(scope for scope in need.scopes if scope not in scopes),
            tuple(names[0] for names in need.permissions if _is_denied(tidy, names)),
        )
        for need in _NEEDS
    )


def unspoken(permissions: Mapping[str, bool]) -> tuple[str, ...]:
    """Give the permissions that matter to us and that DrChrono does not speak of by any name we know."""
    tidy = _tidied(permissions)
    known = [*(names for need in _NEEDS for names in need.permissions), _WHOLE_PRACTICE]
    return tuple(names[0] for names in known if not tidy.keys() & set(names))


def sees_whole_practice(permissions: Mapping[str, bool]) -> bool:
    """Say whether other doctors' patients are seen, as far as DrChrono says."""
    return not _is_denied(_tidied(permissions), _WHOLE_PRACTICE)


def _tidied(permissions: Mapping[str, bool]) -> dict[str, bool]:
    return {re.sub(r"[^a-z0-9]+", "_", name.lower()): value for name, value in permissions.items()}


def _is_denied(permissions: Mapping[str, bool], names: tuple[str, ...]) -> bool:
    told = [permissions[name] for name in names if name in permissions]
    return bool(told) and not any(told)
