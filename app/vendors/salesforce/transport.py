"""The connected Salesforce org: how a call of simple-salesforce's is made, counted, and what its failing means.

The library is synchronous and blocks, so it runs in our threads, one session per thread, with our own
`requests.Session`: it sets no time-outs and drops per-call headers on a repeat, so both live on the session. It never
logs in by itself; the token is injected and refreshed by the broker. A thread cannot be cancelled: a call we gave up
on may still land, so for a write that is an unknown outcome. Whatever an answer says, it speaks to the org's instance
alone: a redirect is not followed, an address elsewhere not asked. What is none of Salesforce's documented answers
(`answers.py`) is nobody's word.

Source  simple-salesforce 1.12.10, api.py and util.py
"""

import asyncio
import copy
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from simple_salesforce.api import Salesforce as SimpleSalesforce
from simple_salesforce.exceptions import SalesforceError, SalesforceExpiredSession
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError
from urllib3.util import parse_url

from app.errors import OutcomeUnknown, Rejected, SyncError, Unauthorized, Unavailable, Unreadable
from app.ports import TokenStore
from app.sync.failure_causes import look_up
from app.sync.model import FailureClass, Lane, Side
from app.timings import REAL, Timings
from app.vendors.http import BeforeCall, OnResponse, admit_any, not_the_api
from app.vendors.multipart import Multipart
from app.vendors.rate_limit.concurrency import TOO_MANY
from app.vendors.rate_limit.salesforce import SPENT_S, SalesforceRateLimit
from app.vendors.salesforce.answers import UndocumentedAnswerError, check, is_session_over
from app.vendors.salesforce.call_sizes import CallSizes
from app.vendors.salesforce.file_transfers import FileSession, FileTransfers
from app.vendors.salesforce.oauth import SalesforceGrant
from app.vendors.salesforce.wire import refused
from app.vendors.token_broker import NOT_TAKEN, Broker, DoubtedToken, OnRefusal, Policy, Token

T = TypeVar("T")

_LIMIT = "REQUEST_LIMIT_EXCEEDED"
_REMEMBER_S = 1.0  # a new sign-in leaves the old session alive
_SIDE = Side.SALESFORCE.value
_OTHER_HOST = "OTHER_HOST"
_TOKEN_MOVED = "TOKEN_MOVED"  # noqa: S105 - a code


class OtherHostError(requests.exceptions.InvalidURL):
    """An answer of Salesforce's led elsewhere than to the org's instance: nothing was sent there."""


