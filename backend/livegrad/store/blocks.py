"""The sizes of blocks of steps, which are compacted and folded into larger ones. PURE."""

FOLD = 16  # this many summaries are folded into one of the next size
SIZES = (256, 256 * FOLD, 256 * FOLD * FOLD)  # steps
BLOCK = SIZES[0]
