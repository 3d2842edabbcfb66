/** Filling in the details: who comes, what the venue asks, and the hold that follows. */
import type { Booking, Quote } from "../../_shared/booking.ts";
import { ApiError, type HoldRequest, refusalOf } from "./api.ts";
import {
  controlOf,
  emptyForm,
  type Field,
  type FieldErrors,
  fieldName,
  refusedAnswer,
  refusedField,
  toAnswers,
  validate,
  validateAnswer,
  validateAnswers,
  validateField,
} from "./customer.ts";
import type { Flow } from "./flow.ts";
import { codeRefusal, payableNow } from "./state.ts";
import { stringsFor } from "./strings.ts";
import type { Shown } from "./store.ts";
import { agreesTo, termsText, toConsents, toOptions } from "./wishes.ts";
import { Attempt } from "./world.ts";

/** Codes that mean: this time cannot be had, look again at what is free. */
const goneCodes = new Set([
  "slot_taken",
  "slot_in_past",
  "slot_not_offered",
  "notice_too_short",
  "too_far_ahead",
  "party_size_invalid",
  "room_not_found",
]);
const NOTE_LENGTH = 1000;

const whatOf = ({ room_id, starts_at, party_size }: Quote) =>
  `${room_id} ${Date.parse(starts_at)} ${party_size}`;

export class Details {
  #attempt: Attempt;
  /** The price and the terms that were shown last, before a reload, too. */
  shown: Shown | null = null;

  constructor(readonly flow: Flow) {
    this.#attempt = new Attempt(() => flow.world.newKey());
  }

  /** What was typed before the page was loaded anew, or what the page says of its visitor. */
  restore(): void {
    const { flow } = this;
    const { store, slug, preset } = flow.world;
    const { full_name = "", email = "" } = preset;
    const { wishes, shown = null, ...draft } = store.draft(slug) ?? {};
    this.shown = shown;
    flow.state = {
      ...flow.state,
      form: { ...emptyForm, full_name, email },
      ...draft,
      // What was wished for belongs to the time for which it was: a reload has it, a new visit has not.
      ...(wishes && flow.trail.read()?.slot ? { wishes } : {}),
    };
  }

  keep(): void {
    const { world, state } = this.flow;
    const { form, answers, note, terms, marketing, wishes, quote } = state;
    if (quote) {
      this.shown = { of: whatOf(quote), total: quote.total_cents, terms: quote.terms };
    }
    const { shown } = this;
    world.store.saveDraft(world.slug, { form, answers, note, terms, marketing, wishes, shown });
  }

  /**
   * Other terms than were shown of the same time are said and marked, and agreed to anew; after a
   * reload, so is another price.
   */
  async compare(shown: Shown | null, reloaded?: boolean): Promise<void> {
    const { flow } = this;
    const { quote } = flow.state;
    if (!quote || shown?.of !== whatOf(quote)) return;
    if (reloaded && shown.total !== quote.total_cents) {
      flow.set({ oldTotal: shown.total, focus: flow.focusOn("notice") });
    }
    if (JSON.stringify(shown.terms) !== JSON.stringify(quote.terms)) {
      flow.set({ oldTerms: shown.terms, terms: "" });
      this.keep();
      await flow.explain(new ApiError("terms_changed", 409));
    }
  }

  type(field: Field, value: string): void {
    const { flow } = this;
    flow.state = { ...flow.state, form: { ...flow.state.form, [field]: value } };
    this.keep();
    if (flow.state.fieldErrors[field]) this.leaveField(field);
  }

  /** Say what is wrong with a field once the visitor has left it filled in. */
  leaveField(field: Field): void {
    const value = this.flow.state.form[field];
    const before = this.flow.state.fieldErrors[field];
    this.#mark(field, value === "" && !before ? null : validateField(field, value));
  }

  /** Answer one of the venue's questions. */
  answer(key: string, value: string | boolean): void {
    const { flow } = this;
    flow.state = { ...flow.state, answers: { ...flow.state.answers, [key]: value } };
    this.keep();
    if (flow.state.fieldErrors[fieldName(key)] || typeof value === "boolean") {
      this.leaveAnswer(key);
    }
  }

