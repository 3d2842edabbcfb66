/** What is ticked counts for the words beside which it was ticked, in every form that asks for it. */
import assert from "node:assert/strict";
import type { HoldRequest } from "../../edge/booking-widget/src/api.ts";
import {
  isTicked,
  type Language,
  rich,
  type Setting,
  setting,
  slot,
  stringsFor,
  texts,
  tick,
  toDetails,
  voucherOffer,
  voucherOrder,
} from "./booking_widget_world.ts";

const english = stringsFor("en");

interface Spoken {
  readonly made: Setting;
  /** The page turns to another language. */
  speak(language: Language): void;
}

function spoken(preset = {}): Spoken {
  let language: Language = "es";
  const made = setting(
    { getCalendar: () => Promise.resolve({ ...rich, fields: [] }) },
    {},
    undefined,
    { locale: () => language, preset },
  );
  return { made, speak: (other) => language = other };
}

interface Form {
  /** Filled in but for the ticks. */
  open(made: Setting): Promise<void>;
  send(made: Setting): Promise<void>;
  /** The words that were sent as agreed to; null: nothing was sent. */
  agreed(made: Setting): unknown[] | null;
}

const wordings = (request: unknown) =>
  request ? ((request as HoldRequest).consents ?? []).map(({ wording }) => wording) : null;

const forms: Record<string, Form> = {
  details: {
    open: toDetails,
    send: ({ flow }) => flow.details.submitDetails(),
    agreed: ({ holds }) => wordings(holds[0]),
  },
  waitlist: {
    open: async (made) => {
      await toDetails(made);
      (await made.flow.loadMore()).waitlist.open(slot.local_date, slot.local_date, slot);
    },
    send: ({ flow }) => flow.more!.waitlist.join(),
    agreed: (made) => wordings(made.asked("joinWaitlist")[0]),
  },
  vouchers: {
    open: async ({ flow }) => {
      await flow.start();
      flow.details.type("full_name", "Maria Ferrer");
      flow.details.type("email", "maria@example.test");
      flow.more!.vouchers.change({ product: voucherOffer.products[0]!.id });
    },
    send: ({ flow }) => flow.more!.vouchers.buy(),
    agreed: ({ flow }) => {
      const kept = flow.world.store.tab.read<{ signature: string }>("gift-order:casa");
      return kept && [JSON.parse(kept.signature).accepted_terms];
    },
  },
};

for (const [name, form] of Object.entries(forms)) {
  const filled = async () => {
    const { made, speak } = spoken(name === "vouchers" ? { vouchers: true } : {});
    await form.open(made);
    assert.equal(voucherOrder.status, "open");
    return { made, speak };
  };

  Deno.test(`${name}: a tick for the terms does not count for those of another language`, async () => {
    const { made, speak } = await filled();
    assert.ok(!texts(made.flow).includes(english.termsOther), "nothing has changed yet");
    tick(made.flow);
    assert.ok(isTicked(made.flow));
    speak("en");
    assert.ok(!isTicked(made.flow, "terms", "en"), "it was another text");
    assert.ok(texts(made.flow).includes(english.termsOther), "and is said to be");
    await form.send(made);
    assert.equal(form.agreed(made), null, "nothing is sent in words that nobody ticked");
    assert.equal(made.flow.state.fieldErrors.terms, "requiredTerms");
    tick(made.flow, "terms", true, "en");
    assert.ok(!texts(made.flow).includes(english.termsOther));
    await form.send(made);
    assert.deepEqual(form.agreed(made), [rich.terms.en]);
  });

  Deno.test(`${name}: a tick for the terms does not count for those of a calendar read anew`, async () => {
    const { made } = await filled();
    tick(made.flow);
    const terms = { ...rich.terms, es: "Otras." };
    made.flow.set({ calendar: { ...made.flow.state.calendar!, terms } });
    assert.ok(!isTicked(made.flow));
    assert.ok(texts(made.flow).includes(english.termsOther));
    await form.send(made);
    assert.equal(form.agreed(made), null);
    tick(made.flow);
    await form.send(made);
    assert.deepEqual(form.agreed(made), ["Otras."]);
  });

  Deno.test(`${name}: a page that turns its language before it shows it records what was shown`, async () => {
    const { made, speak } = await filled();
    const before = made.flow.details;
    const agree = before.agree.bind(before);
    // The box is pressed as it stands on the screen, while the page's language is another already.
    before.agree = (kind, words) => {
      speak("en");
      agree(kind, words);
    };
    tick(made.flow);
    await form.send(made);
    assert.equal(form.agreed(made), null);
  });
}

Deno.test("a tick for news does not count for the words of another language, either", async () => {
  const { made, speak } = spoken();
  await toDetails(made);
  tick(made.flow, "marketing");
  assert.ok(isTicked(made.flow, "marketing"));
  speak("en");
  assert.ok(!isTicked(made.flow, "marketing", "en"));
  tick(made.flow, "terms", true, "en");
  await made.flow.details.submitDetails();
  assert.deepEqual(wordings(made.holds[0]), [rich.terms.en]);
});
