// They take seconds, and are the same in a browser.
async function givesUp() {
  lasts = true;
  statuses.length = 0;
  await plainFetch(`${PAGE}/break`, { method: "POST" });
  const { error } = await client.GET("/api/v1/tasks");
  report.gave_up = [error?.code, statuses.splice(0)];
  await plainFetch(`${PAGE}/mend`, { method: "POST" });
}

async function signsInAgain() {
  const tokens = [Promise.reject("signed out"), newToken()];
  const another = createClient<paths>({ baseUrl: SERVICE });
  another.use(patient(() => tokens.shift()!));
  const refused = await another.GET("/api/v1/tasks").catch(String);
  report.signed_in = [refused, (await another.GET("/api/v1/tasks")).response.status];
}

steps.push(givesUp, signsInAgain);
