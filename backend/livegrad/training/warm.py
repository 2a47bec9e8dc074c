"""Importing this makes a process warm: the forkserver does, once, before it starts any trainer."""

from livegrad.training.process import warm_up

warm_up()
