"""`sluice generate`"""

from __future__ import annotations

import click

from infra.cli import generate_interactions, generate_payments

DEFAULT = "payments"


class _PaymentsByDefault(click.Group):
    """Options without a name before them are those of payments."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else [DEFAULT, *args])


@click.group(cls=_PaymentsByDefault)
def command() -> None:
    """Publish generated events, in order of event time: payments, unless interactions are named."""


command.add_command(generate_payments.command)
command.add_command(generate_interactions.command)
