import { createTask, deleteTask, listTasks, updateTask } from "./client.ts";
import type { TaskCreate } from "./client.ts";
import { CreateTaskResponse, ListTasksResponse, UpdateTaskBody } from "./schemas.ts";

const options = { headers: { "X-User-ID": "alice" } };

const created = await createTask({ title: "Buy milk" }, options);
if (created.status !== 201) throw new Error(created.data.detail);
const task = CreateTaskResponse.parse(created.data);

const body = UpdateTaskBody.parse({ completed: true });
console.log(body); // { completed: true }
const patched = await updateTask(task.id, body, options);
if (patched.status !== 200) throw new Error(patched.data.detail);
console.log(patched.data.title, patched.data.completed); // Buy milk true

const listed = await listTasks({ completed: true, limit: 1 }, options);
const page = ListTasksResponse.parse(listed.data);
console.log(page.items.map(({ title }) => title), page.next_cursor); // [ 'Buy milk' ] null

const refused = await updateTask(task.id, { title: " " }, options);
if (refused.status !== 400) throw new Error("A title of white space was stored.");
const [fault] = refused.data.errors ?? [];
console.log(refused.data.code, fault?.in, fault?.pointer); // invalid_request body /title

const deleted = await deleteTask(task.id, options);
console.log(deleted.status); // 204

// @ts-expect-error: the title is missing
void ({ completed: true } satisfies TaskCreate);
