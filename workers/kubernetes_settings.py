"""Settings of a platform whose API runs under Kubernetes."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from workers.sections import Section


class KubernetesSettings(Section):
    """The cluster; the Deployment is called as the application is, `given.app`."""

    kubeconfig: Path | None = None
    """Left out: the service account of the pod that the worker runs in."""
    context: str = Field(default="", max_length=200)
    """Of the kubeconfig; empty is its current one."""
    namespace: str = Field(default="", pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$")
    """Empty is that of the context, or of the pod."""
    container: str = Field(default="", pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$")
    """Which one is the application's, where a pod has several."""
