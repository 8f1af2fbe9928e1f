"""A token store in memory, as the broker's protocol asks for, and a token endpoint that counts who asks."""

import asyncio
from dataclasses import dataclass, replace

from app.vendors.tokens import Broker


@dataclass(frozen=True)
class Row:
    token: dict | None = None
    version: int = 0
    is_stale: bool = False
    refused_for_s: float | None = None
    refused_code: str | None = None


class Memory:
    """A token store as the protocol asks for: shared by all brokers, one lease at a time."""

    def __init__(self, row=None):
        self.row, self.holder, self.saved_for = row or Row(), None, []

    async def read(self):
        return self.row

    async def lease(self):
        if self.holder is not None:
            return None
        self.holder = object()
        return self.holder

    async def save(self, lease, token, refresh_in):
        assert lease is self.holder
        self.saved_for.append(refresh_in)
        self.row, self.holder = Row(token, self.row.version + 1), None
        return self.row

    async def refuse(self, lease, code):
        assert lease is self.holder
        self.row, self.holder = replace(self.row, refused_for_s=0.0, refused_code=code), None

    async def release(self, lease):
        assert lease is self.holder
        self.holder = None


class Vendor:
    """A token endpoint: gives token after token, or raises what it is told to."""

    def __init__(self, error=None, **beside):
        self.asked, self.error, self.beside = [], error, beside

    async def __call__(self, stored):
        self.asked.append(stored)
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return {"access_token": f"token {len(self.asked)}", **self.beside}


def stored(value="stored", version=3, **differences):
    return Row({"access_token": value, "refresh_token": "r"}, version, **differences)


def a_broker(store, vendor, *, is_final=True):
    return Broker("drchrono", store, vendor, is_final=is_final)
