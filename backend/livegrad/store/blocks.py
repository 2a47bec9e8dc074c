"""Blocks of steps: the run log compacts complete ones, and summarizes them in ever larger sizes. PURE."""

FOLD = 16  # so many blocks are summarized again as one of the next size
SIZES = (256, 256 * FOLD, 256 * FOLD * FOLD)  # steps
BLOCK = SIZES[0]
