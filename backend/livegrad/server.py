"""The running server: uvicorn with livegrad's own start and shutdown.

Knows nothing of what is served.
"""

import os
import socket
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import uvicorn

SHUTDOWN_SECS = 60.0  # torch may still be loading on a busy machine
_ADVICE = (
    "livegrad: stopped because of the error above, which is a bug in livegrad. Everything "
    "that was logged is kept: start livegrad again, and report those lines."
)


class Server(uvicorn.Server):
    """Serves until it is asked to end, or crashes. `exit_code` tells which, once it has ended.

    `announce` is called once it answers; `stop_trainers` before connections are closed.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        announce: Callable[[], None],
        stop_trainers: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(config)
        self.exit_code = 0
        self._announce = announce
        self._stop_trainers = stop_trainers

    def end(self) -> None:
        """Shut down in order; if called again, without waiting for connections.

        Safe to call in signal handlers.
        """
        self.force_exit = self.should_exit
        self.should_exit = True

    def crash(self, error: BaseException) -> None:
        """Shut down because of `error`, with a message on stderr and exit code 1.

        Call it in the event loop's thread.
        """
        traceback.print_exception(error)
        print(_ADVICE, file=sys.stderr, flush=True)
        self.exit_code = 1
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer, and announce it."""
        await super().startup(sockets)
        if not self.should_exit:
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End trainers, connections and the application, in this order, within SHUTDOWN_SECS."""
        limit = threading.Timer(SHUTDOWN_SECS, _give_up)
        limit.daemon = True
        limit.start()
        try:
            # once their connections are closed, trainers can only be killed
            await self._stop_trainers()
        except Exception as error:
            self.crash(error)
        await super().shutdown(sockets)
        if self.force_exit:  # uvicorn skips it then, and the log and processes would stay open
            await self.lifespan.shutdown()
        if self.lifespan.should_exit:  # it failed, and has printed why
            self.exit_code = 1
        limit.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the program: uvicorn would raise them again at the end."""
        yield


def _give_up() -> None:
    print(
        f"livegrad: shutdown took longer than {SHUTDOWN_SECS:.0f} s; ended by force",
        file=sys.stderr,
        flush=True,
    )
    os._exit(1)
