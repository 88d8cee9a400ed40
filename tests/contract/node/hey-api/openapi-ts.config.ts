export default {
  input: "http://127.0.0.1:8000/openapi.json",
  output: { path: "client", module: { extension: ".ts" } }, // Node.js takes a module by its whole name
};
