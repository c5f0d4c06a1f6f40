"""Shares the traffic among the instances: a real nginx, and the targets for Prometheus."""

import json
import os
import signal
from pathlib import Path

from deploy.local import processes, programs

_CONFIG = """\
{user}daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log warn;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream pravado_api {{
    least_conn;
{servers}
    keepalive 16;
    keepalive_timeout 3s; # less than the instances', so that none is closed under a request
  }}
  server {{
    listen 127.0.0.1:{port};
    location = /metrics {{ return 404; }}
    location / {{
      proxy_pass http://pravado_api;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_connect_timeout 1s;
      proxy_read_timeout 15s;
      proxy_next_upstream error timeout;
      proxy_next_upstream_tries 3;
    }}
  }}
}}
"""


class Balancer:
    """One nginx in front of the instances that accept connections."""

    def __init__(self, folder: Path, port: int, targets: Path) -> None:
        """Describe the balancer; nothing starts yet.

        Args:
            folder: Where it writes.
            port: Where it listens.
            targets: The file in which Prometheus reads what to scrape.
        """
        self.folder = folder
        self.port = port
        self.targets = targets
        self._child = processes.Child(
            "nginx",
            [
                *(programs.nginx(), "-p", str(folder), "-e", str(folder / "nginx-error.log")),
                *("-c", str(folder / "nginx.conf")),
            ],
            log=folder / "nginx.log",
            ready=processes.listens(port),
        )

    async def start(self) -> None:
        """Start without anybody to send traffic to."""
        await self.share([])
        await self._child.start()

    async def share(self, ports: list[int]) -> None:
        """Send traffic to these ports from now on."""
        # A refused connection goes to the next at once. Shutting an instance out for it as well
        # would leave nobody when the second one of two is restarted just after the first.
        servers = [f"server 127.0.0.1:{port} max_fails=0;" for port in ports]
        text = _CONFIG.format(
            # Root's data folder is closed to nobody, whom nginx would work as.
            user="user root;\n" if os.geteuid() == 0 else "",
            folder=self.folder,
            port=self.port,
            servers="\n".join(servers or ["server 127.0.0.1:1 down;"]),
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        _put(self.folder / "nginx.conf", text)
        scraped = {
            "targets": [f"127.0.0.1:{port}" for port in ports],
            "labels": {"service": "pravado-api"},
        }
        _put(self.targets, json.dumps([scraped]))
        if self._child.running:
            os.kill(self._child.pid, signal.SIGHUP)

    async def stop(self) -> None:
        """End it at once."""
        await self._child.stop()


def _put(path: Path, text: str) -> None:
    """Write a file that is never seen half written."""
    arriving = path.with_suffix(".part")
    arriving.write_text(text)
    arriving.replace(path)
