// One step of the path as a web app takes it, with the real supabase-js.
//
//   node supabase-js.mjs STEP < arguments.json > answer.json
//
// Each step is a function of its arguments; the test keeps what one step hands to the next.
import { createClient } from "@supabase/supabase-js";

const { SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY } = process.env;

/** A client that keeps its session in memory. */
function connect(organizationId) {
  return createClient(SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, {
    auth: { persistSession: false, autoRefreshToken: false },
    // Node 20 has no WebSocket; nothing here subscribes to anything.
    realtime: { transport: globalThis.WebSocket ?? class {} },
    global: { headers: organizationId ? { "x-organization-id": organizationId } : {} },
  });
}

async function signedIn({ email, password, organizationId }) {
  const client = connect(organizationId);
  const { error } = await client.auth.signInWithPassword({ email, password });
  if (error) throw error;
  return client;
}

/** The data of an answer; a refusal ends the step. */
async function data(answer) {
  const { data, error } = await answer;
  if (error) throw new Error(`${error.code ?? error.name}: ${error.message}`);
  return data;
}

const steps = {
  async signUp({ email, password }) {
    const signedUp = await connect().auth.signUp({
      email,
      password,
      options: { data: { full_name: "Olga Owner", locale: "en" } },
    });
    if (signedUp.error) throw signedUp.error;
    return { session: signedUp.data.session };
  },

  async confirmAndRefresh({ email, code }) {
    const client = connect();
    const confirmed = await client.auth.verifyOtp({ email, token: code, type: "signup" });
    if (confirmed.error) throw confirmed.error;
    const first = confirmed.data.session;
    const refreshed = await client.auth.refreshSession({ refresh_token: first.refresh_token });
    if (refreshed.error) throw refreshed.error;
    const context = await data(client.rpc("my_context"));
    return {
      userId: confirmed.data.user.id,
      rotated: refreshed.data.session.refresh_token !== first.refresh_token,
      fullName: context.user.full_name,
      organizations: context.organizations,
    };
  },

  async openVenue({ email, password, name, slug, imageBase64 }) {
    const client = await signedIn({ email, password });
    const organization = await data(
      client.rpc("create_organization", { name, slug, timezone: "Europe/Madrid", locale: "en" }),
    );
    const location = await data(
      client.from("locations").insert({ name: "Centre", timezone: "Europe/Madrid" }).select().single(),
    );
    const room = await data(
      client.from("rooms").insert({
        location_id: location.id,
        slug: "the-vault",
        name: "The Vault",
        description: "Sixty minutes under a bank.",
        price_cents: 2500,
        difficulty: 4,
        is_published: true,
      }).select().single(),
    );
    const path = `${organization.id}/rooms/the-vault.png`;
    const image = Buffer.from(imageBase64, "base64");
    await data(client.storage.from("room-images").upload(path, image, { contentType: "image/png" }));
    await data(
      client.from("room_images").insert({ room_id: room.id, path, alt: { en: "The vault's door" } }).select().single(),
    );
    await data(
      client.from("schedules").insert(
        [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({
          room_id: room.id,
          weekday,
          opens_at: "10:00",
          closes_at: "22:00",
        })),
      ),
    );
    const calendar = await data(
      client.from("calendars").insert({ slug, name, minimum_notice_minutes: 0 }).select().single(),
    );
    await data(client.from("calendar_rooms").insert({ calendar_id: calendar.id, room_id: room.id }));
    return {
      organizationId: organization.id,
      roomId: room.id,
      imageUrl: client.storage.from("room-images").getPublicUrl(path).data.publicUrl,
    };
  },

  async uploadInto({ email, password, path, imageBase64 }) {
    const client = await signedIn({ email, password });
    const { error } = await client.storage.from("room-images")
      .upload(path, Buffer.from(imageBase64, "base64"), { contentType: "image/png" });
    return { error: error && { message: error.message, status: error.statusCode ?? error.status } };
  },

  async book({ slug, customer, idempotencyKey }) {
    const client = connect();
    const calendar = await data(client.rpc("get_calendar", { slug }));
    const day = (offset) => new Date(Date.now() + offset * 86400e3).toISOString().slice(0, 10);
    const slots = await data(
      client.rpc("get_availability", { slug, from_date: day(2), to_date: day(4), party_size: 4 }),
    );
    const slot = slots[0];
    const quote = await data(
      client.rpc("quote_booking", {
        slug,
        room_id: slot.room_id,
        starts_at: slot.starts_at,
        party_size: 4,
      }),
    );
    const hold = await data(
      client.rpc("hold_booking", {
        slug,
        room_id: slot.room_id,
        starts_at: slot.starts_at,
        party_size: 4,
        customer,
        expected_total_cents: quote.total_cents,
        idempotency_key: idempotencyKey,
      }),
    );
    return { calendar, slots: slots.length, quote, hold };
  },

  async read({ email, password, organizationId }) {
    const client = await signedIn({ email, password, organizationId });
    const answer = await client.from("bookings")
      .select("*,rooms(name),customers(full_name,email),sessions(ends_at),payments(amount_cents,method)")
      .order("starts_at");
    const counted = await client.from("bookings").select("*", { count: "exact", head: true });
    return { rows: answer.data, error: answer.error, status: answer.status, count: counted.count };
  },

  async readAsNobody() {
    const { data, error, status } = await connect().from("bookings").select("*");
    return { rows: data, error, status };
  },

  async keepDocument({ email, password, path, text }) {
    const client = await signedIn({ email, password });
    const documents = client.storage.from("documents");
    await data(documents.upload(path, Buffer.from(text), { contentType: "text/plain" }));
    const { signedUrl } = await data(documents.createSignedUrl(path, 60));
    const signed = await fetch(signedUrl);
    const unsigned = await fetch(signedUrl.replace("/object/sign/", "/object/public/"));
    const tampered = await fetch(signedUrl.slice(0, -3));
    return {
      text: await signed.text(),
      unsigned: unsigned.status,
      tampered: tampered.status,
    };
  },

  async reachForDocument({ email, password, organizationId, path }) {
    const client = await signedIn({ email, password, organizationId });
    const documents = client.storage.from("documents");
    const signed = await documents.createSignedUrl(path, 60);
    const read = await documents.download(path);
    const listed = await documents.list(path.split("/")[0]);
    return {
      signed: signed.error?.message ?? null,
      read: read.error?.name ?? null,
      listed: listed.data?.length ?? 0,
    };
  },

  /** A manager reads the day's board, and subscribes to what one person runs. */
  async readBoard({ email, password, organizationId, date, userId }) {
    const client = await signedIn({ email, password, organizationId });
    const board = await data(
      client.rpc("get_board", { organization_id: organizationId, date }),
    );
    const feed = await data(
      client.rpc("create_calendar_feed", {
        organization_id: organizationId,
        name: "Games",
        user_id: userId,
      }),
    );
    const subscribed = await fetch(`${SUPABASE_URL}/functions/v1/calendar-feed/${feed.token}.ics`);
    return { board, feed: { type: subscribed.headers.get("content-type"), text: await subscribed.text() } };
  },

  async checkIn({ email, password, organizationId, bookingId, movedTo }) {
    const client = await signedIn({ email, password });
    if (movedTo) {
      await client.rpc("change_booking", {
        organization_id: organizationId,
        booking_id: bookingId,
        starts_at: movedTo,
        idempotency_key: `${bookingId} comes today`,
      }).throwOnError();
    }
    const { data, error, status } = await client.rpc("transition_booking", {
      organization_id: organizationId,
      booking_id: bookingId,
      to_status: "checked_in",
    });
    return { booking: data, error, status };
  },
};

const [step] = process.argv.slice(2);
let input = "";
for await (const chunk of process.stdin) input += chunk;
try {
  process.stdout.write(JSON.stringify(await steps[step](JSON.parse(input || "{}"))));
} catch (error) {
  process.stderr.write(`${step}: ${error.message}\n`);
  process.exitCode = 1;
}
