"""The life of a run: its states, its events and their effects. PURE: no clocks, no I/O.

`machine.advance(state, event)` returns the next state and the effects, which the modules of `runs`
carry out. Nothing else changes a run's state, epoch or last step.

The rules:
1.  A run is `starting` from its creation until its trainer has reported a state, and again whenever
    a trainer is started.
2.  A command sent to a starting run waits for the trainer, which judges it by its state then.
3.  Commands act only on a live trainer. `interrupted` means that the trainer is gone and the log is
    complete: a command that asks for training starts a trainer from the last record.
4.  `finished` and `failed` are final. `failed` means that the training code raised an error.
5.  A command for what is already so (play while running, pause while paused) is not an error.
6.  After a trainer's end, it is restarted, or the run becomes `interrupted` or `failed`, with a
    reason.
7.  A trainer's end is judged only after all its messages are committed.
8.  The log comes first: state, epoch and last step change here after they have changed in the log.
"""
