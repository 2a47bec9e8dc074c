"""Uvicorn's connection classes with the limits that uvicorn lacks.

Knows nothing of requests' contents.

Malformed requests and those that exceed a limit do not reach the application; they are refused
here, with the same kind of answer.
"""

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar, Literal

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets import http11
from websockets.frames import Frame
from websockets.http11 import Request

from livegrad.api import limits
from livegrad.api.peers import Allowance, Reader
from livegrad.api.refusals import Refusal, reason
from livegrad.api.security import HEADERS

POLICY_VIOLATION, NOT_UTF8, BROKEN_OFF = 1008, 1007, 1006
Stage = Literal["head", "body", "idle"]

# HttpProtocol has already read and bounded a handshake when the library reads it again, one blank
# per line longer.
http11.MAX_LINE_LENGTH = 2 * limits.HEAD_BYTES
http11.MAX_NUM_HEADERS = limits.HEADERS


def _refusal_bytes(refusal: Refusal) -> bytes:
    body = refusal.body()
    headers = HEADERS | {
        "Cache-Control": "no-store",
        "Content-Type": "application/problem+json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **refusal.headers,
    }
    first = f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}"
    lines = [first, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def _hang_up(transport: asyncio.Transport, last_words: bytes) -> asyncio.TimerHandle:
    # The connection is half closed first: closing it while the peer still sends would reset it, and
    # the answer would be lost.
    if not transport.is_closing():
        transport.pause_reading()
        transport.write(last_words)
        transport.write_eof()
    return asyncio.get_running_loop().call_later(limits.LINGER_SECS, transport.abort)


class TooManyHeaders(Exception):
    """The headers have more lines than allowed."""


class TooManyRequests(Exception):
    """More requests were sent ahead than may wait."""


class HttpProtocol(HttpToolsProtocol):
    """One HTTP connection, with limits on its bytes and on the time to send and read them."""

    # All connections that wait for their peer, longest first; they are closed when others need the
    # room. Shared by the one server of the process.
    waiting: ClassVar[dict["HttpProtocol", None]] = {}

    _stage: Stage = "head"  # the part of the request that comes next
    _since: float  # when that part began
    _received: int = 0  # bytes received of that part
    # the request being answered, or the last one answered
    _running: RequestResponseCycle | None = None
    _timer: asyncio.TimerHandle | None = None  # of the next check, or of the end
    _is_over: bool = False  # refused or upgraded: nothing more is read here

    # -- start and end

    def connection_made(  # type: ignore[override]  # as uvicorn says it
        self, transport: asyncio.Transport
    ) -> None:
        """Accept the connection; if there is no room, close the one that has waited longest."""
        super().connection_made(transport)
        self._reader = Reader(transport, self.loop.time)
        self._enter("head")
        self._timer = self.loop.call_later(limits.CHECK_SECS, self._check)
        if len(self.connections) <= limits.connections():
            return
        oldest = next(iter(self.waiting))
        if oldest is not self:
            oldest.leave()
            return
        detail = (
            f"expected at most {limits.connections()} connections at once: try again in a minute"
        )
        refusal = Refusal(503, "Too many connections", detail, {"Retry-After": "60"})
        self._end()
        self._timer = _hang_up(transport, _refusal_bytes(refusal))

    def shutdown(self) -> None:
        """End with the server. Unfinished answers get a moment; unread ones would never end."""
        super().shutdown()
        self.loop.call_later(limits.STOP_SECS, self.leave)

    def leave(self) -> None:
        """End at once without an answer, because others need the room or the server stops."""
        self._end()
        self.connections.discard(self)
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up."""
        self._end()
        self._tell_application()
        super().connection_lost(exc)

    def _end(self) -> None:
        self._is_over = True
        self.waiting.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _enter(self, stage: Stage) -> None:
        self._stage, self._received = stage, 0
        self._wait()

    def _wait(self) -> None:
        self._since = self.loop.time()
        self.waiting.pop(self, None)
        if not self._is_over and (self._stage == "body" or not self._is_answering):
            self.waiting[self] = None

    @property
    def _is_answering(self) -> bool:
        return not (self.cycle is None or self.cycle.response_complete)  # type: ignore[redundant-expr]  # it is None at first

    # -- time limits

    def _check(self) -> None:
        self._timer = self.loop.call_later(limits.CHECK_SECS, self._check)
        if self._reader.idle_secs() > limits.UNREAD_SECS:
            self.transport.abort()
        elif self.flow.read_paused:
            self._since = self.loop.time()  # the server itself has paused reading
        elif not self.transport.is_closing():
            self._check_stage(self.loop.time() - self._since)

    def _check_stage(self, waited_secs: float) -> None:
        if self._stage == "body" and waited_secs > limits.BODY_SECS:
            self._refuse(
                Refusal(408, "Too slow", f"expected the body within {limits.BODY_SECS:.0f} s")
            )
        elif self._stage == "head" and waited_secs > limits.HEAD_SECS:
            self._refuse(
                Refusal(408, "Too slow", f"expected the headers within {limits.HEAD_SECS:.0f} s")
            )
        elif (
            self._stage == "idle"
            and not self._is_answering
            and waited_secs > limits.KEEP_ALIVE_SECS
        ):
            self.transport.close()

    def resume_writing(self) -> None:
        """Note that the peer reads."""
        super().resume_writing()
        self._reader.note_progress()

    # -- incoming data

    def data_received(self, data: bytes) -> None:
        """Read no more of a request at a time than it may still contain."""
        while data and not self._is_over:
            most = limits.REQUEST_BYTES if self._stage == "body" else limits.HEAD_BYTES
            room = most - self._received
            if room <= 0:
                self._refuse_size()
                return
            part, data = data[:room], data[room:]
            was_idle = self._stage == "idle"
            if not was_idle:
                self._received += len(part)
            self._feed(part)
            if was_idle and self._stage == "head":
                self._received = len(part)

    def _feed(self, part: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(part)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self._upgrade()
        except httptools.HttpParserError as error:
            self._refuse_head(error.__context__)

    def _upgrade(self) -> None:
        if self._is_answering:
            self.leave()
            return
        self._end()
        self.handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        """Note that a request begins."""
        super().on_message_begin()
        if self._stage == "idle":
            self._enter("head")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        if len(self.headers) >= limits.HEADERS:
            raise TooManyHeaders
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Answer the request, or queue it behind those before it."""
        if len(self.pipeline) >= limits.PIPELINED_REQUESTS:
            raise TooManyRequests
        super().on_headers_complete()
        self._enter("body")

    def on_message_complete(self) -> None:
        """Note that the whole request has arrived."""
        super().on_message_complete()
        self._enter("idle")

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Note that the answer is written; read and discard the rest of a refused body."""
        super().on_response_complete()
        if self._stage == "idle":
            self._wait()

    # -- refusals

    def send_400_response(self, msg: str) -> None:
        """Refuse a malformed request."""
        self._refuse(
            Refusal(400, "Not a request", "expected a request of HTTP/1.1, received something else")
        )

    def _refuse_size(self) -> None:
        if self._stage == "body":
            detail = f"expected at most {limits.BODY_BYTES} bytes, received more"
            self._refuse(Refusal(413, "Body too large", detail))
        else:
            detail = (
                f"expected at most {limits.HEAD_BYTES} bytes of request line and headers, received "
                "more"
            )
            self._refuse(Refusal(431, "Headers too large", detail))

    def _refuse_head(self, error: BaseException | None) -> None:
        if isinstance(error, TooManyHeaders):
            detail = f"expected at most {limits.HEADERS} headers, received more"
            self._refuse(Refusal(431, "Too many headers", detail))
        elif isinstance(error, TooManyRequests):
            self.leave()
        else:
            self.send_400_response("")

    def _refuse(self, refusal: Refusal) -> None:
        may_answer = self._may_answer()
        self._end()
        self._tell_application()
        self._timer = _hang_up(self.transport, _refusal_bytes(refusal) if may_answer else b"")

    def _may_answer(self) -> bool:
        # Not in the middle of another answer, not twice, and not to a client that has sent nothing.
        if self._is_answering:
            return self._running is self.cycle and not self.cycle.response_started
        return self._stage == "idle" or (self._stage == "head" and self._received > 0)

    def _tell_application(self) -> None:
        # The refusal belongs to the request that is being answered; those queued behind it are
        # never started.
        self.pipeline.clear()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
            self.flow.resume_writing()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One websocket: reads a few frames at a time, and enforces the limits of its peer."""

    transport: asyncio.Transport
    _allowance: Allowance
    # of the connection's end, after the close frame was sent
    _timer: asyncio.TimerHandle | None = None
    _more: asyncio.Handle | None = None  # of the next turn
    _fragments: int = 0  # of the incoming message
    _pause_secs: float  # between two turns, while frames of more than one turn are waiting

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._unread = bytearray()  # received, and not processed yet
        self._is_over = False

    # -- the handshake

    def handle_connect(self, event: Request) -> None:
        """Pass the request to the application, or refuse what is no websocket handshake."""
        response = self.conn.accept(event)
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._refuse(response.status_code, "expected a websocket's handshake, version 13")
            return
        is_trainer = event.path.partition("?")[0].endswith("/trainer")
        per_sec = limits.TRAINER_MESSAGES_PER_SEC if is_trainer else limits.VIEWER_MESSAGES_PER_SEC
        at_once = limits.TRAINER_MESSAGES_AT_ONCE if is_trainer else limits.VIEWER_MESSAGES_AT_ONCE
        self._pause_secs = 0.0 if is_trainer else limits.TURN_PAUSE_SECS
        self._allowance = Allowance(per_sec, at_once, self.loop.time)
        super().handle_connect(event)

    def _refuse(self, status: int, detail: str) -> None:
        self.handshake_complete = self.close_sent = self._is_over = True
        self._timer = _hang_up(
            self.transport, _refusal_bytes(Refusal(status, "No websocket", detail))
        )

    async def send(self, message: Any) -> None:
        """Send a message of the application."""
        if self._is_over:
            raise ClientDisconnected
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get(
            "more_body", False
        ):
            # It was refused. Without this, uvicorn would take that for an error and log it.
            self.handshake_complete = True
        if self.close_sent and self._unread and self._more is None:
            self._go_on()  # the peer's close frame may be among the unread bytes

    # -- incoming data

    def data_received(self, data: bytes) -> None:
        """Process received bytes; the handshake arrives as a whole."""
        if self._is_over:
            return
        if self.handshake_initiated:
            self._unread += data
            if self._more is None and not self.read_paused:
                self._take_turn()
            return
        super().data_received(data)
        self._check_handshake()

    def _check_handshake(self) -> None:
        # The library leaves a malformed handshake without an answer.
        if not (self.handshake_initiated or self._is_over):
            self._refuse(400, "expected a websocket's handshake: GET, and no body")

    async def receive(self) -> Any:
        """Return the next message; when all were taken, process more bytes."""
        message = await self.queue.get()
        if self.read_paused and self.queue.empty() and self._more is None:
            self._go_on()
        return message

    def _go_on(self) -> None:
        pause = self._pause_secs if self._unread else 0.0
        self._more = (
            self.loop.call_later(pause, self._take_turn)
            if pause
            else self.loop.call_soon(self._take_turn)
        )

    def _take_turn(self) -> None:
        self._more = None
        self.read_paused = False
        self._take_frames(limits.TURN_FRAMES)
        if self._is_over or self.transport.is_closing():
            return
        if self._unread:
            self.read_paused = True
            self.transport.pause_reading()
            if self.queue.empty() or self.close_sent:
                self._go_on()
        elif not self.read_paused:
            self.transport.resume_reading()

    def _take_frames(self, most: int) -> None:
        # The number of frames in a piece is known only after reading it, so the pieces are small.
        taken = 0
        while self._unread and taken < most and not self._is_over:
            part = bytes(self._unread[: limits.TURN_BYTES])
            del self._unread[: limits.TURN_BYTES]
            self.conn.receive_data(part)
            count = len(self.conn.events)
            taken += count
            if not self._allowance.take(count):
                self._fail(POLICY_VIOLATION, "expected fewer messages per second")
            elif self.conn.parser_exc is not None:
                close = self.conn.close_sent
                self._hang_up(close.code if close else BROKEN_OFF, close.reason if close else "")
            else:
                self.handle_events()

    def handle_cont(self, event: Frame) -> None:
        """Take a fragment of a message."""
        self._fragments = 0 if event.fin else self._fragments + 1
        if self._fragments >= limits.FRAGMENTS:
            self._fail(
                POLICY_VIOLATION, f"expected at most {limits.FRAGMENTS} fragments of a message"
            )
        elif not self._is_over:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Pass a message to the application.

        Invalid text closes the connection without a line in the log.
        """
        if self._is_over:
            return
        if self.curr_msg_data_type == "text" and not _is_utf8(b"".join(self.frames)):
            self._fail(NOT_UTF8, "expected text in UTF-8")
            return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer a ping; disconnect a peer that sends pings and never reads the answers."""
        if self._is_over or self.transport.is_closing():
            return
        super().handle_ping()
        if self.transport.get_write_buffer_size() > limits.UNREAD_PONG_BYTES:
            self._is_over = True
            self.transport.abort()

    # -- closing

    def _fail(self, code: int, why: str) -> None:
        if not self._is_over:
            self.conn.fail(code, reason(why))
            self._hang_up(code, why)

    def _hang_up(self, code: int, why: str) -> None:
        self._is_over = self.close_sent = True
        self._unread.clear()
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": why})
        self._timer = _hang_up(self.transport, b"".join(self.conn.data_to_send()))

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Close the connection.

        A peer that does not read the close frame would otherwise keep it open.
        """
        super().on_task_complete(task)
        if not self.disconnected and self._timer is None:
            self._timer = self.loop.call_later(limits.CLOSE_SECS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up. A trainer's messages that arrived before are still read."""
        if self._unread and not self._is_over and self.scope["path"].endswith("/trainer"):
            self.read_paused = True  # there is nothing left to pause
            self._take_frames(limits.TRAINER_MESSAGES_AT_ONCE)
        self._is_over = True
        for handle in (self._timer, self._more):
            if handle is not None:
                handle.cancel()
        super().connection_lost(exc)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
