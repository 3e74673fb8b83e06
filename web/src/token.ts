// The server token: from the URL or the dialog, stored for the lifetime of the tab.

const KEY = "face_expr token"; // in sessionStorage

/** The token in the URL, which is then removed from it because URLs are shared; or the stored one. */
export function initialToken(): string {
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
