/** Signing a waiver by its link: read, name oneself and one's minors, sign. */
import { ApiError } from "./api.ts";
import { controlOf, type FieldErrors, type FieldProblem } from "./customer.ts";
import type { Minor, Signing } from "./state.ts";
import { Attempt, type Inside } from "./world.ts";

/** As many as fit on a form that a person reads before they sign. */
export const MOST_MINORS = 10;

export class Waivers {
  #attempt: Attempt;

  constructor(
    readonly inside: Inside,
    /** Go back to the booking, if there is one. */
    readonly done: () => Promise<void>,
  ) {
    this.#attempt = new Attempt(() => inside.world.newKey());
  }

  /** Raises what the database refuses, when the page was opened for this. */
  async open(token: string): Promise<void> {
    const { inside } = this;
    inside.set({ busy: "waiver", notice: null });
    try {
      const waiver = await inside.world.api.getWaiver(token, inside.world.locale());
      if (!waiver.open) throw new ApiError("waiver_closed", 409);
      const { booking, signing } = inside.state();
      // The next to sign on the same screen is somebody else.
      const name = signing ? "" : booking?.customer.full_name ?? "";
      inside.set({
        busy: null,
        step: "waiver",
        fieldErrors: {},
        signing: {
          token,
          waiver,
          name,
          minors: [],
          outside: false,
          manner: "draw",
          drawing: "",
          agreed: false,
        },
        focus: inside.focusOn("heading"),
      });
    } catch (error) {
      inside.set({ busy: null });
      if (inside.state().step === "loading") throw error;
      inside.set({ notice: inside.problem(error), focus: inside.focusOn("notice") });
    }
  }

  change(change: Partial<Signing>): void {
    const { signing, fieldErrors } = this.inside.state();
    if (!signing) return;
    const next = { ...signing, ...change };
    // What was said to be wrong is looked at again while it is being mended.
    const wrong = problems(next, this.#year());
    const kept = Object.entries(wrong).filter(([name]) => name in fieldErrors);
    this.inside.set({ signing: next, fieldErrors: Object.fromEntries(kept) });
  }

  addMinor(): void {
    const { signing } = this.inside.state();
    if (!signing || signing.minors.length >= MOST_MINORS) return;
    this.change({ minors: [...signing.minors, { name: "", year: "" }] });
    this.inside.set({ focus: this.inside.focusOn(`field-minor-${signing.minors.length}`) });
  }

  changeMinor(index: number, change: Partial<Minor>): void {
    const minors = this.inside.state().signing?.minors ?? [];
    this.change({
      minors: minors.map((minor, at) => at === index ? { ...minor, ...change } : minor),
    });
  }

  removeMinor(index: number): void {
    const { signing } = this.inside.state();
    if (!signing) return;
    this.change({ minors: signing.minors.filter((_, other) => other !== index) });
    this.inside.set({ focus: this.inside.focusOn("add-minor") });
  }

  #year(): number {
    return new Date(this.inside.world.now()).getUTCFullYear();
  }

  /** `write` draws a typed name, so that both manners of signing are kept alike. */
  async sign(write: (name: string) => string): Promise<void> {
    const { inside } = this;
    const { signing, busy } = inside.state();
    if (!signing || busy) return;
    const fieldErrors = problems(signing, this.#year());
    const wrong = Object.keys(fieldErrors);
    inside.set({ fieldErrors, notice: null });
    if (wrong[0]) {
      return inside.set({
        focus: inside.focusOn(controlOf(wrong[0])),
        announcement: inside.say((strings) => strings.checkFields(wrong.length)),
      });
    }
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
    inside.set({ busy: "sign" });
    try {
      const idempotency_key = this.#attempt.key(request);
      await inside.world.api.signWaiver({ ...request, idempotency_key });
      this.#attempt.done();
      inside.set({ busy: null, step: "signed", focus: inside.focusOn("heading") });
    } catch (error) {
      inside.set({ busy: null });
      // The text has changed since it was shown: it has to be read again.
      if (error instanceof ApiError && error.code === "waiver_outdated") {
        await this.open(signing.token);
      }
      inside.set({ notice: inside.problem(error), focus: inside.focusOn("notice") });
    }
  }

  async leave(): Promise<void> {
    this.inside.set({ signing: null, fieldErrors: {}, notice: null });
    await this.done();
  }
}

function problems(signing: Signing, year: number): FieldErrors {
  const wrong: Record<string, FieldProblem> = {};
  if (signing.name.trim() === "") wrong.waiver_name = "requiredName";
  signing.minors.forEach((minor, index) => {
    if (minor.name.trim() === "") wrong[`minor-${index}`] = "requiredField";
    const born = /^\d{4}$/.test(minor.year) ? Number(minor.year) : 0;
    if (born < year - 18 || born > year) wrong[`year-${index}`] = "invalidYear";
  });
  if (!signing.agreed) wrong.agreed = "requiredTick";
  if (signing.manner === "draw" && signing.drawing === "") wrong.signature = "requiredSignature";
  return wrong;
}
