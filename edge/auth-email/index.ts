import { handle, type HookEnvironment, readHookEnvironment } from "./handler.ts";

/** Read with the first call, and once: what is missing is logged once, too. */
let environment: HookEnvironment | null | undefined;

Deno.serve((request) => {
  if (environment === undefined) environment = readHookEnvironment((name) => Deno.env.get(name));
  return handle(request, environment);
});
