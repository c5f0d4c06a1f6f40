// Reads cases on stdin, lets the Worker answer each, and prints what it answered.
import { readFileSync } from "node:fs";

const { now, secret, cases } = JSON.parse(readFileSync(0));
const answers = [];
for (const [number, each] of cases.entries()) {
  const { answer } = await import(`../../deploy/cloudflare/maintenance-worker.js?${number}`);
  const seen = [];
  const origin = async (request) => {
    const path = new URL(request.url).pathname;
    if (path === "/healthz") {
      if (each.health === 0) throw new TypeError("fetch failed");
      return new Response("", { status: each.health, headers: { location: "/" } });
    }
    seen.push({ path, headers: [...request.headers.keys()] });
    return new Response("from the origin", { status: 200 });
  };
  const env = {
    MAINTENANCE: {
      get: async (key, options) => {
        if (key !== "maintenance" || options.type !== "json") throw new Error("asked otherwise");
        return JSON.parse(each.stored);
      },
    },
    BYPASS_SECRET: secret,
  };
  const url = `https://api.example.com${each.path}`;
  const headers = { accept: "*/*", ...each.headers };
  const request = new Request(url, { method: each.method ?? "GET", headers });
  const answered = await answer(request, env, Date.parse(now), origin);
  answers.push({
    status: answered.status,
    headers: Object.fromEntries(answered.headers),
    body: await answered.text(),
    seen,
  });
}
console.log(JSON.stringify(answers));
