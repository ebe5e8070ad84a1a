"""nginx and coturn, as they stand for the services out there that tell an address."""

import os
import re
import signal
import subprocess

import netns

NGINX = """\
daemon off;
master_process off;
pid {dir}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    ssl_certificate {tls}/server.crt;
    ssl_certificate_key {tls}/server.key;
    default_type text/plain;
    server {{
        {listen}
        location / {{ return 200 $remote_addr; }}
        location /json {{
            default_type application/json;
            return 200 '{{"ip": "$remote_addr"}}';
        }}
        location /trace {{ return 200 "fl=1\\nip=$remote_addr\\nloc=XX\\n"; }}
    }}
    server {{
        listen {gandi}:443 ssl;
        location / {{
            proxy_pass https://127.0.0.1:{port};
            proxy_set_header Host $host;
        }}
    }}
}}
"""


class Servers:
    """Processes that end with the test; what they said is shown if one does not start."""

    def __init__(self, directory):
        self._directory = directory
        self._processes = []
        self._listening = {443: 0, 3478: 0}     # sockets of IPv4 that there will be

    def start(self, name, *command):
        with open(self._directory / f"{name}.log", "wb") as log:
            self._processes.append((name, subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self._directory,
                env={"PATH": os.environ["PATH"]})))

    def nginx(self, tls, echo, gandi, port):
        """Echo services on these addresses; the sandbox at this port appears on one more."""
        config = self._directory / "nginx.conf"
        config.write_text(NGINX.format(
            dir=self._directory, tls=tls, gandi=gandi, port=port,
            listen="\n".join(f"listen {address}:443 ssl;" for address in echo)))
        self.start("nginx", netns.need_program("nginx", "nginx-light"), "-e", "stderr", "-p",
                   str(self._directory), "-c", str(config))
        self._listening[443] += sum("[" not in address for address in (*echo, gandi))

    def coturn(self, *addresses):
        """A STUN server on each of these, over UDP and TCP."""
        turnserver = netns.need_program("turnserver", "coturn")
        for i, address in enumerate(addresses):
            self.start(f"coturn{i}", turnserver, "-n", "-S", "--no-cli", "-L", address, "-p",
                       "3478", "--no-tls", "--no-dtls", "--log-file", "stdout", "--simple-log",
                       "--pidfile", str(self._directory / f"coturn{i}.pid"),
                       "--db", str(self._directory / f"coturn{i}.db"))
        self._listening[3478] += sum(":" not in address for address in addresses)

    def up(self, space):
        """All of them run, and listen in their namespace."""
        self.check()
        tcp = netns.run("ip", "netns", "exec", space.name, "cat", "/proc/net/tcp")
        return all(len(re.findall(rf":{port:04X} 0{{8}}:0000 0A", tcp)) >= count
                   for port, count in self._listening.items())

    def check(self):
        for name, process in self._processes:
            assert process.poll() is None, \
                f"{name} ended:\n{(self._directory / f'{name}.log').read_text()}"
        return True

    def stop(self):
        for _, process in self._processes:
            process.send_signal(signal.SIGTERM)
        for _, process in self._processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def sources(echo, stun):
    """Five operators, as esddns.yaml names them: three of HTTPS in each format, two of STUN."""
    v4 = {"family": "ipv4"}
    return [{"operator": "nginx1", "url": f"https://{echo[0]}/"} | v4,
            {"operator": "nginx2", "url": f"https://{echo[1]}/json", "format": "json",
             "key": "ip"} | v4,
            {"operator": "nginx3", "url": f"https://{echo[2]}/trace", "format": "trace"} | v4,
            {"operator": "coturn1", "url": f"stun:{stun[0]}:3478"} | v4,
            {"operator": "coturn2", "url": f"stun-tcp:{stun[1]}:3478"} | v4]
