// Passkeys on the pages: a button with data-passkey makes one ("create") or has one used ("get") with the options it
// carries, and sends its form with what came of it. Where the browser knows no passkeys the buttons stay hidden.
"use strict";

(() => {
  const toText = (buffer) => {
    const letters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
    return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  };
  const toBytes = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  const withBytes = (list) => list.map((item) => ({ ...item, id: toBytes(item.id) }));

  const ceremonies = {
    async create(options) {
      const publicKey = {
        ...options,
        challenge: toBytes(options.challenge),
        user: { ...options.user, id: toBytes(options.user.id) },
        excludeCredentials: withBytes(options.excludeCredentials),
      };
      const { rawId, type, response } = await navigator.credentials.create({ publicKey });
      return {
        id: toText(rawId),
        rawId: toText(rawId),
        type,
        response: {
          clientDataJSON: toText(response.clientDataJSON),
          attestationObject: toText(response.attestationObject),
          transports: response.getTransports ? response.getTransports() : [],
        },
      };
    },
    async get(options) {
      const publicKey = {
        ...options,
        challenge: toBytes(options.challenge),
        allowCredentials: withBytes(options.allowCredentials),
      };
      const { rawId, type, response } = await navigator.credentials.get({ publicKey });
      return {
        id: toText(rawId),
        rawId: toText(rawId),
        type,
        response: {
          clientDataJSON: toText(response.clientDataJSON),
          authenticatorData: toText(response.authenticatorData),
          signature: toText(response.signature),
          userHandle: response.userHandle ? toText(response.userHandle) : null,
        },
      };
    },
  };

  const send = (form, fields) => {
    for (const password of form.querySelectorAll("input[type=password]")) {
      password.disabled = true;
    }
    for (const [name, value] of Object.entries(fields)) {
      const input = document.createElement("input");
      Object.assign(input, { type: "hidden", name, value });
      form.append(input);
    }
    form.submit();
  };

  if (!window.PublicKeyCredential) {
    return;
  }
  for (const button of document.querySelectorAll("button[data-passkey]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        const shown = await ceremonies[button.dataset.passkey](JSON.parse(button.dataset.options));
        send(button.form, { action: button.dataset.action, passkey: JSON.stringify(shown) });
      } catch (error) {
        button.disabled = false;
        document.querySelector("[role=alert]").textContent = `No passkey was used (${error.name}).`;
      }
    });
  }
})();