class _Adapter(HTTPAdapter):
    """Time-outs on every request, our trusted roots, and `heard` hears of each; to the instance and nowhere else.

    The library takes addresses out of answers: where a list goes on, where results lie. Each carries the token.
    """

    def __init__(self, instance: str, context: Any, heard: OnResponse, timings: Timings) -> None:
        self._instance = _origin(instance)
        self._context, self._heard, self._timings = context, heard, timings
        super().__init__(pool_maxsize=1)  # a session is one thread's

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> Any:
        return super().init_poolmanager(*args, **kwargs, ssl_context=self._context)

    def send(self, request: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        if _origin(request.url) != self._instance:
            raise OtherHostError(_OTHER_HOST)
        kwargs["timeout"] = (self._timings.connect_s, self._timings.read_s)
        try:
            response = super().send(request, **kwargs)
        except requests.RequestException:
            self._heard(None)
            raise
        self._heard(response.status_code)
        return response


def _origin(url: str) -> tuple[str | None, str | None, int | None]:
    """Give scheme, host and port as urllib3 reads them, which is what connects."""
    found = parse_url(url)
    return found.scheme, found.host, found.port or (443 if found.scheme == "https" else None)


class _UsageHeader:
    """What Salesforce last said of the calls it has counted."""

    usage: str | None = None

    def hear(self, response: Any, **_: Any) -> None:
        self.usage = response.headers.get("Sforce-Limit-Info") or self.usage


@dataclass(frozen=True, slots=True)
class BulkPolicy:
    """When writes go by a job, and how it is waited for.

    above      more writes than that go by a job
    most       so many go by one at most
    looks_s    the waits between looks at a job; the last is repeated
    longest_s  for how long a job is waited for before it is called off
    """

    above: int = 2_000
    most: int = 3_000
    looks_s: tuple[float, ...] = (1.0, 2.0, 4.0, 7.0, 10.0)
    longest_s: float = 600.0


class Transport:
    """The connected org, and every call to it."""

    def __init__(
        self,
        grant: SalesforceGrant,
        store: TokenStore,
        context: Any,
        version: str,
        tell: OnRefusal,
        budget: SalesforceRateLimit,
    ) -> None:
        self._grant, self._context, self._version = grant, context, version
        self.budget, self.lane, self._heard = budget, Lane.LIVE, _UsageHeader()
        self.before: BeforeCall = admit_any
        self.patience, self.timings = BulkPolicy(), REAL
        self.sizes, self.files = CallSizes(), FileTransfers(context)
        self.broker = Broker(_SIDE, store, grant.ask, Policy(is_final=False, remember_s=_REMEMBER_S), tell)
        self._threads = ThreadPoolExecutor(budget.places.most, thread_name_prefix="salesforce")
        self._local = threading.local()

    def on(self, lane: Lane, before: BeforeCall = admit_any) -> Self:
        """Give the same org, its calls made for a lane; `before` is asked first, and may refuse one."""
        there = copy.copy(self)
        there.lane, there.before = lane, before
        return there

    async def user_id(self) -> str:
        """Give the Id of the user whom we are there, as the token's answer named it: `…/id/<org>/<user>`.

        Raises  Unavailable, Unauthorized
        """
        token = await self.broker.current()
        return str(token.beside.get("id", "")).rstrip("/").rpartition("/")[2]

    async def raw(self, method: str, path: str, call: str, document: Any = None) -> requests.Response:
        """Give the answer to one call as it came, be it a refusal of Salesforce's.

        path    below the API's version
        call    what it is counted and named as: without any id
        Raises  as `called`, for what is no answer of Salesforce's
        """

        def ask(library: SimpleSalesforce) -> requests.Response:
            url = f"{library.base_url}{path}"
            response = library.session.request(method, url, json=document, headers=library.headers)
            if response.status_code == requests.codes.unauthorized:
                raise SalesforceExpiredSession(url, response.status_code, call, b"")
            return response

        return await self.called(call, ask, writes=method != "GET")

    async def upload(self, path: str, call: str, form: Multipart) -> Any:
        """Give what Salesforce answers to a form with a file, which is streamed to it.

        path    below the API's version
        Raises  as `called`; SourceFailedError or Unavailable where not all of it was sent: nothing was made
        """
        return await self._streamed(call, lambda session: self.files.upload(session, path, call, form))

    @asynccontextmanager
    async def opened(self, path: str, call: str) -> AsyncIterator[AsyncGenerator[bytes]]:
        """Give the bytes of a file as they come.

        path    below the API's version
        Raises  as `called`, also while they come
        """
        async with AsyncExitStack() as stack:

            async def made(session: FileSession) -> AsyncGenerator[bytes]:
                return await self.files.open(session, path, call, stack)

            yield await self._streamed(call, made)

    async def close(self) -> None:
        """Let the threads go; a call that hangs is left to its own time-out."""
        await self.broker.close()
        self.budget.places.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self.files.close()
        await self._grant.close()

    async def called(
        self, call: str, ask: Callable[[SimpleSalesforce], T], *, writes: bool, is_admitted: bool = False
    ) -> T:
        """Give the answer to one call of the library's, made in a thread of ours, counted and within its deadline.

        writes  it changes a record over there, so an answer that never came leaves it unknown
        Raises  Unavailable, OutcomeUnknown, Unauthorized, Rejected, Unreadable
        """
        if not is_admitted:
            await self.before(call)
            await self.budget.admit(self.lane, call)

        async def made(token: Token) -> T:
            return await self._in_thread(call, ask, token, writes=writes)

        return await self._counted(call, made)

    async def _streamed(self, call: str, made: Callable[[FileSession], Awaitable[T]]) -> T:
        """Give the answer to a call that a thread of the library's cannot make: admitted and counted as any other."""
        await self.before(call)
        await self.budget.admit(self.lane, call)

        async def in_session(token: Token) -> T:
            base = f"{self._grant.allowed_instance(token.beside)}/services/data/v{self._version}/"
            return await made(FileSession(base, token.value, self.budget, self._heard.hear, self.timings))

        return await self._counted(call, in_session)

    async def _counted(self, call: str, made: Callable[[Token], Awaitable[T]]) -> T:
        """Give the answer to a call that is admitted, and take in what it says of the org.

        made    makes it in a session
        Raises  as `called`
        """
        try:
            found = await self._answered(call, made)
        except (Unavailable, OutcomeUnknown) as error:
            if isinstance(error, Unavailable) and look_up(error.code).group is FailureClass.ORG:
                error.retry_in_s = await self.budget.refuses(error.code)
            elif isinstance(error, Unavailable) and error.code == _LIMIT:
                wait_s = error.retry_in_s or SPENT_S
                await self.budget.refused(wait_s, is_spent=wait_s >= SPENT_S)
            elif error.code not in (_TOKEN_MOVED, TOO_MANY):
                await self.budget.failed()
            raise
        except (Rejected, Unreadable):
            await self.budget.answered(self._heard.usage)
            raise
        await self.budget.answered(self._heard.usage)
        return found

    async def _answered(self, call: str, made: Callable[[Token], Awaitable[T]]) -> T:
        """Give the answer to a call, made in a new session where the one we have is over.

        Raises  as `called`; where the new one is not taken either, the org is left alone, longer each time
        """
        token = await self.broker.current()
        try:
            return await self._taken(made, token)
        except SalesforceExpiredSession:
            token = await self.broker.renewed(token)
        try:
            return await self._taken(made, token)
        except SalesforceExpiredSession as error:
            wait_s = await self.broker.refuse(token, NOT_TAKEN)
            if wait_s is None:
                raise Unavailable(_SIDE, call, code=_TOKEN_MOVED, retry_in_s=1.0) from error
            await self.budget.refused(wait_s, is_spent=False)
            raise Unauthorized(_SIDE, call, status=401, retry_in_s=wait_s) from error

    async def _taken(self, made: Callable[[Token], Awaitable[T]], token: Token) -> T:
        """Give the answer to a call; one that is let in ends what doubt there was of its session."""
        try:
            found = await made(token)
        except Rejected:
            await self._trust(token)
            raise
        await self._trust(token)
        return found

    async def _trust(self, token: Token) -> None:
        if isinstance(token, DoubtedToken):
            await self.broker.trust(token)

    async def _in_thread(self, call: str, ask: Callable[[SimpleSalesforce], T], token: Token, *, writes: bool) -> T:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.timings.call_s
        async with self.budget.places.one(_SIDE, call, deadline) as place:
            try:
                async with asyncio.timeout_at(deadline):
                    return await loop.run_in_executor(self._threads, lambda: ask(self._library(token)))
            except SalesforceExpiredSession:
                raise
            except SalesforceError as error:
                if is_session_over(error.content):
                    raise SalesforceExpiredSession(error.url, error.status, error.resource_name, b"") from None
                raise refused(error.status, error.content, call, writes=writes) from None
            except UndocumentedAnswerError as error:
                raise not_the_api(error.reply, _SIDE, call, writes=writes, code=error.lacks) from None
            except OtherHostError:
                raise Unreadable(_SIDE, call, code=_OTHER_HOST) from None
            except (requests.RequestException, TimeoutError) as error:
                place.is_given_up = isinstance(error, TimeoutError | requests.ReadTimeout)
                raise translated(error, call, writes=writes) from None

    def _library(self, token: Token) -> SimpleSalesforce:
        """Give this thread's library object for a token."""
        if getattr(self._local, "version", None) != token.version:
            instance, session = self._grant.allowed_instance(token.beside), requests.Session()
            adapter = _Adapter(instance, self._context, self.budget.heard, self.timings)
            for scheme in ("https://", "http://"):
                session.mount(scheme, adapter)
            session.max_redirects = 0  # it would send the body again, wherever that leads
            session.trust_env = False  # a .netrc would take the token's place
            session.proxies = dict(get_environ_proxies(instance, no_proxy=None))
            session.hooks["response"] += [self._heard.hear, check]
            session.headers.update(
                {
                    "Sforce-Call-Options": "client=Chronobridge",
                    # every create is keyed by our external id, so an alert-type duplicate rule may not stop it
                    "Sforce-Duplicate-Rule-Header": "allowSave=true",
                }
            )
            self._local.library = SimpleSalesforce(
                instance_url=instance,
                session_id=token.value,
                version=self._version,
                session=session,
                object_pairs_hook=dict,
            )
            self._local.version = token.version
        library: SimpleSalesforce = self._local.library
        return library


def translated(error: Exception, call: str, *, writes: bool) -> SyncError:
    """Give our error for one of requests'; what was never sent cannot have happened."""
    reason = error.args[0] if error.args else None
    never_sent = isinstance(
        error, requests.ConnectTimeout | requests.exceptions.SSLError | requests.exceptions.InvalidURL
    ) or (isinstance(reason, MaxRetryError) and isinstance(reason.reason, NewConnectionError | ConnectTimeoutError))
    if never_sent or not writes:
        return Unavailable(_SIDE, call, code=type(error).__name__)
    return OutcomeUnknown(_SIDE, call, code=type(error).__name__)
