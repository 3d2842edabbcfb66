/** The second script, as it is served: it hands itself over to the element of the first. */
import type { EscapeBooking } from "./element.ts";
import { createMore } from "./more.ts";

const element = customElements.get("escape-booking") as typeof EscapeBooking | undefined;
if (element) element.createMore = createMore;
