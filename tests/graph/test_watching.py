"""`watch`: what the live view sees of a training, its server, and that it cleans up."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest

import microgad as torch
from microgad import state
from microgad.autograd.function_hooks import CountHook
from microgad.graph import watch

from ..processes import output_of

F = torch.nn.functional


def model_and_data():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)), torch.randn(5, 3)


def get(url: str):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def test_losses_and_gradient_norms_are_those_of_the_training():
    model, x = model_and_data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses, norms = [], []
    with watch(model) as live:
        for _ in range(4):
            optimizer.zero_grad()
            loss = model(x).square().mean().sqrt()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            norms.append({name: p.grad.norm().item() for name, p in model.named_parameters()})
            with torch.no_grad():
                model(x).sum()
    assert [step["loss"] for step in live.steps] == pytest.approx(losses, rel=1e-4)
    for step, expected in zip(live.steps, norms, strict=True):
        assert step["norms"] == pytest.approx(expected, rel=1e-4)


def test_the_graph_of_a_step_leaves_out_operations_between_steps():
    model, x = model_and_data()
    with watch(model, every=2) as live:
        for _ in range(3):
            model(x).mean().backward()
            with torch.no_grad():
                model(x).exp()
        data = json.loads(get(f"{live.url}steps"))
    assert [op["name"] for op in live._history.graph["ops"]] == ["Linear", "Tanh", "Linear", "Mean"]
    assert ["ops" in step for step in data["steps"]] == [True, False]
    assert ["ops" in step for step in live._history.after(-1)] == [True, False, True]
    assert data["steps"][0]["ops"][0]["gradients"][0]["size"] == 20


def test_a_second_derivative_belongs_to_the_same_step():
    model, x = model_and_data()
    x.requires_grad_()
    with watch(model) as live:
        for _ in range(2):
            (grad,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
            grad.square().sum().backward()
    assert len(live.steps) == 2


def test_a_backward_with_create_graph_is_one_step():
    old = torch.nn.Parameter(torch.ones(2))
    before = old.exp()
    new = torch.nn.Parameter(torch.ones(2))  # it gets its gradient before the operations that are older than it
    with watch({"old": old, "new": new}) as live:
        (before * new).square().sum().backward(create_graph=True)
    norms = {"old": old.grad.norm().item(), "new": new.grad.norm().item()}
    assert [step["norms"] for step in live.steps] == [pytest.approx(norms, rel=1e-4)]


def test_an_autograd_function_is_one_operation():
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return (x + x).exp().log()

        @staticmethod
        def backward(ctx, grad):
            return 2 * grad

    model, x = model_and_data()
    with watch(model) as live:
        Twice.apply(model(x)).sum().backward()
    assert [op["name"] for op in live._history.graph["ops"]] == ["Linear", "Tanh", "Linear", "Twice", "Sum"]


def test_the_server_sends_the_page_and_new_steps():
    model, x = model_and_data()
    with watch(model) as live:
        assert "Waiting for the first step" in get(live.url)
        for _ in range(3):
            model(x).mean().backward()
        news = json.loads(get(f"{live.url}steps?after=0"))
        assert [step["number"] for step in news["steps"]] == [1]
        assert news["recorded"]
        assert news["open"]
        assert "connect-src 'self'" in get(live.url)
        assert json.loads(get(f"{live.url}steps?after=nonsense"))["steps"]
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            get(f"{live.url}secrets")
        refused.value.close()


def test_the_server_refuses_a_foreign_host_header():
    model, _ = model_and_data()
    with watch(model) as live:
        connection = http.client.HTTPConnection(urlsplit(live.url).netloc, timeout=10)
        connection.request("GET", "/", headers={"Host": "evil.example:80"})
        assert connection.getresponse().status == 403
        connection.close()


def test_close_removes_observer_threads_hooks_and_server():
    model, x = model_and_data()
    before = state.current().observer, set(threading.enumerate())
    live = watch(model)
    model(x).mean().backward()
    live.close()
    live.close()
    assert (state.current().observer, set(threading.enumerate())) == before
    assert not any(p._post_accumulate_grad_hooks for p in model.parameters())
    with pytest.raises(urllib.error.URLError):
        get(live.url)
    model(x).mean().backward()
    assert len(live.steps) == 1
    again = watch(model, port=int(urlsplit(live.url).port))  # the port is free
    again.close()


def test_an_error_in_the_with_block_closes_the_live_view():
    model, _ = model_and_data()
    before = state.current().observer
    with pytest.raises(KeyError), watch(model):
        raise KeyError
    assert state.current().observer is before


def test_record_works_inside_and_outside_of_watch():
    model, x = model_and_data()
    with torch.record() as outer, watch(model) as live:
        with torch.record() as inner:
            model(x).mean().backward()
        model(x).mean().backward()
    assert len(live.steps) == 2
    assert [op.name for op in inner] == ["Linear", "Tanh", "Linear", "Mean"]
    assert len(outer) == 8


def test_save_writes_a_page_with_the_history(tmp_path):
    model, x = model_and_data()
    with watch({"w": model[0].weight}) as live:
        for _ in range(3):
            model(x).mean().backward()
        live.save(tmp_path / "run.html")
    text = (tmp_path / "run.html").read_text()
    assert '"label":"step 1"' in text
    assert "connect-src 'none'" in text
    assert '"live":false' in text


def test_invalid_arguments_of_watch_are_refused():
    with pytest.raises(ValueError, match="every must be at least 1, got 0"):
        watch(torch.nn.Linear(1, 1), every=0)
    with pytest.raises(TypeError, match="must be a module or a dict"):
        watch(3)
    model, _ = model_and_data()
    with watch(model) as live, pytest.raises(OSError, match="in use"):
        watch(model, port=int(urlsplit(live.url).port))
    assert not any(p._post_accumulate_grad_hooks for p in model.parameters())


def test_the_server_is_imported_only_when_watch_is_called():
    program = (
        "import sys, microgad.graph as graph; graph.watch; "
        "print([name for name in ('http.server', 'json', 'webbrowser', 'microgad.graph.pages.page') "
        "if name in sys.modules])"
    )
    assert output_of(program) == "[]\n"


def test_watch_may_begin_between_forward_and_backward():
    model, x = model_and_data()
    loss = model(x).mean()
    with watch(model, every=2) as live:
        loss.backward()
        for _ in range(3):
            model.zero_grad()
            model(x).mean().backward()
        data = json.loads(get(f"{live.url}steps"))
    norms = {name: p.grad.norm().item() for name, p in model.named_parameters()}
    assert [step["norms"] for step in live.steps] == [pytest.approx(norms, rel=1e-4)] * 4
    sources = [source["name"] for source in live._history.graph["sources"]]
    for step in data["steps"]:
        assert step["norms"] == [pytest.approx(norms[name], rel=1e-4) if name in norms else None for name in sources]


def test_norms_of_float16_gradients_do_not_overflow():
    model = torch.nn.Linear(300, 1).half()
    with watch(model) as live:
        model(torch.full((1, 300), 200.0).half()).sum().backward()
    assert live.steps[0]["norms"] == {"weight": pytest.approx(200 * 300**0.5, rel=1e-3), "bias": 1.0}


def test_aborted_connections_and_invalid_queries_print_nothing(capfd):
    model, x = model_and_data()
    with watch(model) as live:
        model(x).sum().backward()
        port = urlsplit(live.url).port
        for _ in range(3):
            client = socket.create_connection(("127.0.0.1", port))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close() resets it
            client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n")
            client.close()
        assert json.loads(get(f"{live.url}steps?after=%C2%B3"))["open"]
        for thread in threading.enumerate():
            if "process_request_thread" in thread.name:
                thread.join(10)
    assert capfd.readouterr().err == ""


def test_an_outer_observer_may_end_before_watch():
    model, x = model_and_data()
    counts = CountHook().__enter__()
    live = watch(model)
    model(x).sum().backward()
    counts.__exit__()
    before = counts.calls.total()
    model(x).sum().backward()
    live.close()
    model(x).sum().backward()
    assert (counts.calls.total(), before, len(live.steps)) == (4, 4, 2)
    assert state.current().observer is None
