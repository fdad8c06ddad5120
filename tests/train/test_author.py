"""Who trains, promotes and steers has a name wherever it runs."""

from __future__ import annotations

import getpass
import os

import pytest

from infra.author import author


def test_the_user_is_named(monkeypatch):
    monkeypatch.setenv("LOGNAME", "ada")
    assert author() == "ada"


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("no username")])
def test_a_user_without_a_name_is_its_uid(monkeypatch, error):
    def nameless() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", nameless)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    assert author() == "uid 54321"
