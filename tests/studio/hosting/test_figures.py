"""Figures for Prometheus."""

import re
import socket

import httpx
import pytest

from var_studio.hosting.figures import Figures


def test_figures_are_served_at_a_port_of_this_machine():
    figures = Figures()
    figures.refused("route")
    figures.watch("queue", "Events that wait", lambda: 7)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = figures.serve(str(port))
    try:
        told = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        assert server.server_address[0] == "127.0.0.1"
    finally:
        server.shutdown()
        server.server_close()
    assert 'var_studio_refusals_total{kind="route"} 1.0' in told
    assert "var_studio_queue 7.0" in told
    assert re.search(r"^process_resident_memory_bytes [1-9]", told, re.MULTILINE)


def test_two_apps_count_for_themselves():
    one, other = Figures(), Figures()
    one.refused("route")
    assert one.registry.get_sample_value("var_studio_refusals_total", {"kind": "route"}) == 1
    assert other.registry.get_sample_value("var_studio_refusals_total", {"kind": "route"}) is None


@pytest.mark.parametrize("place", ["", "http", "elsewhere:80", "99999999", "256.1.1.1:9000"])
def test_a_place_that_is_none_is_refused_in_words(place: str):
    with pytest.raises(ValueError, match="give --metrics a free PORT"):
        Figures().serve(place)


def test_a_port_in_use_is_refused_in_words():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(ValueError, match="Address already in use"):
            Figures().serve(str(taken.getsockname()[1]))
