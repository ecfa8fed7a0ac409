"""Changes of an environment as commands of a shell. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sagedock.server.running.environment import Changes

SHELLS = ("sh", "fish", "powershell")


def commands(changes: Changes, shell: str) -> Iterator[str]:
    """One command for each change, for `sh` (bash, zsh, dash …), `fish` or `powershell`."""
    for name, value in sorted(changes.items()):
        if shell == "fish":
            yield f"set -e {name};" if value is None else f"set -gx {name} {_fish(value)};"
        elif shell == "powershell":
            yield (
                f"Remove-Item -ErrorAction SilentlyContinue Env:{name};"
                if value is None
                else f"$Env:{name} = '{value.replace(chr(39), chr(39) * 2)}';"
            )
        else:
            yield f"unset {name};" if value is None else f"export {name}={_sh(value)};"


def _sh(value: str) -> str:
    return "'" + value.replace("'", "'\"'\"'") + "'"


def _fish(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
