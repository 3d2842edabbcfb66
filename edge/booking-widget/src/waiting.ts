/** The waitlist: leave a name for a room, some days and a party, and hear when a place is free. */
import type { Slot } from "../../_shared/booking.ts";
import { ApiError, refusalOf } from "./api.ts";
import type { FieldErrors } from "./customer.ts";
import type { Flow } from "./flow.ts";
import type { Step, Waiting } from "./state.ts";
import { Attempt } from "./world.ts";

export class Waitlist {
  #attempt: Attempt;

  constructor(readonly flow: Flow) {
    this.#attempt = new Attempt(() => flow.world.newKey());
  }

  open(from: string, to: string, slot: Slot | null = null, step: Step = "waitlist"): void {
    const { flow } = this;
    flow.set({
      step,
      waiting: { from, to, roomId: slot?.room_id ?? flow.state.roomId, slot },
      fieldErrors: {},
      notice: null,
      focus: flow.focusOn("heading"),
    });
    flow.trail.push();
  }

  /** The form as it was left, or what was said once it was sent. */
  resume(waiting: Waiting, step: Step): void {
    this.open(waiting.from, waiting.to, waiting.slot, step);
    this.change(waiting);
  }

  change(change: Partial<Waiting>): void {
    const { waiting } = this.flow.state;
    if (!waiting) return;
    this.flow.set({ waiting: { ...waiting, ...change } });
    this.flow.set({ partySize: this.flow.choosing.fitParty(this.flow.state.partySize) });
    this.flow.trail.replace();
  }

  async join(): Promise<void> {
    const { flow } = this;
    const { waiting, partySize, busy } = flow.state;
    if (!waiting || busy) return;
    const wrongDates = !waiting.from || !waiting.to || waiting.to < waiting.from;
    const fieldErrors: FieldErrors = {
      ...(wrongDates ? { dates: "invalidDates" } : {}),
      ...flow.details.problems(),
    };
    flow.set({ fieldErrors, notice: null });
    if (Object.keys(fieldErrors).length > 0) return flow.details.focusOnProblem();
    const request = {
      slug: flow.world.slug,
      ...(waiting.roomId === null ? {} : { room_id: waiting.roomId }),
      from_date: waiting.from,
      to_date: waiting.to,
      ...(waiting.slot ? { starts_at: waiting.slot.starts_at } : {}),
      party_size: partySize,
      ...flow.details.person(),
    };
    flow.set({ busy: "join" });
    try {
      const idempotency_key = this.#attempt.key(request);
      const { waitlist_token } = await flow.world.api.joinWaitlist({ ...request, idempotency_key });
      this.#attempt.done();
      flow.set({
        busy: null,
        step: "waiting",
        waiting: waitlist_token ? { ...waiting, token: waitlist_token } : waiting,
        focus: flow.focusOn("heading"),
      });
      flow.trail.replace();
    } catch (error) {
      flow.set({ busy: null });
      const { code, status } = refusalOf(error);
      if (code === "place_available") return await flow.choosing.lookAgain(error, "choose");
      const refused = flow.details.refusedFields(error);
      flow.set({ fieldErrors: refused });
      if (Object.keys(refused).length > 0) return flow.details.focusOnProblem();
      // What is not offered at all cannot be waited for either.
      const closed = code === "slot_not_offered";
      const reason = closed ? new ApiError("waitlist_closed", status) : error;
      await flow.explain(reason);
    }
  }

  /** It asks before it acts. */
  askToLeave(): void {
    this.flow.set({ step: "leave", focus: this.flow.focusOn("heading") });
    this.flow.trail.replace();
  }

  /** The link in a mail leads here, and a reload after the place was given up. */
  async openLink(token: string): Promise<void> {
    const { flow } = this;
    const entry = await flow.world.api.getWaitlistEntry(token);
    const waits = entry.status === "waiting" || entry.status === "offered";
    flow.set({
      step: waits ? "leave" : "left",
      waiting: {
        from: entry.from_date,
        to: entry.to_date,
        roomId: entry.room_id,
        roomName: entry.room_name,
        slot: null,
        startsAt: entry.starts_at,
        token,
      },
      partySize: entry.party_size,
      focus: flow.focusOn("heading"),
    });
    flow.trail.replace();
  }

  async leave(token: string): Promise<void> {
    const { flow } = this;
    if (flow.state.busy) return;
    flow.set({ busy: "join", notice: null });
    try {
      await flow.world.api.leaveWaitlist(token);
      flow.set({ busy: null, step: "left", focus: flow.focusOn("heading") });
      flow.trail.replace();
    } catch (error) {
      flow.set({ busy: null });
      await flow.explain(error);
    }
  }
}
