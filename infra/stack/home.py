"""The one folder that holds all that the local stack writes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from schemas.settings import Settings


@dataclass(frozen=True)
class Home:
    """Paths below the stack's home; none is created by asking for it."""

    root: Path

    @staticmethod
    def of(settings: Settings) -> Home:
        """The home of these settings, as an absolute path."""
        return Home(Path(settings.stack.home).resolve())

    def log(self, part: str) -> Path:
        """What the part printed."""
        return self.root / "log" / f"{part}.log"

    def pid(self, part: str) -> Path:
        """Who runs the part."""
        return self.root / "run" / f"{part}.pid"

    def data(self, part: str) -> Path:
        """What the part keeps over a restart."""
        return self.root / "data" / part

    def conf(self, part: str) -> Path:
        """The part's generated configuration."""
        return self.root / "conf" / part

    def lib(self, profile: str) -> Path:
        """The jars of a profile of infra/pom.xml."""
        return self.root / "lib" / profile

    def learners(self) -> Path:
        """Checkpoints of learners, where the settings name no other folder."""
        return self.root / "learners"

    def lock(self) -> Path:
        """Held by whoever starts or stops parts."""
        return self.root / "run" / "lock"

    def fresh(self, folder: Path) -> Path:
        """The folder, emptied."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder
