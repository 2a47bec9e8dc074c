"""The server with shorter patience, so that a test need not wait a minute.

`python -m tests.server.short_limits`.

Everything else of it is real.
"""

import sys

from livegrad.api import limits
from livegrad.cli import main

HEAD_SECS, BODY_SECS, KEEP_ALIVE_SECS, UNREAD_SECS, PING_SECS = 1.0, 2.0, 3.0, 3.0, 1.0
MOST_CONNECTIONS = 40

if __name__ == "__main__":
    limits.HEAD_SECS, limits.BODY_SECS = HEAD_SECS, BODY_SECS
    limits.KEEP_ALIVE_SECS, limits.UNREAD_SECS = KEEP_ALIVE_SECS, UNREAD_SECS
    limits.PING_SECS = PING_SECS
    limits.CHECK_SECS = 0.1
    limits.MOST_CONNECTIONS = MOST_CONNECTIONS
    sys.exit(main())
