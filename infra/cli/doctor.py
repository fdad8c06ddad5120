"""`sluice doctor`"""

from __future__ import annotations

import click

from infra.stack import doctor
from schemas.settings import Settings


@click.command()
@click.pass_obj
def command(settings: Settings) -> None:
    """Find what is broken and name the command that mends it; exit code 1 when something is."""
    findings = doctor.examine(settings)
    for finding in findings:
        click.echo(f"broken: {finding.what}\n  mend: {finding.mend}")
    if findings:
        raise click.exceptions.Exit(1)
    click.echo("nothing is broken")
