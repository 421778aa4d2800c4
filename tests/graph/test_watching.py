"""The live view: what it sees of a training, and that it leaves nothing behind."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest

import microgad as torch
from microgad import state
from microgad.autograd.function_hooks import CountHook
from microgad.graph import watch

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


def test_the_graph_is_that_of_one_step_without_what_lies_between():
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


def test_a_gradient_of_a_gradient_is_within_its_step():
    model, x = model_and_data()
    x.requires_grad_()
    with watch(model) as live:
        for _ in range(2):
            (grad,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
            grad.square().sum().backward()
    assert len(live.steps) == 2


def test_a_backward_that_is_recorded_itself_is_one_step():
    old = torch.nn.Parameter(torch.ones(2))
    before = old.exp()
    new = torch.nn.Parameter(torch.ones(2))  # gets its gradient first; derivatives of what was before it come after
    with watch({"old": old, "new": new}) as live:
        (before * new).square().sum().backward(create_graph=True)
    norms = {"old": old.grad.norm().item(), "new": new.grad.norm().item()}
    assert [step["norms"] for step in live.steps] == [pytest.approx(norms, rel=1e-4)]


def test_a_function_of_the_users_is_one_operation():
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


def test_it_serves_the_page_and_what_is_new():
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
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(f"{live.url}secrets")


def test_it_answers_nobody_who_came_by_another_name():
    model, _ = model_and_data()
    with watch(model) as live:
        connection = http.client.HTTPConnection(urlsplit(live.url).netloc, timeout=10)
        connection.request("GET", "/", headers={"Host": "evil.example:80"})
        assert connection.getresponse().status == 403
        connection.close()


def test_it_leaves_nothing_behind():
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


def test_an_error_in_the_block_closes_it_too():
    model, _ = model_and_data()
    before = state.current().observer
    with pytest.raises(KeyError), watch(model):
        raise KeyError
    assert state.current().observer is before


def test_a_record_inside_and_a_record_outside_see_the_same():
    model, x = model_and_data()
    with torch.record() as outer, watch(model) as live:
        with torch.record() as inner:
            model(x).mean().backward()
        model(x).mean().backward()
    assert len(live.steps) == 2
    assert [op.name for op in inner] == ["Linear", "Tanh", "Linear", "Mean"]
    assert len(outer) == 8


def test_it_saves_a_page_with_its_history(tmp_path):
    model, x = model_and_data()
    with watch({"w": model[0].weight}) as live:
        for _ in range(3):
            model(x).mean().backward()
        live.save(tmp_path / "run.html")
    text = (tmp_path / "run.html").read_text()
    assert '"label":"step 1"' in text
    assert "connect-src 'none'" in text
    assert '"live":false' in text


def test_what_can_not_be_watched_is_refused():
    with pytest.raises(ValueError, match="every must be at least 1, got 0"):
        watch(torch.nn.Linear(1, 1), every=0)
    with pytest.raises(TypeError, match="must be a module or a dict"):
        watch(3)
    model, _ = model_and_data()
    with watch(model) as live, pytest.raises(OSError, match="in use"):
        watch(model, port=int(urlsplit(live.url).port))
    assert not any(p._post_accumulate_grad_hooks for p in model.parameters())


def test_nothing_of_it_is_loaded_before_it_is_asked_for():
    program = (
        "import sys, microgad.graph as graph; graph.watch; "
        "print([name for name in ('http.server', 'json', 'webbrowser', 'microgad.graph.pages.page') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_it_may_begin_between_forward_and_backward():
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


def test_norms_of_half_gradients_are_as_large_as_they_are():
    model = torch.nn.Linear(300, 1).half()
    with watch(model) as live:
        model(torch.full((1, 300), 200.0).half()).sum().backward()
    assert live.steps[0]["norms"] == {"weight": pytest.approx(200 * 300**0.5, rel=1e-3), "bias": 1.0}


def test_browsers_that_go_away_and_strange_questions_leave_the_output_clean(capfd):
    model, x = model_and_data()
    with watch(model) as live:
        model(x).sum().backward()
        port = urlsplit(live.url).port
        for _ in range(3):
            asking = socket.create_connection(("127.0.0.1", port))
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing resets
            asking.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n")
            asking.close()
        assert json.loads(get(f"{live.url}steps?after=%C2%B3"))["open"]
        for thread in threading.enumerate():
            if "process_request_thread" in thread.name:
                thread.join(10)
    assert capfd.readouterr().err == ""


def test_what_was_around_it_may_end_before():
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
