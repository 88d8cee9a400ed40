"""What a resource is called."""

import builtins
import keyword
import re
from dataclasses import dataclass
from typing import Self

from devtools.errors import DevtoolsError

LONGEST = 30  # PostgreSQL has 63 characters for the name of a constraint, which has more in it
IRREGULAR = {
    "person": "people",
    "child": "children",
    "man": "men",
    "woman": "women",
    "mouse": "mice",
    "foot": "feet",
    "tooth": "teeth",
    "quiz": "quizzes",
    "half": "halves",
    "shelf": "shelves",
}
ENDINGS = (
    (r"(?<![aeiou])y$", "ies"),
    (r"(?<=s)is$", "es"),
    (r"(s|x|z|ch|sh)$", r"\1es"),
    (r"$", "s"),
)


@dataclass(frozen=True)
class Names:
    """Both in snake_case."""

    singular: str
    plural: str

    @classmethod
    def of(cls, singular: str, plural: str | None = None) -> Self:
        for name in filter(None, (singular, plural)):
            if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or len(name) > LONGEST:
                raise DevtoolsError(
                    f"{name!r} cannot name a resource: write it in snake_case,"
                    f" in at most {LONGEST} characters, such as time_entry."
                )
        if not plural and re.search(r"[^isu]s$", singular):
            raise DevtoolsError(f"{singular} looks like a plural: name one, or give --plural too.")
        names = cls(singular, plural or pluralize(singular))
        names.check()
        return names

    def check(self) -> None:
        if self.singular == self.plural:
            raise DevtoolsError(f"{self.plural} must differ from its singular: give --plural.")
        for name in (self.singular, self.plural):
            for spelling in (name, camel(name)):
                if keyword.iskeyword(spelling) or hasattr(builtins, spelling):
                    raise DevtoolsError(f"{spelling} is a name of Python's own: choose another.")


def camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def pluralize(singular: str) -> str:
    first, gap, word = singular.rpartition("_")
    return first + gap + (IRREGULAR.get(word) or _regular(word))


def _regular(word: str) -> str:
    ending, replacement = next(rule for rule in ENDINGS if re.search(rule[0], word))
    return re.sub(ending, replacement, word, count=1)
