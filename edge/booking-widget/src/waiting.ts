/** The waitlist: leave a name for a room, some days and a party, and hear when a place is free. */
import { ApiError, type WaitlistRequest } from "./api.ts";
import type { FieldErrors } from "./customer.ts";
import type { Waiting } from "./state.ts";
import { Attempt, type Inside } from "./world.ts";

/** What the form of a booking knows of its fields. */
interface Form {
  problems(): FieldErrors;
  /** What a refusal says of a field; empty when it is about none. */
  refused(error: unknown): FieldErrors;
  request(): Pick<WaitlistRequest, "customer" | "fields" | "consents">;
  focusOnProblem(): void;
  /** Make the party one that the room takes. */
  fit(): void;
}

export class Waitlist {
  #attempt: Attempt;

  constructor(
    readonly inside: Inside,
    readonly form: Form,
    /** Show what is free, with the reason why. */
    readonly lookAgain: (error: unknown) => Promise<void>,
  ) {
    this.#attempt = new Attempt(() => inside.world.newKey());
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
    if (!waiting) return;
    this.inside.set({ waiting: { ...waiting, ...change } });
    this.form.fit();
  }

  async join(): Promise<void> {
    const { inside } = this;
    const { waiting, partySize, busy } = inside.state();
    if (!waiting || busy) return;
    const wrongDates = !waiting.from || !waiting.to || waiting.to < waiting.from;
    const fieldErrors: FieldErrors = {
      ...(wrongDates ? { dates: "invalidDates" } : {}),
      ...this.form.problems(),
    };
    inside.set({ fieldErrors, notice: null });
    if (Object.keys(fieldErrors).length > 0) return this.form.focusOnProblem();
    const request = {
      slug: inside.world.slug,
      ...(waiting.roomId === null ? {} : { room_id: waiting.roomId }),
      from_date: waiting.from,
      to_date: waiting.to,
      party_size: partySize,
      ...this.form.request(),
    };
    inside.set({ busy: "join" });
    try {
      const idempotency_key = this.#attempt.key(request);
      await inside.world.api.joinWaitlist({ ...request, idempotency_key });
      this.#attempt.done();
      inside.set({ busy: null, step: "waiting", focus: inside.focusOn("heading") });
    } catch (error) {
      inside.set({ busy: null });
      if (error instanceof ApiError && error.code === "place_available") {
        return await this.lookAgain(error);
      }
      const refused = this.form.refused(error);
      inside.set({ fieldErrors: refused });
      if (Object.keys(refused).length > 0) return this.form.focusOnProblem();
      // What is not offered at all cannot be waited for either.
      const closed = error instanceof ApiError && error.code === "slot_not_offered";
      const reason = closed ? new ApiError("waitlist_closed", error.status) : error;
      inside.set({ notice: inside.problem(reason), focus: inside.focusOn("notice") });
    }
  }

  /** The link in a mail leads here: it asks before it acts. */
  askToLeave(): void {
    this.inside.set({ step: "leave", focus: this.inside.focusOn("heading") });
  }

  async leave(token: string): Promise<void> {
    const { inside } = this;
    if (inside.state().busy) return;
    inside.set({ busy: "join", notice: null });
    try {
      await inside.world.api.leaveWaitlist(token);
      inside.set({ busy: null, step: "left", focus: inside.focusOn("heading") });
    } catch (error) {
      inside.set({
        busy: null,
        notice: inside.problem(error),
        focus: inside.focusOn("notice"),
      });
    }
  }
}
