/**
 * Runs all edge functions of the local stack in one process.
 *
 * A function's file calls `Deno.serve(handler)`, as hosted Supabase wants it. Here that call only
 * hands its handler over, and `/<name>/…` goes to the handler that `<name>`'s file gave.
 *
 * Arguments: the port, then `<name>=<file URL>` for each function.
 */

type Handler = (
  request: Request,
  info: Deno.ServeHandlerInfo,
) => Response | Promise<Response>;

const [port, ...functions] = Deno.args;
const listen = Deno.serve;
const handlers = new Map<string, Handler>();

for (const each of functions) {
  const at = each.indexOf("=");
  const name = each.slice(0, at);
  Object.defineProperty(Deno, "serve", {
    configurable: true,
    value: (...given: unknown[]) => {
      const handler = given.find((one) => typeof one === "function") ??
        (given[0] as { handler: Handler }).handler;
      handlers.set(name, handler as Handler);
      return { finished: Promise.resolve(), shutdown: () => Promise.resolve() };
    },
  });
  await import(each.slice(at + 1));
  if (!handlers.has(name)) {
    throw new Error(`the edge function ${name} does not call Deno.serve`);
  }
}

listen({ hostname: "127.0.0.1", port: Number(port) }, async (request, info) => {
  const name = new URL(request.url).pathname.split("/")[1] ?? "";
  if (name === "health") return new Response("ok");
  const handler = handlers.get(name);
  if (!handler) {
    return Response.json({ code: "NOT_FOUND", message: "Requested function was not found" }, {
      status: 404,
    });
  }
  try {
    return await handler(request, info);
  } catch (error) {
    console.error(`${name}:`, error);
    return Response.json({ code: "WORKER_ERROR", message: "Function exited due to an error" }, {
      status: 500,
    });
  }
});
