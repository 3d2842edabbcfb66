// The page that an invitation's mail leads to: #invitation=… is taken out of the address, the person
// signs in or up with the address that the mail went to, and becomes a member. Whoever signs up is
// sent a mail first, and types its code here or follows its link, which leads back here. The password
// counts once it is chosen after that mail: a stranger may have made the account first, with another one.

// The link may open another tab: the invitation waits for it, in this browser only.
const WAITING = "escapemaster-invitation";

const texts = {
  en: {
    title: "You are invited",
    intro: "Sign in with the address that the invitation went to, or make an account for it.",
    email: "E-mail",
    password: "Password",
    signIn: "Sign in and accept",
    signUp: "Make an account and accept",
    sent: "We sent a code to {email}. Type it here, or follow the link in the mail.",
    code: "Code",
    confirm: "Confirm and accept",
    welcome: "Your address is confirmed. Choose the password of your account.",
    accept: "Accept the invitation",
    done: "You are now a member of {organization}.",
    failed: "That did not work",
  },
  es: {
    title: "Tienes una invitación",
    intro: "Entra con la dirección a la que llegó la invitación, o crea una cuenta para ella.",
    email: "Correo",
    password: "Contraseña",
    signIn: "Entrar y aceptar",
    signUp: "Crear una cuenta y aceptar",
    sent: "Hemos enviado un código a {email}. Escríbelo aquí o sigue el enlace del correo.",
    code: "Código",
    confirm: "Confirmar y aceptar",
    welcome: "Tu dirección está confirmada. Elige la contraseña de tu cuenta.",
    accept: "Aceptar la invitación",
    done: "Ya eres miembro de {organization}.",
    failed: "No ha funcionado",
  },
  ca: {
    title: "Tens una invitació",
    intro: "Entra amb l'adreça a la qual va arribar la invitació, o crea-hi un compte.",
    email: "Correu",
    password: "Contrasenya",
    signIn: "Entra i accepta",
    signUp: "Crea un compte i accepta",
    sent: "Hem enviat un codi a {email}. Escriu-lo aquí o segueix l'enllaç del correu.",
    code: "Codi",
    confirm: "Confirma i accepta",
    welcome: "La teva adreça està confirmada. Tria la contrasenya del teu compte.",
    accept: "Accepta la invitació",
    done: "Ja ets membre de {organization}.",
    failed: "No ha funcionat",
  },
};

/**
 * What the address says of an invitation, which it says no longer afterwards.
 *
 * @returns {{token: string, session?: string}|null} The session is that of a confirmation's link.
 */
export function takeInvitation() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const session = fragment.get("access_token") ?? undefined;
  const token = fragment.get("invitation") ?? (session && localStorage.getItem(WAITING));
  if (token || session) {
    history.replaceState(history.state, "", location.pathname + location.search);
  }
  return token ? { token, session } : null;
}

/** A form that accepts an invitation. */
export function invitation(config, { token, session }, language) {
  const text = texts[language];
  const form = document.createElement("form");
  form.className = "invitation";
  const [title, intro, said] = ["h2", "p", "p"].map((name) => document.createElement(name));
  title.textContent = text.title;
  said.setAttribute("role", "status");

  const show = (words, ...parts) => {
    intro.textContent = words;
    said.textContent = "";
    form.replaceChildren(title, intro, ...parts, said);
  };
  const accept = async (accessToken) => {
    const context = await ask(config, "rest/v1/rpc/accept_invitation", { token }, accessToken);
    localStorage.removeItem(WAITING);
    const { active_organization_id: here, organizations } = context;
    const name = organizations?.find(({ id }) => id === here)?.name ?? "";
    form.replaceChildren(title, said);
    said.textContent = text.done.replace("{organization}", name);
  };
  // What could open the account before the mail came back ends, and the password is the person's.
  const settle = async (password) => {
    if (settled) return;
    await ask(config, "rest/v1/rpc/reset_sign_in", {}, session);
    await ask(config, "auth/v1/user", { password }, session, "PUT");
    settled = true;
  };
  const showWelcome = () =>
    show(text.welcome, passwordField("new-password"), button("accept", text.accept));
  const passwordField = (autocomplete) =>
    field(text.password, { name: "password", type: "password", autocomplete });
  let settled = false;
  let signingUp = {};
  const steps = {
    async signIn({ email, password }) {
      const opened = await ask(config, "auth/v1/token?grant_type=password", { email, password });
      await accept(opened.access_token);
    },
    async signUp({ email, password }) {
      const back = encodeURIComponent(location.origin + location.pathname + location.search);
      const made = await ask(config, `auth/v1/signup?redirect_to=${back}`, { email, password });
      // A project may do without confirmations.
      if (made.access_token) return accept(made.access_token);
      signingUp = { email, password };
      localStorage.setItem(WAITING, token);
      const code = { name: "code", inputmode: "numeric", autocomplete: "one-time-code" };
      show(
        text.sent.replace("{email}", email),
        field(text.code, code),
        button("confirm", text.confirm),
      );
      form.elements.code.focus();
    },
    async confirm({ code }) {
      const proof = { type: "signup", email: signingUp.email, token: code.trim() };
      session = (await ask(config, "auth/v1/verify", proof)).access_token;
      // A code is good once: what is refused from here on is tried again without it.
      showWelcome();
      await steps.accept(signingUp);
    },
    async accept({ password }) {
      await settle(password);
      await accept(session);
    },
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await steps[event.submitter.value](Object.fromEntries(new FormData(form)));
    } catch (error) {
      said.textContent = `${text.failed}: ${error.message}`;
    }
  });

  if (session) {
    showWelcome();
  } else {
    show(
      text.intro,
      field(text.email, { name: "email", type: "email", autocomplete: "username" }),
      passwordField("current-password"),
      button("signIn", text.signIn),
      button("signUp", text.signUp),
    );
  }
  return form;
}

async function ask(config, path, body, token, method = "POST") {
  const response = await fetch(`${config.supabase_url}/${path}`, {
    method,
    headers: {
      apikey: config.publishable_key,
      "Content-Type": "application/json",
      ...(token && { Authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  const answer = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Error(answer.hint ?? answer.msg ?? answer.message);
  return answer;
}

function field(label, attributes) {
  const element = document.createElement("label");
  const input = document.createElement("input");
  for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);
  input.required = true;
  element.append(label, input);
  return element;
}

function button(value, label) {
  const element = document.createElement("button");
  element.value = value;
  element.textContent = label;
  return element;
}
