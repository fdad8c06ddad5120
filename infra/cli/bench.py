"""`sluice bench`"""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.console import Console

from infra.bench import report
from infra.bench.run import FULL, MEASUREMENTS, QUICK, run
from infra.demo.steps import Steps
from infra.stack.home import Home
from schemas.errors import InputError
from schemas.settings import Settings


@click.command()
@click.option("--only", metavar="NAME,..", help=f"Some of: {', '.join(MEASUREMENTS)}.")
@click.option("--quick", is_flag=True, help="Short runs, to see that all of it works; the figures mean little.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
@click.pass_obj
def command(settings: Settings, only: str | None, *, quick: bool, as_json: bool) -> None:
    """Measure the running stack, and set the figures beside their budgets.

    Every result is printed and appended to bench/history.jsonl in the stack's home as soon as it is there.
    """
    names = list(MEASUREMENTS) if only is None else [name.strip() for name in only.split(",")]
    if unknown := [name for name in names if name not in MEASUREMENTS]:
        raise InputError(f"--only {', '.join(unknown)}: no such measurement; there are {', '.join(MEASUREMENTS)}")
    wanted = [name for name in MEASUREMENTS if name in names]
    history = report.History(Home.of(settings).root / "bench" / "history.jsonl")

    def told(facts: dict[str, Any], result: dict[str, Any]) -> None:
        history.add(facts | {"quick": quick}, result)
        click.echo("\n".join(report.rows(result)))

    # Progress goes where it does not mix with the figures.
    found = run(settings, wanted, QUICK if quick else FULL, Steps(Console(stderr=True)), told) | {"quick": quick}
    history.close(found)
    click.echo(report.table(found))
    click.echo(f"\nkept in {history.file}")
    if as_json:
        click.echo(msgspec.json.encode(report.summary(found)).decode())
