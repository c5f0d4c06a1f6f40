"""What a person types in more than one incident."""

from __future__ import annotations

LOOK_AT_API = """\
pm2 list                                      # on the API host: instances, restarts, memory
pm2 logs pravado-api --lines 100 --nostream   # before any restart
psql "$DATABASE_URL" -c "SELECT now()"
"""
FLAG = '{"message": "Back soon.", "holders": {"by-hand": {"until": "2026-11-23T04:00:00Z"}}}'
"""The maintenance page, on until then, as the Worker at the edge reads it."""
MAINTENANCE = f"""\
# the maintenance page, until a time of your choice (UTC); it then opens if the API answers:
npx wrangler kv key put --remote --namespace-id "$KV_NAMESPACE" maintenance \\
  '{FLAG}'
npx wrangler kv key delete --remote --namespace-id "$KV_NAMESPACE" maintenance   # off
"""
