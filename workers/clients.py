"""Clients that are made of several settings: for the worker, and for whoever looks after them."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx

from activities.alertmanager import Alertmanager
from activities.prometheus_api import PrometheusApi
from activities.ssh import Login, Ssh
from workers.sections import AlertmanagerSettings, HostSettings, PrometheusSettings
from workers.settings import SettingsWrong, variable


def prometheus_api(section: PrometheusSettings) -> PrometheusApi | None:
    """Make the client of Prometheus; None where it is not set up."""
    if not section.url:
        return None
    if section.authority is not None:
        _there(section.authority, "prometheus", "authority", certificate=True)
    return PrometheusApi(
        section.url,
        token=section.token if section.token.get_secret_value() else None,
        basic=(section.user, section.password) if section.user else None,
        authority=section.authority,
    )


def alertmanager(section: AlertmanagerSettings, http: httpx.AsyncClient) -> Alertmanager | None:
    """Make the client of Alertmanager; None where it is not set up."""
    if not section.url:
        return None
    token = section.api_token if section.api_token.get_secret_value() else None
    basic = (section.api_user, section.api_password) if section.api_user else None
    return Alertmanager(http, section.url, token=token, basic=basic)


def ssh(section: HostSettings) -> Ssh | None:
    """Make the way to the API's host; None where it is not set up."""
    if not (section.address and section.key_file and section.known_hosts_file):
        return None
    _there(section.key_file, "host", "key_file")
    _there(section.known_hosts_file, "host", "known_hosts_file")
    return Ssh(
        Login(
            host=section.address,
            user=section.user,
            key=section.key_file,
            known_hosts=section.known_hosts_file,
            port=section.port,
        )
    )


def _there(path: Path, *setting: str, certificate: bool = False) -> None:
    """Make sure that a file can be read: each use would fail on it, in the night it is needed."""
    try:
        with path.open("rb"):
            if certificate:
                ssl.create_default_context(cafile=path)
    except OSError as error:
        wrong = "holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise SettingsWrong(f"{'.'.join(setting)}: {wrong} ({variable(*setting)})") from None
