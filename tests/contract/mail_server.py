"""A mail server of a few lines, for what we hand in: it keeps messages, and refuses or hangs where it is told to."""

import asyncio
import base64
import contextlib
from dataclasses import dataclass, field
from email import message_from_bytes, policy


@dataclass
class MailServer:
    """`refuses`: a verb -> the line that answers it; `hangs_at`: a verb that is never answered."""

    tls: object = None
    accounts: dict[str, str] = field(default_factory=dict)
    refuses: dict[str, str] = field(default_factory=dict)
    hangs_at: str = ""
    offers_tls: bool = True
    is_tls: bool = False
    messages: list = field(default_factory=list)
    passwords: list = field(default_factory=list)  # each with whether it came by TLS
    port: int = 0

    @contextlib.asynccontextmanager
    async def listening(self):
        """Listen on loopback until the block ends; whoever still waits loses the connection."""
        self._under_way = set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls if self.is_tls else None)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _serve(self, reader, writer):
        self._under_way.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._talk(reader, writer)
        writer.transport.abort()

    async def _talk(self, reader, writer):
        is_tls, recipients = self.is_tls, []
        await self._say(writer, "220 here")
        while line := (await reader.readline()).decode().strip():
            verb = line.upper().partition(" ")[0]
            if verb == self.hangs_at:
                await asyncio.Event().wait()
            answer = self.refuses.get(line.upper(), self.refuses.get(verb))
            if answer is not None:
                await self._say(writer, answer)
            elif verb == "EHLO":
                more = ["STARTTLS"] if self.offers_tls and not is_tls else []
                more += ["AUTH PLAIN"] if self.accounts else []
                lines = ["here", *more]
                for at, word in enumerate(lines):
                    await self._say(writer, f"250{'-' if at < len(lines) - 1 else ' '}{word}")
            elif verb == "STARTTLS":
                await self._say(writer, "220 go on")
                await writer.start_tls(self.tls)
                is_tls = True
            elif verb == "AUTH":
                _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
                self.passwords.append((password, is_tls))
                known = self.accounts.get(user) == password
                await self._say(writer, "235 welcome" if known else f"535 {user} is not known")
            elif verb == "RCPT":
                recipients.append(line)
                await self._say(writer, "250 ok")
            elif verb == "DATA":
                await self._say(writer, "354 go on")
                text = (await reader.readuntil(b"\r\n.\r\n")).removesuffix(b".\r\n")
                self.messages.append(message_from_bytes(text, policy=policy.default))
                await self._say(writer, "250 kept")
            elif verb == "QUIT":
                await self._say(writer, "221 bye")
                return
            else:
                await self._say(writer, "250 ok")

    async def _say(self, writer, line):
        writer.write(f"{line}\r\n".encode())
        await writer.drain()
