"""Both stand-ins in this process, and the wires that lead to them: no socket, no thread, no waiting.

A call may go wrong on its way: refused, done without an answer, or done only after its caller has given up on it. Which
call does is drawn from the seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import unquote, urlsplit

import httpx
import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from tests.simulate.odd import spoiled
from tests.simulate.turns import ATTEMPT, WORKER
from tests.standins.blobs import HEADS
from tests.standins.drchrono.app import create_app as drchrono_app
from tests.standins.salesforce.app import create_app as salesforce_app

DRCHRONO, SALESFORCE = "drchrono", "salesforce"
URLS = {DRCHRONO: "https://practice.example.test", SALESFORCE: "https://org.my.salesforce.com"}
CALLBACK = "https://sync.example.com/connect/drchrono/callback"
_WRITES = ("PATCH", "POST", "DELETE")
_BUSY = {
    DRCHRONO: (429, b'{"detail": "Request was throttled. Expected available in 40.0 seconds."}'),
    SALESFORCE: (403, b'[{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "ConcurrentRequests Limit exceeded."}]'),
}
AT_LAST = {DRCHRONO: 115_000, SALESFORCE: 595_000}  # a little before each gives a request up
# what may become of a call; the last three leave a writer in doubt
READS = ("no connection", "throttled", "503", "no answer")
WRITES = (*READS, "500", "500 though done", "done, no answer", "done later, no answer")
_REFUSED = {"503": 503, "500": 500, "500 though done": 500}
_HTML = [(b"content-type", b"text/html")]
# what a gateway says in a vendor's place
_PAGES = {
    "a page, 200": (200, _HTML, b"<html>We will be right back</html>"),
    "a page, 404": (404, _HTML, b"<html>Not found</html>"),
    "a login page": (302, [(b"location", b"https://login.example.test/"), *_HTML], b""),
    "a proxy's 401": (401, [(b"www-authenticate", b"Basic"), *_HTML], b"<html>Who are you?</html>"),
    "a proxy's 403": (403, _HTML, b"<html>Blocked</html>"),
    "JSON of another shape": (200, [(b"content-type", b"application/json")], b'{"status": "ok"}'),
}


class NoAnswerError(Exception):
    """Nothing came back; `is_sent` says whether the vendor heard of it."""

    def __init__(self, is_sent):
        super().__init__(is_sent)
        self.is_sent = is_sent


class Exchange:
    """A request made of an app in this process, and its `answer`: status, headers and body."""

    def __init__(self, method, url, headers, body):
        parts, self._body, self._said = urlsplit(str(url)), body or b"", []
        self.scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": method,
            "scheme": parts.scheme, "path": unquote(parts.path), "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(), "headers": [(b"host", parts.netloc.encode()), *headers],
            "server": (parts.hostname, 443), "client": ("127.0.0.1", 1), "root_path": "", "state": {},
        }  # fmt: skip

    async def receive(self):
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def send(self, message):
        self._said.append(message)

    @property
    def answer(self):
        start, *rest = self._said
        return start["status"], start["headers"], b"".join(part.get("body", b"") for part in rest)


def answered(app, method, url, headers, body):
    """Call an app that never waits; gives status, headers and body."""
    request = Exchange(method, url, headers, body)
    try:
        app(request.scope, request.receive, request.send).send(None)
    except StopIteration:
        return request.answer
    raise AssertionError(f"{method} {url} waits for something")


@dataclass(slots=True)
class Trouble:
    """How often a call goes wrong; a write twice as often. How often a gateway answers; and a list holds an odd row.

    longest_ms  side -> for how long a vendor may go on with a write that its caller has given up on
    """

    share: float = 0.0
    pages: float = 0.0
    odd_rows: float = 0.0
    longest_ms: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(URLS, 90_000))


class Vendors:
    """Both vendors as a history knows them. `sent` hears of every call a worker makes, before it is made."""

    def __init__(self, clock, rng, tell):
        self.clock, self.rng, self.tell, self.trouble = clock, rng, tell, Trouble()
        self.apps = {DRCHRONO: drchrono_app(redirect_uris=[CALLBACK], calls_per_hour=0)}
        self.off = {DRCHRONO: timedelta(), SALESFORCE: timedelta()}  # how far their clocks are from ours
        self.apps[SALESFORCE] = salesforce_app(now=lambda: clock.now() + self.off[SALESFORCE])
        self.practice, self.org = self.apps[DRCHRONO].state.standin, self.apps[SALESFORCE].state.org
        self.practice.clock.now = lambda: clock.at_the_practice(self.off[DRCHRONO])
        self.author, self.late, self.is_late, self.spent_until_ms = None, [], False, 0

    def call(self, side, method, url, headers, body):
        """A worker's call, whatever becomes of it.

        Raises  NoAnswerError
        """
        worker = WORKER.get()
        if side == DRCHRONO and worker is not None and self.clock.ms < self.spent_until_ms and "/o/token" not in url:
            return self._spent(method)
        fault = self._fault(method) if worker is not None and "/o/token" not in url and "/oauth2/" not in url else ""
        if fault:
            self.tell(f"{side} {method}: {fault}")
        asked = (side, method, url, headers, body, ATTEMPT.get())
        if worker is not None and not fault and self._meets(self.trouble.pages):
            return self._page(asked)
        if fault == "no connection":
            raise NoAnswerError(is_sent=False)
        if fault == "done later, no answer":
            self.late.append((self.clock.ms + self.rng.randint(1_000, self.trouble.longest_ms[side]), asked))
        if fault in ("", "done, no answer", "500 though done"):
            status, given, content = self.does(*asked)
        if fault == "throttled":
            return _BUSY[side][0], [(b"content-type", b"application/json")], _BUSY[side][1]
        if fault in _REFUSED:
            return _REFUSED[fault], [(b"content-type", b"text/html")], b"<html>sorry</html>"
        if fault:
            raise NoAnswerError(is_sent=True)
        if worker is not None and method == "GET" and self._meets(self.trouble.odd_rows):
            content = self._with_an_odd_row(side, content) if status == 200 else content
        return status, given, content

    def cuts(self):
        """Say whether a file, on its way in or out, does not get through whole."""
        is_cut = WORKER.get() is not None and self._meets(self.trouble.share)
        if is_cut:
            self.tell("a file is cut")
        return is_cut

    def _spent(self, method):
        """DrChrono's hour is spent."""
        self.tell(f"{DRCHRONO} {method}: its hour is spent")
        left_s = (self.spent_until_ms - self.clock.ms) // 1000 + 1
        said = f'{{"detail": "Request was throttled. Expected available in {left_s} seconds."}}'
        return 429, [(b"content-type", b"application/json")], said.encode()

    def _meets(self, share):
        return bool(share) and self.rng.random() < share

    def _page(self, asked):
        """A gateway answers, after a write perhaps though it was done; who asks for a token it never lets through."""
        side, method, url, *_ = asked
        name = self.rng.choice(sorted(_PAGES))
        is_done = method in _WRITES and "/o/token" not in url and "/oauth2/" not in url and self.rng.random() < 0.5
        self.tell(f"{side} {method}: {name}{', though done' if is_done else ''}")
        if is_done:
            self.does(*asked)
        return _PAGES[name]

    def _with_an_odd_row(self, side, content):
        found = spoiled(content, self.rng) if side == DRCHRONO else None
        if found is None:
            return content
        self.tell(f"{side}: a list has an odd row")
        return found

    def does(self, side, method, url, headers, body, author):
        """The vendor does what it was asked; what changes there is the author's doing."""
        self.author = author
        try:
            done = answered(self.apps[side], method, url, headers, body)
        finally:
            self.author = None
        if author is not None and done[0] < 300:
            author.heard(side, method, url, done[2])
        return done

    def lands(self):
        """What was given up on long ago is done now, if its time has come."""
        due = sorted((at for at in self.late if at[0] <= self.clock.ms), key=lambda at: at[0])
        self.late = [at for at in self.late if at[0] > self.clock.ms]
        self.is_late = True
        for _, asked in due:
            self.tell(f"{asked[0]} {asked[1]}: done at last, {self.does(*asked)[0]}")
        self.is_late = False

    def _fault(self, method):
        writes = method in _WRITES
        if self.rng.random() >= self.trouble.share * (2 if writes else 1):  # writes are fewer, and hurt more
            return ""
        return self.rng.choice(WRITES if writes else READS)


