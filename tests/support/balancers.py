"""Balancers between clients and instances: real programs, round robin, without sticky sessions."""

from __future__ import annotations

import ctypes
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from processes import free_port, until

_libc = ctypes.CDLL(None)

NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/log;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream instances {{ {servers} keepalive 16; }}
  server {{
    listen 127.0.0.1:{port};
    client_max_body_size 0;
    location / {{
      proxy_pass http://instances;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_buffering off;
      proxy_request_buffering off;
      proxy_read_timeout 600s;
      proxy_connect_timeout 1s;
      proxy_next_upstream error timeout http_503;
    }}
  }}
}}
"""

HAPROXY = """
global
  maxconn 4096
defaults
  mode http
  timeout connect 1s
  timeout client 600s
  timeout server 600s
  timeout tunnel 600s
  retries 3
  option redispatch
  retry-on conn-failure 503
frontend clients
  bind 127.0.0.1:{port}
  default_backend instances
backend instances
  http-request disable-l7-retry if METH_POST
  balance roundrobin
  option httpchk GET /readyz
  default-server check inter 200ms fall 1 rise 1
{servers}
"""


def _program(name: str) -> str:
    found = shutil.which(name) or f"/usr/sbin/{name}"
    assert Path(found).exists(), f"there is no {name} here: scripts/install-deps.sh installs one"
    return found


class Balancer:
    """`kind` is nginx or haproxy. nginx passes a read that an instance refused as not ready on to the next;
    haproxy asks /readyz by itself."""

    def __init__(self, kind: str, ports: Sequence[int]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"duragraph-{kind}-"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = self.folder / "config"
        if kind == "nginx":
            servers = " ".join(f"server 127.0.0.1:{port} max_fails=1 fail_timeout=1s;" for port in ports)
            config.write_text(NGINX.format(folder=self.folder, port=self.port, servers=servers))
            command = [_program(kind), "-p", str(self.folder), "-c", str(config), "-e", str(self.folder / "log")]
        else:
            servers = "\n".join(f"  server i{n} 127.0.0.1:{port}" for n, port in enumerate(ports))
            config.write_text(HAPROXY.format(port=self.port, servers=servers))
            command = [_program(kind), "-f", str(config)]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=_die_with_parent)
        until(self._answers, lambda: f"an answer of {kind}\n{(self.folder / 'log').read_text()}")

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _die_with_parent() -> None:
    _libc.prctl(1, signal.SIGTERM)
