/** What a booking costs: extras, a room for oneself, codes, and the quote of it all. */
import type { Quote } from "../../_shared/booking.ts";
import { ApiError, refusalOf } from "./api.ts";
import type { Flow } from "./flow.ts";
import { codeRefusal, type State } from "./state.ts";
import { exclusiveOffered, toOptions } from "./wishes.ts";

const CODE_LENGTH = 64;

export class Pricing {
  #quoting = 0;

  constructor(readonly flow: Flow) {}

  /** A quote that is on its way is not wanted any more. */
  drop(): void {
    this.#quoting++;
  }

  async setExtra(extraId: string, quantity: number): Promise<void> {
    const extra = this.flow.room?.extras.find(({ id }) => id === extraId);
    if (!extra || quantity < 0 || quantity > extra.maximum_quantity) return;
    const { wishes } = this.flow.state;
    await this.#wish({ extras: { ...wishes.extras, [extraId]: quantity } });
  }

  async setExclusive(exclusive: boolean): Promise<void> {
    await this.#wish({ exclusive });
  }

  get canBeExclusive(): boolean {
    const { room, state: { slot } } = this.flow;
    return slot !== null && room !== null && exclusiveOffered(room, slot);
  }

  async removeCode(kind: "coupon" | "voucher"): Promise<void> {
    this.flow.set({ focus: this.flow.focusOn("code") });
    await this.#wish({ [kind]: null });
  }

  /** Price what is wished for, once the visitor has stopped for a moment. */
  async #wish(change: Partial<State["wishes"]>): Promise<void> {
    const { flow } = this;
    flow.set({
      wishes: { ...flow.state.wishes, ...change },
      pricing: true,
      oldTotal: null,
      notice: null,
    });
    const quoting = ++this.#quoting;
    await flow.world.wait(250);
    if (quoting === this.#quoting) await this.requote("say");
  }

  typeCode(code: string): void {
    const { flow } = this;
    flow.state = { ...flow.state, code: code.slice(0, CODE_LENGTH) };
    if (flow.state.codeProblem) flow.set({ codeProblem: null });
  }

  /** A code may be a discount or a gift voucher: the visitor does not need to know which. */
  async applyCode(): Promise<void> {
    const { flow } = this;
    const { calendar, wishes, busy } = flow.state;
    const code = flow.state.code.trim();
    if (busy) return;
    if (code === "") {
      return flow.set({ codeProblem: "code_required", focus: flow.focusOn("code") });
    }
    const kinds = [
      calendar?.has_coupons && "coupon",
      calendar?.has_vouchers && "voucher",
    ].filter((kind) => kind === "coupon" || kind === "voucher");
    let problem = "";
    flow.set({ busy: "code", codeProblem: null });
    const quoting = ++this.#quoting;
    for (const kind of kinds) {
      const wished = { ...wishes, [kind]: code };
      try {
        const quote = await this.#quote(wished);
        if (quoting !== this.#quoting || !quote) return flow.set({ busy: null });
        const { shown } = flow.details;
        flow.set({
          busy: null,
          wishes: wished,
          quote,
          pricing: false,
          code: "",
          oldTotal: null,
          announcement: flow.say((strings, format) =>
            `${strings.codeApplied} ${
              strings.totalNow(format.money(quote.total_cents, quote.currency))
            }`
          ),
          focus: flow.focusOn("code"),
        });
        return await flow.details.compare(shown);
      } catch (error) {
        problem = refusalOf(error).code;
        if (problem !== `${kind}_not_found`) break;
      }
    }
    // Its words are there.
    await flow.prepareMore();
    flow.set({ busy: null });
    if (codeRefusal.test(problem)) {
      flow.set({ codeProblem: problem, focus: flow.focusOn("code") });
      // What was wished for just before has not been priced yet.
      if (flow.state.pricing && quoting === this.#quoting) await this.requote();
    } else await flow.details.refused(new ApiError(problem, 0));
  }

  #quote(wishes: State["wishes"]): Promise<Quote> | null {
    const { world, state: { slot, partySize } } = this.flow;
    if (!slot) return null;
    return world.api.quote({
      slug: world.slug,
      room_id: slot.room_id,
      starts_at: slot.starts_at,
      party_size: partySize,
      ...toOptions(wishes),
      locale: world.locale(),
    });
  }

  async requote(manner?: "say"): Promise<void> {
    const { flow } = this;
    const quoting = ++this.#quoting;
    flow.set({ pricing: true });
    try {
      const quote = await this.#quote(flow.state.wishes);
      if (quoting !== this.#quoting || !quote) return;
      const { shown } = flow.details;
      flow.set({
        quote,
        pricing: false,
        ...(manner === "say"
          ? {
            announcement: flow.say((strings, format) =>
              strings.totalNow(format.money(quote.total_cents, quote.currency))
            ),
          }
          : {}),
      });
      await flow.details.compare(shown);
    } catch (error) {
      if (quoting === this.#quoting) await flow.details.refused(error);
    }
  }
}