def _is_file(content):
    return any(content.startswith(head[:4]) for head in HEADS.values())


class Wire(httpx.AsyncBaseTransport):
    """What httpx sends over; `turns` where its calls wait for their turn."""

    def __init__(self, vendors, side, turns=None):
        self._vendors, self._side, self._turns = vendors, side, turns

    async def handle_async_request(self, request):
        body = await self._sent(request)
        call = f"{request.method} {self._side}"
        headers = [(name.lower(), value) for name, value in request.headers.raw if name.lower() != b"host"]
        if self._turns is not None:
            await self._turns.at(f"before {call}")
        try:
            found = self._vendors.call(self._side, request.method, str(request.url), headers, body)
        except NoAnswerError as error:
            kind = httpx.ReadTimeout if error.is_sent else httpx.ConnectError
            raise kind("no answer", request=request) from None
        finally:
            if self._turns is not None:
                await self._turns.at(f"after {call}")
        stream = _Pieces(found[2], is_cut=_is_file(found[2]) and self._vendors.cuts())
        return httpx.Response(found[0], headers=found[1], stream=stream, request=request)

    async def _sent(self, request):
        """Give what is sent; of a form with a file perhaps not all of it gets through."""
        if not request.headers.get("content-type", "").startswith("multipart/"):
            return await request.aread()
        is_cut, pieces = self._vendors.cuts(), []
        async for piece in request.stream:
            pieces.append(piece)
            if is_cut:
                raise httpx.WriteError("cut", request=request)
        return b"".join(pieces)


class _Pieces(httpx.AsyncByteStream):
    """A body as it comes in two pieces, or the first of them alone."""

    def __init__(self, content, *, is_cut):
        self._content, self._is_cut = content, is_cut

    async def __aiter__(self):
        half = len(self._content) // 2
        yield self._content[:half]
        if self._is_cut:
            raise httpx.ReadError("cut")
        yield self._content[half:]


class Cable(BaseAdapter):
    """What requests sends over."""

    def __init__(self, vendors):
        super().__init__()
        self._vendors = vendors

    def send(self, request, **_):
        headers = [(name.lower().encode(), str(value).encode()) for name, value in request.headers.items()]
        body = request.body.encode() if isinstance(request.body, str) else request.body
        try:
            found = self._vendors.call(SALESFORCE, request.method, request.url, headers, body)
        except NoAnswerError as error:
            raise (requests.ReadTimeout if error.is_sent else requests.ConnectTimeout)(request=request) from None
        response = requests.Response()
        response.status_code, given, response._content = found
        response.headers = CaseInsensitiveDict({name.decode(): value.decode() for name, value in given})
        response.url, response.request, response.encoding = request.url, request, "utf-8"
        return response

    def close(self):
        pass
