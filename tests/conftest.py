"""What all tests need of the process that runs them."""

import signal

# A shell's background job ignores SIGINT, and the programs that tests start would inherit that: they need theirs.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
