/** The waitlist: leave a name for a room, some days and a party, and hear when a place is free. */
import { ApiError } from "./api.ts";
import { fields, refusedField, validate } from "./customer.ts";
import type { Waiting } from "./state.ts";
import { Attempt, type Inside } from "./world.ts";

export class Waitlist {
  #attempt: Attempt;

  constructor(readonly inside: Inside) {
    this.#attempt = new Attempt(() => inside.world.newKey());
  }

  get offered(): boolean {
    return this.inside.state().calendar?.waitlist === true;
  }

  open(from: string, to: string): void {
    const { inside } = this;
    inside.set({
      step: "waitlist",
      waiting: { from, to, roomId: inside.state().roomId },
      fieldErrors: {},
      notice: null,
      focus: inside.focusOn("heading"),
    });
  }

  change(change: Partial<Waiting>): void {
    const { waiting } = this.inside.state();
    if (waiting) this.inside.set({ waiting: { ...waiting, ...change } });
  }

  async join(): Promise<void> {
    const { inside } = this;
    const { waiting, form, partySize, busy } = inside.state();
    if (!waiting || busy) return;
    const wrongDates = !waiting.from || !waiting.to || waiting.to < waiting.from;
    const fieldErrors = {
      ...(wrongDates ? { dates: "invalidDates" as const } : {}),
      ...validate(form),
    };
    const first = ["dates", ...fields].find((name) => name in fieldErrors);
    inside.set({ fieldErrors, notice: null });
    if (first) {
      const wrong = Object.keys(fieldErrors).length;
      return inside.set({
        focus: inside.focusOn(`field-${first}`),
        announcement: inside.say((strings) => strings.checkFields(wrong)),
      });
    }
    const phone = form.phone.trim();
    const locale = inside.world.locale();
    const request = {
      slug: inside.world.slug,
      ...(waiting.roomId === null ? {} : { room_id: waiting.roomId }),
      from_date: waiting.from,
      to_date: waiting.to,
      party_size: partySize,
      customer: {
        full_name: form.full_name.trim(),
        email: form.email.trim(),
        ...(phone === "" ? {} : { phone }),
        locale,
      },
      locale,
    };
    inside.set({ busy: "join" });
    try {
      const idempotency_key = this.#attempt.key(request);
      await inside.world.api.joinWaitlist({ ...request, idempotency_key });
      this.#attempt.done();
      inside.set({ busy: null, step: "waiting", focus: inside.focusOn("heading") });
    } catch (error) {
      const refused = error instanceof ApiError && error.code === "customer_invalid"
        ? refusedField(error.details.field)
        : null;
      inside.set({
        busy: null,
        ...(refused
          ? {
            fieldErrors: { [refused.field]: refused.problem },
            focus: inside.focusOn(`field-${refused.field}`),
          }
          : { notice: inside.problem(error), focus: inside.focusOn("notice") }),
      });
    }
  }
}
