"""The door to a terminal: one file per command, each parses, calls and prints.

A command's module is imported only when that command is asked for (`group.COMMANDS`). Must not
know more than its own call to the rooms below.
"""
