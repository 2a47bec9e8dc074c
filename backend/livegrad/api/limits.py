"""Every limit on what clients send and on what they leave unread. docs/security.md lists them.

This module holds values only. Modules that enforce a limit read it as `limits.NAME`. The names give
the unit: bytes, seconds or a count.
"""

import sys

KIB, MIB = 1024, 1024 * 1024

# -- connections

# of viewers, trainers and requests: fewer than the 1,024 files that many systems allow
MOST_CONNECTIONS = 800
FILES_KEPT_FREE = 150  # open files reserved for the run log, trainers' pipes and the program itself
PIPELINED_REQUESTS = 16  # sent ahead on one connection while an earlier one is being answered
# the interval at which a connection is checked, and so the precision of the times below
CHECK_SECS = 1.0

# -- a request

HEAD_BYTES = 64 * KIB  # of the request line and headers
HEADERS = 256
BODY_BYTES = 64 * KIB
BODY_DEPTH = 32  # nested brackets
REQUEST_BYTES = 1 * MIB  # of a refused body that is still read, including chunk sizes and trailers
# from the connection, or the first byte of a further request, to the end of the headers
HEAD_SECS = 10.0
BODY_SECS = 20.0  # from the end of the headers to the end of the body
KEEP_ALIVE_SECS = 30.0  # between an answer and the next request
# a refused connection is half closed for this long, so that the client can read the refusal
LINGER_SECS = 1.0

# -- wrong tokens, from one address

WRONG_TOKENS = 20
WRONG_TOKENS_SECS = 60.0
ADDRESSES_KEPT = 4096

# -- an answer

UNREAD_SECS = 60.0  # during which the reader has taken nothing of the waiting bytes
PIECE_BYTES = 64 * KIB  # of a long answer, written at once
RECORDS_BYTES = 512 * KIB  # of records in one frame of an answer, or one record if that is larger
EXPORT_THREADS = 2  # that make exports and read long ranges of records
EXPORTS = 16  # at once, each made page by page
WHOLE_EXPORTS = 2  # at once, each made as a whole before it is sent
EXPORT_WAIT_SECS = 5.0  # to wait for a place before an export is refused
SNAPSHOT_THREADS = 2  # that read only single steps

# -- a websocket

VIEWER_MESSAGES_PER_SEC = 1_000.0  # frames of any kind: messages, fragments, pings, pongs
# after a silence: the acknowledgements that accumulated during a stall
VIEWER_MESSAGES_AT_ONCE = 10_000
TRAINER_MESSAGES_PER_SEC = 10_000.0
TRAINER_MESSAGES_AT_ONCE = 100_000
FRAGMENTS = 1_024  # of one message
MESSAGE_BYTES = 4 * MIB  # of the largest message, which a trainer sends
# pongs that wait for a peer that sends pings; a viewer's whole mailbox is far smaller
UNREAD_PONG_BYTES = 4 * MIB
TURN_BYTES = 1 * KIB  # read at once, before the frames in them are counted
TURN_FRAMES = 32  # after which other connections are served first
TURN_PAUSE_SECS = 0.01  # the pause if a viewer has sent even more
PING_SECS = 20.0  # the server's own pings; proxies close connections that are silent for a minute
STOP_SECS = 1.0  # for unfinished answers when the server stops
CLOSE_SECS = 5.0  # from the server's close frame to the end of the connection


def connections() -> int:
    """Return the limit of connections, which is lower where the system allows fewer open files."""
    if sys.platform == "win32":
        return MOST_CONNECTIONS
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(16, min(MOST_CONNECTIONS, files - FILES_KEPT_FREE))
