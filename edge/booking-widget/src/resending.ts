/** The links of one's bookings once more, for whoever has lost the mail. */
import { ApiError, refusalOf } from "./api.ts";
import { validateField } from "./customer.ts";
import type { Flow } from "./flow.ts";

/** These limits last longer than where something is booked: their texts say so. */
const limits: Readonly<Record<string, string>> = {
  rate_limited: "links_rate_limited",
  mail_limit_reached: "links_limit_reached",
};

export class Resending {
  constructor(readonly flow: Flow) {}

  open(): void {
    const { flow } = this;
    const again = flow.state.step === "resent";
    flow.set({
      step: "lost",
      fieldErrors: {},
      notice: null,
      focus: flow.focusOn("heading"),
    });
    if (again) flow.trail.replace();
    else flow.trail.push();
  }

  /** Ask for them. The answer is the same whether or not anybody booked with the address. */
  async send(): Promise<void> {
    const { flow } = this;
    const { form, busy } = flow.state;
    if (busy) return;
    const problem = validateField("email", form.email);
    flow.set({ fieldErrors: problem ? { email: problem } : {}, notice: null });
    if (problem) return flow.details.focusOnProblem();
    flow.set({ busy: "resend" });
    try {
      await flow.world.api.emailMyBookings({ slug: flow.world.slug, email: form.email.trim() });
      flow.set({ busy: null, step: "resent", focus: flow.focusOn("heading") });
      flow.trail.replace();
    } catch (error) {
      flow.set({ busy: null });
      const { code, status } = refusalOf(error);
      if (code === "email_invalid") {
        flow.set({ fieldErrors: { email: "invalidEmail" } });
        return flow.details.focusOnProblem();
      }
      const limit = limits[code];
      await flow.explain(limit ? new ApiError(limit, status) : error);
    }
  }
}
