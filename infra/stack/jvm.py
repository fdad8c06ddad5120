"""How the stack starts a JVM."""

from __future__ import annotations

from infra.stack import install

# On few cores the better compiler takes more in the first half hour than its code gives (DECISIONS.md, 135).
QUICK_COMPILER = "-XX:TieredStopAtLevel=1"


def command(flags: list[str]) -> list[str]:
    """`java` with these flags and those of every part; what is to be run follows.

    Raises MissingPartError when there is no Java.
    """
    return [str(install.java()), QUICK_COMPILER, "-XX:+ExitOnOutOfMemoryError", *flags]
