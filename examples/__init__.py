"""Programs to read, run and change: each is one idea, a console script, and `python -m bocpy.examples.NAME`."""
