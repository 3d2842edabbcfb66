/** Signing a waiver by its link: read, name oneself and one's minors, sign. */
import { ApiError, isRefusal, refusalOf } from "./api.ts";
import type { FieldErrors, FieldProblem } from "./customer.ts";
import type { Flow } from "./flow.ts";
import type { Managing } from "./managing.ts";
import type { Minor, Signing } from "./state.ts";
import { agreesTo } from "./wishes.ts";
import { Attempt } from "./world.ts";

/** As many as fit on a form that a person reads before they sign. */
export const MOST_MINORS = 10;

export class Waivers {
  #attempt: Attempt;

  constructor(readonly flow: Flow, readonly managing: Managing) {
    this.#attempt = new Attempt(() => flow.world.newKey());
  }

  /** Raises what the database refuses, when the page was opened for this. */
  async open(token: string): Promise<void> {
    const { flow } = this;
    const { step } = flow.state;
    flow.set({ busy: "waiver", notice: null });
    try {
      const waiver = await flow.world.api.getWaiver(token, flow.world.locale());
      if (!waiver.open) throw new ApiError("waiver_closed", 409);
      const { booking, signing } = flow.state;
      // The next to sign on the same screen is somebody else.
      const name = signing ? "" : booking?.customer.full_name ?? "";
      const kept = flow.world.store.signer(token);
      flow.set({
        busy: null,
        step: "waiver",
        fieldErrors: {},
        signing: {
          token,
          waiver,
          name: kept?.name ?? name,
          minors: kept?.minors ?? [],
          outside: kept?.outside ?? false,
          manner: "draw",
          drawing: "",
          agreed: kept?.agreed ?? "",
        },
        focus: flow.focusOn("heading"),
      });
      flow.trail.push(step);
    } catch (error) {
      flow.set({ busy: null });
      if (flow.state.step === "loading") throw error;
      await flow.explain(error);
    }
  }

  change(change: Partial<Signing>): void {
    const { signing, fieldErrors } = this.flow.state;
    if (!signing) return;
    const next = { ...signing, ...change };
    // What was said to be wrong is looked at again while it is being mended.
    const wrong = problems(next, this.#year());
    const kept = Object.entries(wrong).filter(([name]) => name in fieldErrors);
    this.flow.set({ signing: next, fieldErrors: Object.fromEntries(kept) });
    const { token, name, minors, outside, agreed } = next;
    this.flow.world.store.saveSigner(token, { name, minors, outside, agreed });
  }

  addMinor(): void {
    const { signing } = this.flow.state;
    if (!signing || signing.minors.length >= MOST_MINORS) return;
    this.change({ minors: [...signing.minors, { name: "", year: "" }] });
    this.flow.set({ focus: this.flow.focusOn(`field-minor-${signing.minors.length}`) });
  }

  changeMinor(index: number, change: Partial<Minor>): void {
    const minors = this.flow.state.signing?.minors ?? [];
    this.change({
      minors: minors.map((minor, at) => at === index ? { ...minor, ...change } : minor),
    });
  }

  removeMinor(index: number): void {
    const { signing } = this.flow.state;
    if (!signing) return;
    this.change({ minors: signing.minors.filter((_, other) => other !== index) });
    this.flow.set({ focus: this.flow.focusOn("add-minor") });
  }

  #year(): number {
    return new Date(this.flow.clock.now()).getUTCFullYear();
  }

  /** `write` draws a typed name, so that both manners of signing are kept alike. */
  async sign(write: (name: string) => string): Promise<void> {
    const { flow } = this;
    const { signing, busy } = flow.state;
    if (!signing || busy) return;
    const fieldErrors = problems(signing, this.#year());
    flow.set({ fieldErrors, notice: null });
    if (Object.keys(fieldErrors).length > 0) return flow.details.focusOnProblem();
    const name = signing.name.trim();
    const request = {
      token: signing.token,
      version: signing.waiver.version,
      signer: { full_name: name, plays: !(signing.outside && signing.minors.length > 0) },
      minors: signing.minors.map((minor) => ({
        full_name: minor.name.trim(),
        birth_year: Number(minor.year),
      })),
      signature: signing.manner === "draw" ? signing.drawing : write(name),
      locale: signing.waiver.locale,
    };
    flow.set({ busy: "sign" });
    try {
      const idempotency_key = this.#attempt.key(request);
      await flow.world.api.signWaiver({ ...request, idempotency_key });
      this.#attempt.done();
      flow.world.store.saveSigner(signing.token, null);
      flow.set({ busy: null, step: "signed", focus: flow.focusOn("heading") });
      flow.trail.replace();
    } catch (error) {
      flow.set({ busy: null });
      const refused = refusedFields(error, signing.minors.length);
      if (Object.keys(refused).length > 0) {
        flow.set({ fieldErrors: refused });
        return flow.details.focusOnProblem();
      }
      // The text has changed since it was shown: it has to be read again.
      if (isRefusal(error) && error.code === "waiver_outdated") {
        this.change({ agreed: "" });
        await this.open(signing.token);
      }
      await flow.explain(error);
    }
  }

  async leave(): Promise<void> {
    const { signing } = this.flow.state;
    if (signing) this.flow.world.store.saveSigner(signing.token, null);
    this.flow.set({ signing: null, fieldErrors: {}, notice: null });
    await this.managing.afterWaiver();
  }
}

/** What the database refused, at the controls that it is about; empty where it is about none. */
function refusedFields(error: unknown, minors: number): FieldErrors {
  const { code, details: { field, position } } = refusalOf(error);
  if (code === "signer_invalid" && field === "full_name") return { waiver_name: "invalidName" };
  if (code === "signature_invalid") return { signature: "invalidSignature" };
  if (code !== "minors_invalid" || typeof position !== "number" || !(position < minors)) return {};
  return field === "birth_year"
    ? { [`year-${position}`]: "invalidYear" }
    : { [`minor-${position}`]: "invalidName" };
}

function problems(signing: Signing, year: number): FieldErrors {
  const wrong: Record<string, FieldProblem> = {};
  if (signing.name.trim() === "") wrong.waiver_name = "requiredName";
  signing.minors.forEach((minor, index) => {
    if (minor.name.trim() === "") wrong[`minor-${index}`] = "requiredField";
    const born = /^\d{4}$/.test(minor.year) ? Number(minor.year) : 0;
    if (born < year - 18 || born > year) wrong[`year-${index}`] = "invalidYear";
  });
  if (!agreesTo(signing.agreed, signing.waiver.text)) wrong.agreed = "requiredTick";
  if (signing.manner === "draw" && signing.drawing === "") wrong.signature = "requiredSignature";
  return wrong;
}
