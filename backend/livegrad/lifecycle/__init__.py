"""The life of a run: its states, what commands do in them, what each event leads to. PURE: no clocks, no I/O.

`machine.advance(state, event)` returns the next state and the effects that the shells carry out.
Nothing else changes a run's state, epoch or last step.

The rules:
1.  A run is `starting` from its creation until its trainer has said how it stands, and again whenever a trainer is
    started.
2.  A command sent to a run that is starting waits for the trainer, and is judged there by the state that it finds.
3.  Commands act only on a live trainer. `interrupted` means that the trainer is gone while the record is whole:
    whatever asks for training starts it again from its last record.
4.  `finished` and `failed` are final. `failed` is for what the training code itself raised.
5.  Asking for what is already so (play while running, pause while paused) is not an error.
6.  A trainer's end is never silent: it is started again, or the run becomes `interrupted` or `failed`, with a reason.
7.  What became of a trainer is judged only after everything that it sent has been committed.
8.  The log comes first: state, epoch and last step change here when the log says that they have changed there.
"""
