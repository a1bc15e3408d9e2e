"""Balancers between clients and instances: real programs, round robin, without sticky sessions."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from processes import ROOT, free_port, start_service, takes_connections, until

# What nginx needs around the file, to run as anybody in a folder of its own.
NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/log;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {site}
}}
"""


def _configured(name: str, listen: str, here: str, addresses: Sequence[str]) -> str:
    """The file that users are given, with the addresses of a test."""
    text = (ROOT / "deploy" / "balancers" / name).read_text()
    assert listen in text
    text = text.replace(listen, here)
    for n, address in enumerate(addresses, 1):
        assert f"10.0.0.{n}:8080" in text
        text = text.replace(f"10.0.0.{n}:8080", address)
    return text


class Balancer:
    """`kind` is nginx or haproxy, for three instances at these addresses."""

    def __init__(self, kind: str, addresses: Sequence[str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"duragraph-{kind}-"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = self.folder / "config"
        if kind == "nginx":
            site = _configured("nginx.conf", "listen 80;", f"listen 127.0.0.1:{self.port};", addresses)
            config.write_text(NGINX.format(folder=self.folder, site=site))
            self._command = [kind, "-p", self.folder, "-c", config, "-e", self.folder / "log"]
        else:
            config.write_text(_configured("haproxy.cfg", "bind :80", f"bind 127.0.0.1:{self.port}", addresses))
            self._command = [kind, "-f", config]
        self._start()

    def _start(self) -> None:
        with (self.folder / "log").open("a") as log:
            self.process = start_service(*self._command, stdout=log, stderr=log)
        until(self._answers, lambda: f"an answer of {self._command[0]}\n{(self.folder / 'log').read_text()}")

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self.folder / "log").read_text()
        return takes_connections(self.port)

    def _stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    def restart(self) -> None:
        """All connections break."""
        self._stop()
        self._start()

    def close(self) -> None:
        self._stop()
        shutil.rmtree(self.folder, ignore_errors=True)
