// The server's token: from the address, or as it was typed, for as long as the browser's tab is open.

const KEY = "face_expr token"; // in the storage of the tab

/** The token of the address, which is then taken out of it, for addresses are shown and shared; or the last one. */
export function givenToken(): string {
  const url = new URL(location.href);
  const token = url.searchParams.get("token");
  if (!token) return sessionStorage.getItem(KEY) ?? "";
  keepToken(token);
  url.searchParams.delete("token");
  history.replaceState(null, "", url);
  return token;
}

export function keepToken(token: string): void {
  sessionStorage.setItem(KEY, token);
}
