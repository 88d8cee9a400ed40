// What a front end does, with the client of docs/clients.md. It runs in Node.js and in a browser.
import createClient from "openapi-fetch";
import type { paths } from "./api";

const SERVICE = "http://127.0.0.1:8000";
const PAGE = "http://127.0.0.1:9000"; // where the page comes from, and tokens
const TASKS = `${SERVICE}/api/v1/tasks`;

const report: Record<string, unknown> = {};
const addresses = new Set<string>();
const statuses: number[] = []; // of the service's responses

// Unless it lasts, an outage of the database ends when the service has reported it.
let lasts = false;
const plainFetch = globalThis.fetch;
globalThis.fetch = async (...parameters) => {
  const request = new Request(...parameters);
  const response = await plainFetch(request);
  addresses.add(request.url);
  statuses.push(response.status);
  if (response.status === 503 && !lasts) await plainFetch(`${PAGE}/mend`, { method: "POST" });
  return response;
};

let tokens = 0;
async function newToken() {
  tokens++;
  return (await plainFetch(`${PAGE}/token`, { method: "POST" })).text();
}

const client = createClient<paths>({ baseUrl: SERVICE });
client.use(patient(newToken));

function headers(response: Response, ...names: string[]) {
  return names.map((name) => response.headers.get(name));
}

async function refreshes() {
  const refused = await plainFetch(TASKS, { headers: { "X-Request-ID": "no-token" } });
  report.refused = [refused.status, ...headers(refused, "WWW-Authenticate", "X-Request-ID")];
  // The first token has expired.
  const pages = await Promise.all([1, 2, 3].map(() => client.GET("/api/v1/tasks")));
  report.refreshed = [pages.map(({ data }) => data?.items.length), statuses.splice(0), tokens];
}

async function create(title: string) {
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  const { data, response } = await client.POST("/api/v1/tasks", { headers, body: { title } });
  if (!data) throw new Error(`${response.status}`);
  return { id: data.id, params: { path: { task_id: data.id } }, response };
}

async function changes() {
  const { id, params, response } = await create("one");
  report.location = [id, ...headers(response, "Location")];
  const toggled = await client.POST("/api/v1/tasks/{task_id}/toggle", { params });
  const body = { title: "first", description: "", completed: false };
  const put = await client.PUT("/api/v1/tasks/{task_id}", { params, body });
  const patch = { params, body: { completed: true } };
  const patched = await client.PATCH("/api/v1/tasks/{task_id}", patch);
  report.completed = [toggled, put, patched].map(({ data }) => data?.completed);
  const deleted = await client.DELETE("/api/v1/tasks/{task_id}", { params });
  const gone = await client.GET("/api/v1/tasks/{task_id}", { params });
  report.deleted = [deleted.response.status, gone.error?.code];
}

async function pages() {
  for (const title of ["one", "two", "three", "four", "five"]) await create(title);
  const found: string[][] = [];
  let cursor: string | undefined;
  do {
    const { data } = await client.GET("/api/v1/tasks", { params: { query: { limit: 2, cursor } } });
    found.push(data?.items.map(({ title }) => title) ?? []);
    cursor = data?.next_cursor ?? undefined;
  } while (cursor);
  report.pages = found;
}

async function waits() {
  statuses.length = 0;
  await plainFetch(`${PAGE}/break`, { method: "POST" });
  const started = performance.now();
  const { params, response } = await create("patient");
  report.waited = [response.status, statuses.splice(0), performance.now() - started > 1900];
  await plainFetch(`${PAGE}/break`, { method: "POST" });
  const toggled = await client.POST("/api/v1/tasks/{task_id}/toggle", { params });
  report.unrepeated = [toggled.error?.code, ...headers(toggled.response, "Retry-After")];
  report.toggled = (await client.GET("/api/v1/tasks/{task_id}", { params })).data?.completed;
}

const steps = [refreshes, changes, pages, waits];
