"""Importing this makes a process warm: the forkserver does, once, before it starts any trainer.

An error would end the forkserver unheard: it is kept, and each process that is forked from here fails by it.
"""

failure: Exception | None = None
try:
    from livegrad.training.process import warm_up

    warm_up()
except Exception as error:
    failure = error
