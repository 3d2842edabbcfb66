// The page that an invitation's mail leads to: #invitation=… is taken out of the address, the person
// signs in or up with the address that the mail went to, and becomes a member.

const texts = {
  en: {
    title: "You are invited",
    intro: "Sign in with the address that the invitation went to, or make an account for it.",
    email: "E-mail",
    password: "Password",
    signIn: "Sign in and accept",
    signUp: "Make an account and accept",
    confirm: "Open the mail that we have just sent you, and then this invitation's link again.",
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
    confirm:
      "Abre el correo que te acabamos de enviar y después otra vez el enlace de la invitación.",
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
    confirm:
      "Obre el correu que t'acabem d'enviar i després un altre cop l'enllaç de la invitació.",
    done: "Ja ets membre de {organization}.",
    failed: "No ha funcionat",
  },
};

/** The token of the address, which keeps it no longer; null without one. */
export function takeInvitation() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get("invitation");
  if (token) history.replaceState(history.state, "", location.pathname + location.search);
  return token;
}

/** A form that accepts an invitation. */
export function invitation(config, token, language) {
  const text = texts[language];
  const form = document.createElement("form");
  form.className = "invitation";
  const [title, intro, said] = ["h2", "p", "p"].map((name) => document.createElement(name));
  title.textContent = text.title;
  intro.textContent = text.intro;
  said.setAttribute("role", "status");
  form.append(
    title,
    intro,
    field(text.email, { name: "email", type: "email", autocomplete: "username" }),
    field(text.password, { name: "password", type: "password", autocomplete: "current-password" }),
    button("signIn", text.signIn),
    button("signUp", text.signUp),
    said,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { email, password } = Object.fromEntries(new FormData(form));
    try {
      const path = event.submitter?.value === "signUp" ? "signup" : "token?grant_type=password";
      const session = await ask(config, `auth/v1/${path}`, { email, password });
      if (!session.access_token) {
        said.textContent = text.confirm;
        return;
      }
      const context = await ask(
        config,
        "rest/v1/rpc/accept_invitation",
        { token },
        session.access_token,
      );
      const { active_organization_id: here, organizations } = context;
      const name = organizations?.find(({ id }) => id === here)?.name ?? "";
      form.replaceChildren(title, said);
      said.textContent = text.done.replace("{organization}", name);
    } catch (error) {
      said.textContent = `${text.failed}: ${error.message}`;
    }
  });
  return form;
}

async function ask(config, path, body, token) {
  const response = await fetch(`${config.supabase_url}/${path}`, {
    method: "POST",
    headers: {
      apikey: config.publishable_key,
      "Content-Type": "application/json",
      ...(token && { Authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
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
