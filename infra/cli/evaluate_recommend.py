"""`sluice evaluate recommend`"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from click.core import ParameterSource
from rich.console import Console

from infra import wall_clock
from infra.cli import off_policy as estimates
from infra.cli.bounds import THREADS, Finite
from infra.cli.span import Span
from jobs.evaluate_recommend import data_set, prequential, random_split
from jobs.train_recommend import parameters as training
from schemas.errors import InputError
from schemas.settings import Settings
from serving.recommend.beyond import Beyond

RANDOM, PREQUENTIAL = "random-75-25", "prequential"
_HOME = Path(data_set.__file__).parent


# What only one of the two ways of measuring takes.
_BY_PROTOCOL = ("protocol", "limit", "validate", "file", "threads")
_OFF_POLICY = ("since", "until", "target", "clip")
# What only one of the two protocols takes.
_RANDOM, _PREQUENTIAL = ("validate",), ("limit",)


@click.command("recommend")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder of the data set; off-policy: of the Open Bandit logs, or of .jsonl files with logged lists and "
    "interactions.  [off-policy default: the topics]",
)
@click.option("--protocol", type=click.Choice([RANDOM, PREQUENTIAL]), default=RANDOM, show_default=True)
@click.option("--limit", type=click.IntRange(min=1000), help="Prequential: the first so many interactions only.")
@click.option("--validate", is_flag=True, help="Random split: on a part cut from the training part, to choose by.")
@click.option(
    "--parameters", "file", type=click.Path(path_type=Path), help="TOML file.  [default: those chosen for the data set]"
)
@click.option("--threads", type=THREADS, default=1, show_default=True, help="Threads that grow trees.")
@click.option("--off-policy", is_flag=True, help="What a policy would earn, from the log of another: IPS, SNIPS, DR.")
@click.option(
    "--target",
    type=click.Path(path_type=Path),
    help="Off-policy: a .jsonl file of the same lists with another policy's propensities.  [default: the log's own]",
)
@click.option(
    "--since", type=Span(), metavar="SPAN", help="Off-policy: lists of the topics that came in the last 30m, 1h, 7d."
)
@click.option(
    "--until", type=Span(), metavar="SPAN", help="Off-policy: only lists that came before the last 30m, 1h, 7d."
)
@click.option("--clip", type=Finite(min=1), help="Off-policy: largest weight of a row.  [default: root of the rows]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
@click.pass_context
def command(
    context: click.Context,
    *,
    data: Path | None,
    protocol: str,
    limit: int | None,
    validate: bool,
    file: Path | None,
    threads: int,
    off_policy: bool,
    target: Path | None,
    since: int | None,
    until: int | None,
    clip: float | None,
    as_json: bool,
) -> None:
    """Measure recommendations: a published random split, each next item before it is learned, or a log off-policy."""
    if off_policy:
        _refuse(context, _BY_PROTOCOL, "does not go with --off-policy")
    else:
        _refuse(context, _OFF_POLICY, "goes only with --off-policy")
        _refuse(
            context,
            _PREQUENTIAL if protocol == RANDOM else _RANDOM,
            f"goes only with --protocol {PREQUENTIAL if protocol == RANDOM else RANDOM}",
        )
    figures: object
    if off_policy:
        settings: Settings = context.obj
        now_ms = wall_clock.now_ms()
        part = estimates.Part(*(None if span is None else now_ms - span for span in (since, until)))
        figures = estimates.run(settings.kafka, data, part, target, clip)
    elif data is None:
        raise InputError("give --data FOLDER, or --off-policy for the log of the running stack")
    else:
        figures = _by_protocol(data, protocol, file, limit=limit, validate=validate, threads=threads)
    if as_json:
        click.echo(msgspec.json.encode(figures).decode())


def _refuse(context: click.Context, names: tuple[str, ...], why: str) -> None:
    """Raises InputError for an option that the way of measuring does not have."""
    for parameter in context.command.params:
        given = (
            parameter.name is not None and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
        )
        if given and parameter.name in names:
            raise InputError(f"{parameter.opts[0]} {why}")


def _by_protocol(
    data: Path, protocol: str, file: Path | None, *, limit: int | None, validate: bool, threads: int
) -> dict[str, float] | dict[str, dict[str, float]]:
    if protocol == RANDOM and data_set.shape(data).again:
        raise InputError(f"{RANDOM} is defined on movielens-100k; use --protocol {PREQUENTIAL} for {data}")
    with Console(stderr=True).status("reading") as line:
        read = data_set.read(data)
        given = training.read(file if file is not None else _HOME / f"{read.name}-{protocol}.toml")
        if protocol == PREQUENTIAL:
            return _prequential(read, given, limit=limit, threads=threads, tell=line.update)
        return _random(read, given, validate=validate, threads=threads, tell=line.update)


def _random(
    read: data_set.DataSet, given: training.Parameters, *, validate: bool, threads: int, tell: random_split.Tell
) -> dict[str, float]:
    found = random_split.run(read, given, validate=validate, threads=threads, tell=tell)
    click.echo(f"{'':<12}{'MAP':>8}{'nDCG@10':>10}{'precision@10':>14}{'recall@10':>11}")
    for name, row in () if validate else random_split.PUBLISHED.items():
        click.echo(f"{name:<12}{row[0]:>8.3f}{row[1]:>10.3f}{row[2]:>14.3f}{row[3]:>11.3f}")
    one = found.accuracy
    name = "validation" if validate else "Sluice"
    click.echo(f"{name:<12}{one.map:>8.4f}{one.ndcg:>10.4f}{one.precision:>14.4f}{one.recall:>11.4f}")
    _beyond(found.beyond)
    return {
        "map": one.map,
        "ndcg_at_10": one.ndcg,
        "precision_at_10": one.precision,
        "recall_at_10": one.recall,
        **msgspec.structs.asdict(found.beyond),
    }


def _prequential(
    read: data_set.DataSet, given: training.Parameters, *, limit: int | None, threads: int, tell: prequential.Tell
) -> dict[str, dict[str, float]]:
    found = prequential.run(read, given, limit=limit, threads=threads, tell=tell)
    click.echo(f"{found.events:,} next items of {found.users:,} users; {found.rebuilds} trainings on the way")
    click.echo(f"{'':<14}{'hit rate@20':>12}{'nDCG@20':>10}")
    for name in found.hit_rate:
        click.echo(f"{name:<14}{found.hit_rate[name]:>12.4f}{found.ndcg[name]:>10.4f}")
    _beyond(found.beyond)
    return {
        "hit_rate_at_20": found.hit_rate,
        "ndcg_at_20": found.ndcg,
        "beyond": msgspec.structs.asdict(found.beyond),
    }


def _beyond(found: Beyond) -> None:
    click.echo(
        f"likeness within lists {found.intra_list_similarity:.3f}, catalogue covered {found.catalogue_coverage:.3f}, "
        f"mean item age {found.mean_item_age_days:,.0f} days, serendipity {found.serendipity:.3f}, "
        f"popularity lift {found.popularity_lift:.2f}"
    )
