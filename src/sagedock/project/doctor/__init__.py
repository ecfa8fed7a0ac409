"""`sagedock doctor`: facts are collected at the edge, pure rules make findings of them.

`facts.py` has the facts, `machine_rules.py` and `aws_rules.py` judge them; `machine.py`,
`trust.py`, `probe.py` and `account.py` collect; `rounds.py` runs all of it side by side, each part
with a limit of time.
"""
