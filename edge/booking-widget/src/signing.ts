/** Signing a waiver by its link: read, name oneself and one's minors, sign. */
import { ApiError } from "./api.ts";
import type { FieldProblem } from "./customer.ts";
import type { Signing } from "./state.ts";
import type { Inside } from "./world.ts";

/** As many as fit on a form that a person reads before they sign. */
export const MOST_MINORS = 10;

export class Waivers {
  constructor(
    readonly inside: Inside,
    /** Go back to the booking, if there is one. */
    readonly done: () => Promise<void>,
  ) {}

  /** Raises what the database refuses, when the page was opened for this. */
  async open(token: string): Promise<void> {
    const { inside } = this;
    inside.set({ busy: "waiver", notice: null });
    try {
      const waiver = await inside.world.api.getWaiver(token, inside.world.locale());
      const name = inside.state().booking?.customer.full_name ?? "";
      inside.set({
        busy: null,
        step: "waiver",
        fieldErrors: {},
        signing: {
          token,
          waiver,
          name,
          minors: [],
          manner: "draw",
          drawing: "",
          agreed: false,
        },
        focus: inside.focusOn("heading"),
      });
    } catch (error) {
      inside.set({ busy: null });
      if (inside.state().step !== "booking") throw error;
      inside.set({ notice: inside.problem(error), focus: inside.focusOn("notice") });
    }
  }

  change(change: Partial<Signing>): void {
    const { signing, fieldErrors } = this.inside.state();
    if (!signing) return;
    const next = { ...signing, ...change };
    // What was said to be wrong is looked at again while it is being mended.
    const kept = Object.keys(fieldErrors).length > 0 ? problems(next) : {};
    this.inside.set({ signing: next, fieldErrors: kept });
  }

  addMinor(): void {
    const { signing } = this.inside.state();
    if (!signing || signing.minors.length >= MOST_MINORS) return;
    this.change({ minors: [...signing.minors, ""] });
    this.inside.set({ focus: this.inside.focusOn(`field-minor-${signing.minors.length}`) });
  }

  removeMinor(index: number): void {
    const { signing } = this.inside.state();
    if (!signing) return;
    this.change({ minors: signing.minors.filter((_, other) => other !== index) });
    this.inside.set({ focus: this.inside.focusOn("add-minor") });
  }

  async sign(): Promise<void> {
    const { inside } = this;
    const { signing, busy } = inside.state();
    if (!signing || busy) return;
    const fieldErrors = problems(signing);
    const wrong = Object.keys(fieldErrors);
    inside.set({ fieldErrors, notice: null });
    if (wrong[0]) {
      return inside.set({
        focus: inside.focusOn(`field-${wrong[0]}`),
        announcement: inside.say((strings) => strings.checkFields(wrong.length)),
      });
    }
    inside.set({ busy: "sign" });
    try {
      await inside.world.api.signWaiver({
        token: signing.token,
        ...(signing.waiver.version_id ? { version_id: signing.waiver.version_id } : {}),
        full_name: signing.name.trim(),
        minors: signing.minors.map((name) => name.trim()).filter(Boolean),
        ...(signing.manner === "draw" ? { signature: signing.drawing } : {}),
        locale: inside.world.locale(),
      });
      inside.set({ busy: null, step: "signed", focus: inside.focusOn("heading") });
    } catch (error) {
      // The text has changed since it was shown: it has to be read again.
      if (error instanceof ApiError && error.code === "waiver_changed") {
        await this.open(signing.token).catch(() => {});
      }
      inside.set({ busy: null, notice: inside.problem(error), focus: inside.focusOn("notice") });
    }
  }

  async leave(): Promise<void> {
    this.inside.set({ signing: null, fieldErrors: {}, notice: null });
    await this.done();
  }
}

function problems(signing: Signing): Record<string, FieldProblem> {
  return {
    ...(signing.name.trim() === "" ? { waiver_name: "requiredName" as const } : {}),
    ...(signing.agreed ? {} : { agreed: "requiredTick" as const }),
    ...(signing.manner === "draw" && signing.drawing === ""
      ? { signature: "requiredSignature" as const }
      : {}),
  };
}
