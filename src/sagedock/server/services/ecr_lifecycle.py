"""ECR's lifecycle policies: read, checked, and which images they let go. Pure.

AWS acts on a policy within a day; here it is when the policy is put and after each push.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_DAY = 86400.0
_STATUSES = frozenset({"tagged", "untagged", "any"})


class PolicyError(Exception):
    """A text that is no lifecycle policy, or one that can't be acted on here."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image; `pushed` in seconds since the epoch."""

    digest: str
    pushed: float
    tags: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule. `keep` is how many of the newest stay, `days` how old an image may become; one of
    them is None. A tagged image is meant where each of `patterns` fits one of its tags."""

    priority: int
    status: str
    patterns: tuple[str, ...]
    keep: int | None
    days: int | None

    def means(self, image: Image) -> bool:
        """Whether the image is one that the rule is about."""
        if self.status == "any":
            return True
        if self.status == "untagged" or not image.tags:
            return self.status == "untagged" and not image.tags
        return all(
            any(fnmatch.fnmatchcase(tag, pattern) for tag in image.tags)
            for pattern in self.patterns
        )

    def lets_go(self, images: Sequence[Image], now: float) -> set[str]:
        """Digests of those among `images`, which it is about, whose time is over."""
        if self.days is not None:
            return {one.digest for one in images if now - one.pushed > self.days * _DAY}
        newest = sorted(images, key=lambda one: (-one.pushed, one.digest))
        return {one.digest for one in newest[self.keep :]}


def expired(rules: Sequence[Rule], images: Sequence[Image], now: float) -> set[str]:
    """Digests of the images that go. What a rule is about, none of lower priority can touch."""
    gone, left = set[str](), list(images)
    for rule in sorted(rules, key=lambda rule: rule.priority):
        meant = [image for image in left if rule.means(image)]
        gone |= rule.lets_go(meant, now)
        left = [image for image in left if not rule.means(image)]
    return gone


def read(text: str) -> list[Rule]:
    """A policy's rules. Raises PolicyError."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise PolicyError("Invalid JSON syntax") from None
    rules = document.get("rules") if isinstance(document, dict) else None
    if not isinstance(rules, list) or not rules:
        raise PolicyError("A policy has rules")
    found = [_rule(rule) for rule in rules]
    priorities = [rule.priority for rule in found]
    if len(set(priorities)) < len(found):
        raise PolicyError("Each rulePriority must be unique")
    if any(rule.status == "any" and rule.priority < max(priorities) for rule in found):
        raise PolicyError("The rule with tagStatus any must have the highest rulePriority")
    return found


def _rule(rule: Any) -> Rule:
    if not isinstance(rule, dict) or not _is_count(rule.get("rulePriority")):
        raise PolicyError("A rule is an object with a rulePriority of 1 or more")
    selection, action = rule.get("selection"), rule.get("action")
    if not isinstance(selection, dict) or selection.get("tagStatus") not in _STATUSES:
        raise PolicyError("A rule's selection has a tagStatus of tagged, untagged or any")
    if not isinstance(action, dict) or action.get("type") != "expire":
        raise PolicyError("The action of a rule is expire on this machine")
    keep, days = _limits(selection)
    return Rule(
        priority=rule["rulePriority"],
        status=selection["tagStatus"],
        patterns=_patterns(selection),
        keep=keep,
        days=days,
    )


def _limits(selection: Mapping[str, Any]) -> tuple[int | None, int | None]:
    number = selection.get("countNumber")
    if not _is_count(number):
        raise PolicyError("countNumber is 1 or more")
    match selection.get("countType"), selection.get("countUnit"):
        case "imageCountMoreThan", None:
            return number, None
        case "sinceImagePushed", "days":
            return None, number
    raise PolicyError(
        "countType is imageCountMoreThan, or sinceImagePushed with countUnit days, on this machine"
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 1 << 31


def _patterns(selection: Mapping[str, Any]) -> tuple[str, ...]:
    prefixes, patterns = (_texts(selection, name) for name in ("tagPrefixList", "tagPatternList"))
    if (selection["tagStatus"] == "tagged") != bool(prefixes or patterns) or (
        prefixes and patterns
    ):
        raise PolicyError(
            "A tagPrefixList or a tagPatternList goes with tagStatus tagged, and only with it"
        )
    return tuple(f"{_plain(prefix)}*" for prefix in prefixes) + tuple(map(_plain, patterns))


def _texts(selection: Mapping[str, Any], name: str) -> list[str]:
    found = selection.get(name, [])
    if not isinstance(found, list) or not all(isinstance(item, str) and item for item in found):
        raise PolicyError(f"{name} is a list of texts")
    return found


def _plain(text: str) -> str:
    """Only `*` stands for other characters."""
    return text.replace("[", "[[]").replace("?", "[?]")
