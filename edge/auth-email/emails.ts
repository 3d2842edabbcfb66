/** What Auth asks to be sent, as the database takes it. */

/**
 * A call of the Send Email hook
 * (https://supabase.com/docs/guides/auth/auth-hooks/send-email-hook), as far as it is read.
 */
export interface HookCall {
  readonly user: {
    readonly email?: string;
    readonly new_email?: string;
    readonly user_metadata?: Readonly<Record<string, unknown>> | null;
  };
  readonly email_data: {
    readonly email_action_type: string;
    readonly token?: string;
    readonly token_hash?: string;
    readonly token_new?: string;
    readonly token_hash_new?: string;
    readonly old_email?: string;
    readonly redirect_to?: string;
    readonly site_url?: string;
  };
}

/** A mail of Auth, as `service.queue_auth_emails` takes it. */
export interface AuthEmail {
  readonly kind: string;
  readonly recipient: string;
  readonly locale: string | null;
  readonly code: string | null;
  readonly link: string | null;
  readonly new_email: string | null;
}

/** The mails of a call: one, or for a changed address one to each of the two; none: not a call. */
export function emailsOf(call: HookCall, supabaseUrl: string): AuthEmail[] {
  const { user, email_data: data } = call;
  const kind = data.email_action_type;
  const email = (recipient: string | undefined, code: string, hash: string): AuthEmail[] =>
    recipient
      ? [{
        kind,
        recipient,
        locale: languageOf(user.user_metadata),
        code: code || null,
        link: hash && kind !== "reauthentication" ? verifyUrl(supabaseUrl, hash, data) : null,
        new_email: kind === "email_change" ? user.new_email ?? null : null,
      }]
      : [];

  if (kind === "email_change") {
    // Crossed for reasons of their past: `token_hash_new` belongs to the present address and its
    // `token`, `token_hash` to the new one and its `token_new`. Where only the new address
    // confirms, there is one pair, `token` and `token_hash`.
    const { token = "", token_new = "", token_hash = "", token_hash_new = "" } = data;
    return [
      ...(token_hash_new ? email(user.email, token, token_hash_new) : []),
      ...email(user.new_email, token_new || token, token_hash),
    ];
  }
  const recipient = kind === "email_changed_notification" ? data.old_email : user.email;
  return email(recipient, data.token ?? "", data.token_hash ?? "");
}

/** The language that somebody chose, which clients keep with the user; null: none that we have. */
export function languageOf(metadata: HookCall["user"]["user_metadata"]): string | null {
  for (const name of ["language", "locale", "lang"]) {
    const value = metadata?.[name];
    const language = typeof value === "string" ? value.slice(0, 2).toLowerCase() : "";
    if (["es", "en", "ca"].includes(language)) return language;
  }
  return null;
}

function verifyUrl(supabaseUrl: string, hash: string, data: HookCall["email_data"]): string {
  const query = new URLSearchParams({ token: hash, type: data.email_action_type });
  const back = data.redirect_to || data.site_url;
  if (back) query.set("redirect_to", back);
  return `${supabaseUrl}/auth/v1/verify?${query}`;
}
