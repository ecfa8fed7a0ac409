"""Are names really there? Reads a file with `places`, {name: module}, and `names`, such as
`Class.method(argument=)`; prints what is missing, and which arguments of `all_of` are not named."""

import importlib
import inspect
import json
import re
import sys
from pathlib import Path

NAME = re.compile(r"(\w+)((?:\.\w+)*)(?:\((\w+)=\))?")


def has(owner, name):
    """As attribute, field of a pydantic model, or what `__init__` sets."""
    fields = {**getattr(owner, "model_fields", {}), **getattr(owner, "__private_attributes__", {})}
    if hasattr(owner, name) or name in fields:
        return True
    if not inspect.isclass(owner):
        return False
    classes = [item for item in inspect.getmro(owner) if item is not object]
    return any(f"self.{name} " in inspect.getsource(item) for item in classes)


def arguments(owner):
    """Of a function or class; without what only collects others."""
    found = inspect.signature(owner).parameters.values()
    return {item.name for item in found if item.kind is not item.VAR_KEYWORD} - {"self"}


def missing(text, places):
    root, attributes, argument = NAME.fullmatch(text).groups()
    if root not in places:
        return "nobody says where it is from"
    owner = getattr(importlib.import_module(places[root]), root, None)
    if owner is None:
        return f"not in {places[root]}"
    for name in filter(None, attributes.split(".")):
        if not has(owner, name):
            return f"no {name}"
        owner = getattr(owner, name, None)
    if argument and argument not in arguments(owner):
        return f"no argument {argument}"
    return None


def main():
    document = json.loads(Path(sys.argv[1]).read_text())
    places, names = document["places"], document["names"]
    for text in names:
        reason = missing(text, places)
        if reason:
            print("missing", text, reason)
    for root in document["all_of"]:
        owner = getattr(importlib.import_module(places[root]), root)
        for argument in sorted(arguments(owner) - set(document["left_out"])):
            if f"{root}({argument}=)" not in names:
                print("unmapped", f"{root}({argument}=)")
    print("checked", len(names))


if __name__ == "__main__":
    main()
