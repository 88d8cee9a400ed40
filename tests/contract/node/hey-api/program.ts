import { client } from "./client/client.gen.ts";
import { createTask, deleteTask, listTasks, updateTask } from "./client/index.ts";
import type { TaskCreate } from "./client/index.ts";

client.setConfig({ baseUrl: "http://127.0.0.1:8000", auth: "alice" });

const headers = { "idempotency-key": crypto.randomUUID() };
const { data: task, error } = await createTask({ body: { title: "Buy milk" }, headers });
if (error) throw new Error(error.detail);
const again = await createTask({ body: { title: "Buy milk" }, headers });
console.log(again.data?.id === task.id); // true

const path = { task_id: task.id };
const patched = await updateTask({ path, body: { completed: true } });
console.log(patched.data?.title, patched.data?.completed); // Buy milk true

const page = await listTasks({ query: { completed: true, limit: 1 } });
console.log(page.data?.items.map(({ title }) => title), page.data?.next_cursor); // [ 'Buy milk' ] null

const { error: problem } = await updateTask({ path, body: { title: " " } });
const [fault] = problem?.errors ?? [];
console.log(problem?.status, problem?.code, fault?.in, fault?.pointer); // 400 invalid_request body /title

const { response } = await deleteTask({ path });
console.log(response?.status); // 204

// @ts-expect-error: the title is missing
void ({ completed: true } satisfies TaskCreate);
