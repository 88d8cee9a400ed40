// What only a page does: it shows errors beside their fields, and the browser watches over it.
async function shows() {
  const form = document.querySelector("form")!;
  const field = (name: string) => form.querySelector<HTMLInputElement>(`[name="${name}"]`)!;
  field("description").value = "x".repeat(10_001);
  const body = Object.fromEntries(new FormData(form)) as unknown as { title: string };
  const { error } = await client.POST("/api/v1/tasks", { body });
  for (const { pointer, code } of error?.errors ?? []) {
    field(pointer.slice(1)).parentElement!.querySelector("output")!.textContent = code;
  }
  report.shown = [...form.querySelectorAll("output")].map((output) => output.textContent);
}

async function sendsTooMuch() {
  const body = { title: "large", description: "x".repeat(3_000_000) };
  report.too_much = (await client.POST("/api/v1/tasks", { body })).error?.code;
}

async function isWatched() {
  report.addresses = addresses.size;
  const header = { headers: { "X-Other": "not allowed" } };
  report.header = await plainFetch(TASKS, header).then(({ status }) => status, String);
  const frame = document.createElement("iframe");
  frame.sandbox.add("allow-scripts"); // of an origin of its own
  frame.srcdoc = `<script>
    fetch("${SERVICE}/healthz").then(({ status }) => status, String)
      .then((result) => parent.postMessage(result, "*"));
  </script>`;
  const message = new Promise<MessageEvent>((resolve) => addEventListener("message", resolve));
  document.body.append(frame);
  report.frame = (await message).data;
}

steps.push(shows, sendsTooMuch, isWatched);
