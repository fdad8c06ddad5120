"""What a person may type or write in a file is used, or refused with one line: never a stack trace."""

from __future__ import annotations

import builtins
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from infra.cli import COMMANDS, main, sluice
from schemas.errors import InputError, SettingsError
from schemas.settings import Flink, Settings, read


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from commands(inner, (*path, name))


NUMBERS = [
    pytest.param(option, id=" ".join((*path, option.opts[0])))
    for path, command in commands(sluice)
    for option in command.params
    if isinstance(option.type, click.types.FloatParamType | click.types.IntParamType)
]


@pytest.mark.parametrize("option", NUMBERS)
@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", "-1", "-0.5", "much", ""])
def test_an_option_that_wants_a_number_takes_no_other(option: click.Option, text: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        option.type.convert(text, option, None)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("option", NUMBERS)
def test_the_default_of_a_number_is_within_its_bounds(option: click.Option) -> None:
    default = option.get_default(click.Context(click.Command("c")))
    if isinstance(default, int | float):
        assert option.type.convert(str(default), option, None) == default


@pytest.mark.parametrize("given", ["flink:8081", "http://flink:8081", "http://flink:8081/"])
def test_an_address_of_flink_may_be_written_as_people_write_it(given: str) -> None:
    assert Settings(flink=Flink(given)).flink.rest == "http://flink:8081"


BAD_ADDRESSES = [
    "foo",
    "foo:",
    ":8081",
    "foo:0",
    "foo:65536",
    "https://foo:8081",
    "http://foo",
    "foo:8081/jobs",
    "a b:1",
]


@pytest.mark.parametrize("given", BAD_ADDRESSES)
def test_another_address_of_flink_is_refused_at_the_command(given: str) -> None:
    with pytest.raises(InputError, match="is no address of Flink's REST interface; give HOST:PORT, without https"):
        CliRunner().invoke(sluice, ["submit", "score_transactions", "--flink", given], catch_exceptions=False)


@pytest.mark.parametrize("given", BAD_ADDRESSES)
def test_another_address_of_flink_is_refused_in_the_file_by_its_key(tmp_path, given: str) -> None:
    file = tmp_path / "sluice.toml"
    file.write_text(f'[flink]\nrest = "{given}"\n')
    with pytest.raises(SettingsError, match=r"sluice.toml: .* is no address .*`\$\.flink`"):
        read(file)


def test_a_settings_file_that_is_no_text_is_refused_in_one_line(tmp_path) -> None:
    file = tmp_path / "sluice.toml"
    file.write_bytes("# Zürich".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"sluice.toml: 'utf-8' codec can't decode .*; save it as UTF-8") as caught:
        read(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flink_metrics_first = 65535", r"port 65536 of ports\.flink_metrics_first \+ 1 is above 65535; set .* lower"),
        ("kafka = 6379", r"ports\.kafka and ports\.redis have the same port 6379; give each its own"),
        (
            "flink_metrics_first = 9086",
            r"ports\.prometheus and ports\.flink_metrics_first \+ 4 have the same port 9090; give each its own",
        ),
    ],
)
def test_ports_of_the_stack_that_can_not_all_be_had_are_refused_by_name(tmp_path, text: str, said: str) -> None:
    file = tmp_path / "sluice.toml"
    file.write_text(f"[stack.ports]\n{text}\n")
    with pytest.raises(SettingsError, match=rf"sluice.toml: {said} - at `\$\.stack`"):
        read(file)


def test_the_last_ports_that_fit_are_taken(tmp_path) -> None:
    file = tmp_path / "sluice.toml"
    file.write_text("[stack]\ntask_managers = 2\n[stack.ports]\nflink_metrics_first = 65533\n")
    assert read(file).stack.ports.flink_metrics_first == 65533


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_whose_packages_are_not_installed_names_them_and_the_way_to_get_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """As on a machine with the light client only."""
    module = f"infra.cli.{name.replace('-', '_')}"
    monkeypatch.delitem(sys.modules, module, raising=False)
    load = builtins.__import__

    def without_numpy_and_the_like(wanted: str, *rest: object, **more: object) -> object:
        if wanted == "click":
            raise ModuleNotFoundError("No module named 'rich'", name="rich")
        return load(wanted, *rest, **more)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(builtins, "__import__", without_numpy_and_the_like)
    monkeypatch.setattr(sys, "argv", ["sluice", name])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        f"sluice: `sluice {name}` needs rich: pip install 'sluice[local] @ file:///PATH/TO/WHEEL', "
        "with the wheel that `uv build --wheel` makes\n"
    )


def test_the_demo_begins_without_what_only_training_and_learning_need() -> None:
    code = "import sys, infra.cli.demo; print(sorted({'river', 'sklearn', 'xgboost'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
