"""What runs inside images. Standard library at import time; the heavy imports are in functions.

`train` is the supervisor that is PID 1 of a training container. This room imports `contract/` and
`errors.py` only, and must not know what drives it: Docker, stores, terminals.
"""
