// Shows users a maintenance page while an incident holds the edge closed, and lets them back in
// by shares. The responder writes the flag that this reads (activities/edge.py); without a flag,
// or with one that cannot be read, everything goes to the origin: this must never be the outage.
//
// Bindings (wrangler.toml): MAINTENANCE, the KV namespace; BYPASS_SECRET, a secret; FLAG_KEY,
// HEALTH_PATH and WEBHOOK_PATHS, plain variables.

const SHOWN_BY = "x-maintenance";
const BUCKETS = 10000;
const COOKIE = "edge_bucket";
const RETRY_AFTER = "60";
const HEALTH_MILLISECONDS = 5000;

let health = { at: -Infinity, good: false };

export default {
  async fetch(request, env) {
    return answer(request, env, Date.now(), (ask) => fetch(ask));
  },
};

export async function answer(request, env, now, origin) {
  const flag = await read(env);
  const header = flag?.bypass_header ?? "x-maintenance-bypass";
  const bypasses = await same(request.headers.get(header), env.BYPASS_SECRET);
  const onwards = new Request(request);
  onwards.headers.delete(header); // a secret of ours, not of the origin's
  const holds = Object.values(flag?.holders ?? {});
  if (holds.length === 0 || bypasses) return origin(onwards);
  const holding = holds.filter((hold) => Date.parse(hold.until) > now);
  if (holding.length === 0) {
    // They ran out, and nobody took them away: it opens where the origin is there to be opened to.
    return (await originAnswers(request, env, now, origin)) ? origin(onwards) : page(request, flag);
  }
  const share = Math.min(...holding.map((hold) => hold.share));
  if (share >= 1) return origin(onwards);
  if (isWebhook(request, env)) return page(request, flag); // 503: its sender tries again
  const bucket = bucketOf(request);
  if (bucket / BUCKETS >= share) return page(request, flag);
  const answered = await origin(onwards);
  const kept = new Response(answered.body, answered);
  // Whoever was let in once stays in, whatever network the next request comes from.
  kept.headers.append("set-cookie", `${COOKIE}=${bucket}; Path=/; Max-Age=3600; Secure; HttpOnly`);
  return kept;
}

async function read(env) {
  try {
    // An edge keeps the value for KV's usual minute; an option that KV refused would open it.
    return await env.MAINTENANCE.get(env.FLAG_KEY ?? "maintenance", { type: "json" });
  } catch {
    return null;
  }
}

// Compares digests, all bytes of them: how long it takes says nothing of the secret.
async function same(shown, secret) {
  if (!shown || !secret) return false;
  const digest = (text) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const [a, b] = (await Promise.all([digest(shown), digest(secret)])).map((d) => new Uint8Array(d));
  return a.reduce((differing, byte, place) => differing | (byte ^ b[place]), 0) === 0;
}

async function originAnswers(request, env, now, origin) {
  if (now - health.at < HEALTH_MILLISECONDS) return health.good;
  try {
    const asked = new URL(env.HEALTH_PATH ?? "/healthz", request.url);
    const how = { redirect: "manual", signal: AbortSignal.timeout(3000) }; // a redirect is no 200
    const answered = await origin(new Request(asked, how));
    health = { at: now, good: answered.status === 200 };
  } catch {
    health = { at: now, good: false };
  }
  return health.good;
}

function isWebhook(request, env) {
  const path = new URL(request.url).pathname;
  const begins = (env.WEBHOOK_PATHS ?? "/webhooks/,/api/webhooks/").split(",");
  return begins.some((begin) => begin && path.startsWith(begin.trim()));
}

function bucketOf(request) {
  const found = /(?:^|;\s*)edge_bucket=(\d{1,4})(?:;|$)/.exec(request.headers.get("cookie") ?? "");
  if (found) return Number(found[1]);
  let hash = 0x811c9dc5; // FNV-1a
  for (const byte of new TextEncoder().encode(request.headers.get("cf-connecting-ip") ?? "")) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash % BUCKETS;
}

function page(request, flag) {
  const headers = {
    [SHOWN_BY]: "on",
    "retry-after": RETRY_AFTER,
    "cache-control": "no-store",
  };
  const { message, eta } = flag;
  if (!(request.headers.get("accept") ?? "").includes("text/html")) {
    const body = JSON.stringify({ error: "maintenance", message, eta });
    return new Response(body, {
      status: 503,
      headers: { ...headers, "content-type": "application/json" },
    });
  }
  const body = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>We will be right back</title>
<style>body{font:1.1rem/1.6 system-ui,sans-serif;max-width:34rem;margin:20vh auto;padding:0 1rem}</style>
<h1>We will be right back</h1><p>${escaped(message)}</p><p>Expected: ${escaped(eta)}</p></html>
`;
  return new Response(body, {
    status: 503,
    headers: { ...headers, "content-type": "text/html; charset=utf-8" },
  });
}

function escaped(text) {
  return String(text ?? "").replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
