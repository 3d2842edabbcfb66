import { readEnvironment } from "../_shared/environment.ts";
import { handle } from "./handler.ts";

const environment = readEnvironment();

Deno.serve({ automaticCompression: true }, (request) => handle(request, environment));
