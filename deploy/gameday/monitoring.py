"""How Prometheus and Alertmanager watch the game day's platform."""

from pathlib import Path

import yaml

from deploy.gameday.exporting import scraped

ENVIRONMENT = "gameday"

RULES_FILE = "rules.yml"
TOKEN_FILE = "token"  # noqa: S105 (the name of the file)


def prometheus(alertmanager_port: int, targets: Path, exporter_port: int) -> str:
    """Write Prometheus's configuration: the API's instances, and what the exporter measures."""
    return _yaml(
        {
            "global": {
                "scrape_interval": "1s",
                "scrape_timeout": "1s",
                "evaluation_interval": "1s",
                "external_labels": {"environment": ENVIRONMENT},
            },
            "rule_files": [RULES_FILE],
            "alerting": {
                "alertmanagers": [
                    {"static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]}
                ]
            },
            "scrape_configs": [
                {
                    "job_name": "pravado-api",
                    "file_sd_configs": [{"files": [str(targets)], "refresh_interval": "1s"}],
                },
                *scraped(exporter_port),
            ],
        }
    )


def alertmanager(webhook_url: str | None, folder: Path) -> str:
    """Write Alertmanager's configuration; without a webhook it tells nobody."""
    receiver: dict[str, object] = {"name": "responder"}
    if webhook_url:
        receiver["webhook_configs"] = [
            {
                "url": webhook_url,
                "send_resolved": True,
                "max_alerts": 0,
                "http_config": {
                    "authorization": {
                        "type": "Bearer",
                        "credentials_file": str(folder / TOKEN_FILE),
                    }
                },
            }
        ]
    return _yaml(
        {
            "route": {
                "receiver": "responder",
                "group_by": ["..."],
                "group_wait": "0s",
                "group_interval": "1s",
                "repeat_interval": "1m",
            },
            "receivers": [receiver],
        }
    )


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False)
