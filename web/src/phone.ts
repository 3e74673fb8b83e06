// Opening the page on a phone: a QR code with the address and the token.

import { authorized, byId, make } from "./dom";

interface PhoneLink {
  url: string;
  /** The QR code as SVG. */
  svg: string;
  /** SHA-256 of the server's own certificate, or empty. */
  fingerprint: string;
  /** What is missing, and what to do; or empty. */
  problem: string;
}

export class Phone {
  constructor(private token: () => string) {
    byId("phone").addEventListener("click", () => void this.show());
  }

  private async show(): Promise<void> {
    const dialog = byId<HTMLDialogElement>("phone-dialog");
    const answer = await fetch("api/phone", { headers: authorized(this.token()) }).catch(() => null);
    const place = byId("phone-content");
    const link: PhoneLink | null = answer?.ok ? await answer.json() : null;
    if (link?.url) place.replaceChildren(...instructions(link));
    else place.replaceChildren(make("p", {}, link?.problem ?? "The server cannot be reached."));
    if (!dialog.open) dialog.showModal();
  }
}

function instructions({ url, svg, fingerprint, problem }: PhoneLink): Node[] {
  const code = !svg ? make("p", {}, problem) : make("img", { src: `data:image/svg+xml,${encodeURIComponent(svg)}`, alt: `QR code of ${url.split("?")[0]}`, className: "code" });
  const steps = [
    "Connect the phone to the same network as this computer.",
    "Scan the code with the phone's camera. It contains the token of this server: do not share it.",
    ...(fingerprint ? ["The phone warns about the certificate, because the server made it itself: open the details and continue. The connection is encrypted."] : []),
  ];
  const list = make("ol", {}, ...steps.map((step) => make("li", {}, step)));
  const details = fingerprint ? [make("p", { className: "fingerprint" }, `SHA-256 of the certificate: ${fingerprint}`)] : [];
  return [code, make("div", {}, list, make("p", {}, "Address: ", make("b", {}, url.split("?")[0])), ...details)];
}
