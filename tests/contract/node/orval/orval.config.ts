const input = "http://127.0.0.1:8000/openapi.json";
const baseUrl = "http://127.0.0.1:8000";

export default {
  client: { input, output: { target: "client.ts", client: "fetch", baseUrl } },
  schemas: { input, output: { target: "schemas.ts", client: "zod" } },
};