  leaveAnswer(key: string): void {
    const { state } = this.flow;
    const question = this.flow.questions.find((field) => field.key === key);
    if (!question) return;
    const name = fieldName(key);
    const value = state.answers[key];
    const silent = !value && !state.fieldErrors[name];
    this.#mark(name, silent ? null : validateAnswer(question, value));
  }

  #mark(name: string, problem: FieldErrors[string] | null): void {
    const { [name]: _, ...others } = this.flow.state.fieldErrors;
    this.flow.set({ fieldErrors: problem ? { ...others, [name]: problem } : others });
  }

  typeNote(note: string): void {
    this.flow.state = { ...this.flow.state, note: note.slice(0, NOTE_LENGTH) };
    this.keep();
  }

  /** What is ticked beside these words; empty: nothing any more. */
  agree(kind: "terms" | "marketing", words: string): void {
    this.flow.set({ [kind]: words });
    this.keep();
    this.#mark(kind, null);
  }

  /** Whether the terms as they stand now are agreed to, where there are any. */
  get agreed(): boolean {
    const { calendar, terms } = this.flow.state;
    const text = termsText(calendar, this.flow.world.locale());
    return !text || agreesTo(terms, text);
  }

  /** What cannot be booked like this, in the order of the form. */
  problems(): FieldErrors {
    const { form, answers } = this.flow.state;
    return {
      ...validate(form),
      ...validateAnswers(this.flow.questions, answers),
      ...(this.agreed ? {} : { terms: "requiredTerms" }),
    };
  }

  focusOnProblem(): void {
    const { flow } = this;
    const wrong = Object.keys(flow.state.fieldErrors);
    flow.set({
      focus: flow.focusOn(controlOf(wrong[0]!)),
      announcement: flow.say((strings) => strings.checkFields(wrong.length)),
    });
  }

  /** Who books or waits, with the answers to the venue's questions and what they agreed to. */
  person(): Pick<HoldRequest, "customer" | "fields" | "consents"> {
    const { state, world } = this.flow;
    const { form } = state;
    const phone = form.phone.trim();
    const locale = world.locale();
    const answers = toAnswers(this.flow.questions, state.answers);
    const consents = toConsents(state, locale, stringsFor(locale));
    return {
      customer: {
        full_name: form.full_name.trim(),
        email: form.email.trim(),
        ...(phone === "" ? {} : { phone }),
        locale,
      },
      ...(Object.keys(answers).length > 0 ? { fields: answers } : {}),
      ...(consents.length > 0 ? { consents } : {}),
    };
  }

  // ---- the hold ----

  async submitDetails(): Promise<void> {
    const { flow } = this;
    if (flow.state.busy) return;
    const fieldErrors = this.problems();
    flow.set({ fieldErrors, notice: null });
    if (Object.keys(fieldErrors).length > 0) return this.focusOnProblem();
    if (!flow.state.quote || flow.state.pricing) await flow.pricing.requote();
    const { quote, pricing } = flow.state;
    if (quote && !pricing && flow.state.step === "details") await this.#hold(quote);
  }

  async #hold(quote: Quote): Promise<void> {
    const { flow } = this;
    const { note, wishes } = flow.state;
    const request: Omit<HoldRequest, "idempotency_key"> = {
      slug: flow.world.slug,
      room_id: quote.room_id,
      starts_at: quote.starts_at,
      party_size: quote.party_size,
      ...this.person(),
      expected_total_cents: quote.total_cents,
      expected_terms: quote.terms,
      ...toOptions(wishes),
      ...(note.trim() === "" ? {} : { customer_note: note.trim() }),
    };
    flow.set({ busy: "hold", notice: null });
    try {
      // Nothing is held that could not be shown and paid.
      await flow.loadMore();
      const send = () =>
        flow.world.api.hold({ ...request, idempotency_key: this.#attempt.key(request) });
      const again = this.#attempt.began(request);
      let held = await send();
      // The answer to an attempt of before: what it held may have lapsed since, which makes this
      // another one.
      if (again && flow.clock.lapsed(held)) {
        this.#attempt.done();
        held = await send();
      }
      this.#attempt.done();
      await this.#held(held, request, quote);
    } catch (error) {
      flow.set({ busy: null });
      await this.refused(error);
    }
  }

  async #held(
    { manage_token, ...held }: Awaited<ReturnType<Flow["world"]["api"]["hold"]>>,
    request: Omit<HoldRequest, "idempotency_key">,
    quote: Quote,
  ): Promise<void> {
    const { flow } = this;
    const { calendar } = flow.state;
    flow.paying.took(held, manage_token);
    const booking: Booking = {
      ...held,
      paid_cents: quote.voucher_cents,
      refunded_cents: 0,
      customer: { full_name: request.customer.full_name, email: request.customer.email },
      organization: calendar?.organization ?? { name: "", slug: "" },
      lines: quote.lines,
      terms: quote.terms,
      cancellable: false,
      cancellation: { refund_percent: 0, refund_cents: 0, disputed_cents: 0, lost_cents: 0 },
      history: [],
    };
    flow.set({ busy: null, oldTotal: null });
    flow.emit("held", booking);
    if (held.status === "held" && payableNow(quote) > 0) return await flow.paying.enter(booking);
    // It is booked, whether or not it can be read just now.
    const now = await flow.world.api.getBooking(flow.key(held.reference)).catch(() => booking);
    await flow.paying.show(now, "success");
  }

  /** A quote or a hold was refused: say why, in the place where it can be mended. */
  async refused(error: unknown): Promise<void> {
    const { flow } = this;
    const { code, details } = refusalOf(error);
    const { quote, wishes } = flow.state;
    if (goneCodes.has(code)) {
      this.#attempt.done();
      return await flow.choosing.lookAgain(error, "choose");
    }
    if (/^(total|terms)_changed$/.test(code) && quote) {
      flow.set({ quote: null });
      await flow.pricing.requote();
      if (!flow.state.quote) return;
      if (code === "terms_changed") return await flow.explain(error);
      return flow.set({ oldTotal: quote.total_cents, focus: flow.focusOn("notice") });
    }
    const kind = codeRefusal.exec(code)?.[1];
    if (kind === "coupon" || kind === "voucher") {
      await flow.prepareMore();
      // What can be had without the code is shown beside what is wrong with it.
      flow.set({
        wishes: { ...wishes, [kind]: null },
        quote: null,
        code: wishes[kind] ?? "",
        codeProblem: code,
        focus: flow.focusOn("code"),
      });
      return await flow.pricing.requote();
    }
    if (code === "extra_sold_out" && typeof details.extra_id === "string") {
      return await this.#soldOut(details.extra_id, Math.max(0, Number(details.left) || 0));
    }
    if (code === "exclusive_not_offered" || /^extras?_/.test(code)) {
      const chosen = wishes.exclusive || Object.keys(wishes.extras).length > 0;
      if (chosen) {
        flow.set({ wishes: { ...wishes, extras: {}, exclusive: false }, quote: null });
        await flow.pricing.requote();
      }
      return await flow.explain(new ApiError("extras_invalid", 422));
    }
    const fieldErrors = this.refusedFields(error);
    if (Object.keys(fieldErrors).length > 0) {
      flow.set({ fieldErrors });
      return this.focusOnProblem();
    }
    flow.set({ pricing: false });
    await flow.explain(error);
  }

  async #soldOut(extraId: string, left: number): Promise<void> {
    const { flow } = this;
    const { wishes } = flow.state;
    const wished = wishes.extras[extraId] ?? 0;
    const extras = { ...wishes.extras, [extraId]: Math.min(left, wished - 1) };
    if (wished > 0) {
      flow.set({ wishes: { ...wishes, extras }, quote: null });
      await flow.pricing.requote();
    }
    flow.set({
      notice: { tone: "error", text: (strings) => strings.extraLeft(left) },
      focus: flow.focusOn("notice"),
    });
  }

  /** What a refusal says of fields; empty when it is about none. */
  refusedFields(error: unknown): FieldErrors {
    const { code, details } = refusalOf(error);
    if (code === "terms_not_accepted") return { terms: "requiredTerms" };
    const refused = code === "customer_invalid" ? refusedField(details.field) : null;
    if (refused) return { [refused.field]: refused.problem };
    const question = code === "field_invalid" &&
      this.flow.questions.find((field) => field.key === details.field);
    return question ? { [fieldName(question.key)]: refusedAnswer(question, details.rule) } : {};
  }
}
