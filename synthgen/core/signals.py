"""The signals that ask to stop: a scheduler's SIGTERM, Ctrl-C, a terminal that hangs up, and SLURM's SIGUSR1.

SLURM sends that last one where ``--signal=USR1@60`` asks to be told before the time is up.
"""

import signal

STOPPING = tuple(
    signal.Signals[name] for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1") if name in signal.Signals.__members__
)
