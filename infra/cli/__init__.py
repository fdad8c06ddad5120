"""The `sluice` command. Each command is one module here, imported only when it is called."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from infra.cli.lazy_group import LazyGroup
from schemas import settings
from schemas.errors import InputError, SluiceError

# Command -> its line in `sluice --help`, in that order. The module of that name (- is _) defines `command`.
COMMANDS = {
    "demo": "Show the whole system on generated payments, or shoppers, for a minute.",
    "up": "Start the local stack and wait until every part is healthy.",
    "status": "Show each part and each job: version, port, memory, state, lag.",
    "doctor": "Find what is broken and name the command that mends it.",
    "down": "Stop the local stack; leave nothing running.",
    "submit": "Start a job on the Flink cluster, where it stood when it ended.",
    "stop": "Stop a job with a savepoint that `submit` can resume.",
    "api": "Serve features, decisions and on-demand scores over HTTP.",
    "topics": "Create or list the topics of the table.",
    "tables": "Create the tables of the history store.",
    "train": "Train a model on history and put it into the registry.",
    "retrain": "Train the fraud model anew when the policy calls for it.",
    "learn": "Learn from labelled examples as they come.",
    "models": "List, show, promote and roll back models; suggest thresholds.",
    "learners": "List, show, promote and roll back online learners.",
    "evaluate": "Measure a model by a published protocol on a real data set.",
    "drift": "Show what drifted, in the terminal or as one page.",
    "control": "See and change rules, blocklists, thresholds and flags.",
    "generate": "Publish seeded, generated events: payments with labels, or shoppers with items.",
    "replay": "Publish a CSV or Parquet file as events.",
    "bench": "Measure throughput, latency, recovery and cost per event on this machine.",
    "alerts": "Route alerts to people; see what fires and what was delivered.",
    "dead-letters": "List, show and play back records that could not be processed.",
}


@click.group(
    cls=LazyGroup, lines=COMMANDS, modules="infra.cli.", context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="sluice")
@click.option("--settings", "settings_file", type=click.Path(path_type=Path), help="TOML file; default ./sluice.toml.")
@click.pass_context
def sluice(ctx: click.Context, settings_file: Path | None) -> None:
    """Streaming-first, real-time machine learning on Kafka and Flink."""
    ctx.obj = settings.read(settings_file)


def main() -> None:
    """Run the command; an error of ours is one line and exit code 2 (input) or 1 (environment)."""
    try:
        # A command's own exit code comes back as a value here; everything else is None.
        code = sluice.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SluiceError as error:
        click.echo(f"sluice: {error}", err=True)
        sys.exit(2 if isinstance(error, InputError) else 1)
    sys.exit(code if isinstance(code, int) else 0)
