// Sends a form as it stands, with the button that was pressed. Signing in anew in another tab spoils the token of every
// page that was open: such a form is refused with 403, and goes again with the token of the page as it is now.
const HEADERS = { "X-Requested-With": "fetch" };
const TOKEN = "[name=csrfmiddlewaretoken]";

export async function pageOf(response) {
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

export const pageOfNow = async () => pageOf(await fetch(location.href, { headers: HEADERS }));

export async function sendForm(form, button = null, options = {}) {
  const send = () => fetch(form.action, { method: "POST", body: new FormData(form, button), headers: HEADERS, ...options });
  const response = await send();
  if (response.status !== 403) return response;
  const token = (await pageOfNow()).querySelector(TOKEN)?.value;
  if (!token || token === form.querySelector(TOKEN)?.value) return response;
  for (const field of document.querySelectorAll(TOKEN)) field.value = token;
  return send();
}
