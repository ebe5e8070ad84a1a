"""Requests a second of webd beside nginx, each alone on the same core; wrk has the other one."""

import contextlib
import os
import pathlib
import re
import statistics
import subprocess
import tempfile

import esddns
import procfs
import webclient
from figures import Figure
from waiting import wait_for

LIMIT_RATIO = 1.0
CONNECTIONS = 16
NEEDED = {"nginx": "nginx-light", "wrk": "wrk", "taskset": "util-linux"}

NGINX = """\
daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000000;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {dir};
        default_type text/plain;
    }}
}}
"""


@contextlib.contextmanager
def _nginx(files, core):
    """Serves these {name: bytes}, on that core; its port."""
    port = esddns.free_ports(1)[0]
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        directory = pathlib.Path(name)
        directory.chmod(0o755)      # the worker is another user
        for file, data in files.items():
            (directory / file).write_bytes(data)
        (directory / "nginx.conf").write_text(NGINX.format(dir=directory, port=port),
                                              encoding="ascii")
        process = stack.enter_context(subprocess.Popen(
            ["taskset", "-c", str(core), "nginx", "-e", "stderr", "-p", name, "-c",
             str(directory / "nginx.conf")], stdin=subprocess.DEVNULL))
        stack.callback(process.terminate)
        for file, data in files.items():
            wait_for(lambda: webclient.ask(port, f"/{file}").status, "nginx answers")
            answer = webclient.ask(port, f"/{file}")
            assert (answer.status, answer.body) == (200, data), f"nginx does not serve {file}"
        yield port


def _requests(url, core, seconds):
    """Requests a second, by wrk; no error is accepted."""
    text = subprocess.run(["taskset", "-c", str(core), "wrk", "-t1", f"-c{CONNECTIONS}",
                           f"-d{seconds}s", url], stdout=subprocess.PIPE, check=True).stdout.decode()
    assert "Socket errors" not in text and "Non-2xx" not in text, text
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", text)[1])


def _compare(bench, ours, theirs, core, runs, seconds):
    """[(our requests a second, theirs)] in turn, so that a change of the machine meets both."""
    results = []
    for _ in range(runs):
        bench.quiet()
        results.append((_requests(ours, core, seconds), _requests(theirs, core, seconds)))
    return results


def measure(bench, runs, seconds):
    cores = sorted(os.sched_getaffinity(0))
    server, wrk = cores[0], cores[1] if len(cores) > 1 else cores[0]
    figures = []
    with bench.system() as system:
        system.start()
        system.wait_in_sync()
        procfs.pin(system.units()["webd"], server)
        files = {path: webclient.ask(system.port, f"/{path}").body for path in ("raw", "metrics")}
        with _nginx(files, server) as port:
            for path, data in files.items():
                pairs = _compare(bench, f"http://127.0.0.1:{system.port}/{path}",
                                 f"http://127.0.0.1:{port}/{path}", wrk, runs, seconds)
                ours, theirs = (statistics.median(x) for x in zip(*pairs))
                ratios = sorted(a / b for a, b in pairs)
                figures += [
                    Figure(f"/{path} ({len(data)} bytes)", ours, "/s"),
                    Figure("nginx, a file of that size", theirs, "/s"),
                    Figure(f"/{path} to nginx, median of {runs}", statistics.median(ratios),
                           "times", LIMIT_RATIO, at_least=True,
                           note=f"lowest {ratios[0]:.2f}, highest {ratios[-1]:.2f}")]
    return ("Requests a second", f"{CONNECTIONS} connections kept open, {seconds} s a run, server "
            f"on core {server}, wrk on core {wrk}", figures)


