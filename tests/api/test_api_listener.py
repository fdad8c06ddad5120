"""The API's socket."""

import socket

from infra.cli import api


def test_answers_do_not_wait_for_an_acknowledgement():
    with api._bound(0) as listener, socket.create_connection(listener.getsockname()):
        served, _ = listener.accept()
        with served:
            assert served.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
