"""Flink's REST interface: one question, one answer, and errors of ours when there is none."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from schemas.errors import PartFailedError, UnansweredError
from schemas.settings import Settings

# A JobManager that shares two busy cores with its jobs was seen to need seconds. One that is gone refuses at once.
TIMEOUT_S = 10.0


def ask(settings: Settings, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
    """The JSON that the JobManager answers to a GET, to a POST of `body`, or to `method`.

    Raises UnansweredError when it is not there, too slow or still starting, PartFailedError when it refuses, or when
    somebody else answers.
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310  the cluster's own http address
        settings.flink.rest + path, data, {"Content-Type": "application/json"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310  the cluster's own http address
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        said = " ".join(error.read().decode(errors="replace").split())[:300]
        # While it elects itself leader it answers 503.
        if error.code == http.client.SERVICE_UNAVAILABLE:
            raise _unanswered(settings, said) from error
        raise PartFailedError(f"Flink at {settings.flink.rest} refused {path}: {said}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _unanswered(settings, str(error)) from error
    except ValueError as error:
        raise _other(settings, f"{path} is no JSON") from error


def ask_for(settings: Settings, path: str, name: str) -> Any:
    """What the answer to a GET holds under `name`.

    Raises what `ask` raises, and PartFailedError when the answer holds nothing under it.
    """
    answer = ask(settings, path)
    if not isinstance(answer, dict) or name not in answer:
        raise _other(settings, f"{path} has no {name}")
    return answer[name]


def _other(settings: Settings, why: str) -> PartFailedError:
    address = settings.flink.rest.removeprefix("http://")
    return PartFailedError(
        f"{address} is not Flink's REST interface: {why}; give its address as [flink] rest, or with --flink"
    )


def _unanswered(settings: Settings, why: str) -> UnansweredError:
    return UnansweredError(
        f"Flink at {settings.flink.rest} does not answer ({' '.join(why.split())}); see `sluice doctor`, or `sluice up`"
    )
