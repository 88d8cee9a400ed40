for (const step of steps) {
  await step().catch((error) => (report[step.name] = String(error)));
}
await plainFetch(`${PAGE}/report`, { method: "POST", body: JSON.stringify(report) });
