"""Every limit on what comes in over the network, and on what goes out unread. docs/security.md lists them.

Values alone: whoever keeps a limit reads it here, by `limits.NAME`. Bytes, seconds and counts as the names say.
"""

import sys

KIB, MIB = 1024, 1024 * 1024

# -- connections

# of viewers, trainers and requests: below the 1,024 files that many systems allow
MOST_CONNECTIONS = 800
FILES_KEPT_FREE = (
    150  # of those that the system allows: for the run log, trainers' pipes and the program itself
)
PIPELINED_REQUESTS = 16  # sent ahead on one connection while an earlier one is being answered
CHECK_SECS = 1.0  # how often a connection is looked at: the times below are kept this exactly

# -- a request

HEAD_BYTES = 64 * KIB  # request line and headers
HEADERS = 256
BODY_BYTES = 64 * KIB
BODY_DEPTH = 32  # brackets within brackets
REQUEST_BYTES = 1 * MIB  # of a body that nobody reads any more, chunk sizes and trailers included
# from the connection, or the first byte of a further request, to the end of the head
HEAD_SECS = 10.0
BODY_SECS = 20.0  # from there to the end of the body
KEEP_ALIVE_SECS = 30.0  # between an answer and the next request
# a connection that is refused is half closed for so long, so that the refusal can be read
LINGER_SECS = 1.0

# -- wrong tokens, from one address

WRONG_TOKENS = 20
WRONG_TOKENS_SECS = 60.0
ADDRESSES_KEPT = 4096

# -- an answer

UNREAD_SECS = 60.0  # that its reader took nothing of what waits for it
PIECE_BYTES = 64 * KIB  # of a long answer, handed over at once
RECORDS_BYTES = 512 * KIB  # of records in one frame of an answer, or one record if that is larger
EXPORT_THREADS = 2  # that make exports, and read long stretches of records
EXPORTS = 16  # under way at once, made a page at a time
WHOLE_EXPORTS = 2  # under way at once, made as a whole before they are sent
EXPORT_WAIT_SECS = 5.0  # for a place, before an export is refused
SNAPSHOT_THREADS = 2  # that read single steps, and nothing else

# -- a websocket

VIEWER_MESSAGES_PER_SEC = 1_000.0  # frames of any kind: messages, fragments, pings, pongs
# after a silence: acknowledgements of all that a stall left unread
VIEWER_MESSAGES_AT_ONCE = 10_000
TRAINER_MESSAGES_PER_SEC = 10_000.0
TRAINER_MESSAGES_AT_ONCE = 100_000
FRAGMENTS = 1_024  # of one message
MESSAGE_BYTES = 4 * MIB  # of the largest message, which is a trainer's
# waiting for a peer that sends pings; a viewer's whole mailbox is far below
UNREAD_PONG_BYTES = 4 * MIB
TURN_BYTES = 1 * KIB  # read at once, before it is seen how many frames they were
TURN_FRAMES = 32  # after so many, others are served first
TURN_PAUSE_SECS = 0.01  # for so long, where a viewer has sent still more
PING_SECS = 20.0  # the server's own pings: proxies cut what is silent for a minute
STOP_SECS = 1.0  # that answers under way may still take when the server stops
CLOSE_SECS = 5.0  # from the server's farewell to the end of the connection


def connections() -> int:
    """Return how many connections there may be: fewer than above where the system allows fewer open files."""
    if sys.platform == "win32":
        return MOST_CONNECTIONS
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(16, min(MOST_CONNECTIONS, files - FILES_KEPT_FREE))
